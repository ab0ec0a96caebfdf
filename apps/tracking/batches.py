"""The tracking room: the body of log-batch and its single siblings, read strictly into columns.

A well-formed body is decoded straight into structs. Whatever that reader refuses is read again, slowly, by the
strict reader, which accepts MLflow's looser spellings or names the field that is wrong.
"""

import math
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import lt
from typing import Annotated, Any

import msgspec

from maestro import limits
from maestro.errors import Invalid, NotFound
from maestro.mlflow import fields as read
from maestro.mlflow.views import read_fields

Int64 = Annotated[int, msgspec.Meta(ge=limits.INT64_MIN, le=limits.INT64_MAX)]
TimeMs = Annotated[int, msgspec.Meta(ge=0, le=limits.TIME_MS_MAX)]


class RawMetric(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """A metric as the client writes it."""

    key: str
    value: float | str
    timestamp: TimeMs
    step: Int64 = 0
    model_id: str = ""
    dataset_name: str = ""
    dataset_digest: str = ""
    run_id: str = ""


class RawPair(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """A param or a tag as the client writes it."""

    key: str
    value: str


class RawBatch(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """The body of log-batch as the client writes it."""

    run_id: str
    metrics: list[RawMetric] = []
    params: list[RawPair] = []
    tags: list[RawPair] = []


DECODER = msgspec.json.Decoder(RawBatch)
NAMES = (b'"key"', b'"value"', b'"timestamp"', b'"step"')
SMALL_BYTES = 2_048  # below it the strict reader is fast enough, and it sees every name that stands twice
ESCAPES = (b"\\u0000", b"\\ud", b"\\uD")


@dataclass(slots=True)
class Series:
    """Points of one metric, no two alike."""

    name: str
    steps: list[int]
    times: list[int]
    values: list[float]
    is_ascending: bool = False  # each step is greater than the one before

    def latest(self) -> tuple[int, int, float]:
        """Find the greatest (step, timestamp, value); NaN counts as the greatest value, as in Postgres."""
        if self.is_ascending:
            return self.steps[-1], self.times[-1], self.values[-1]
        points = zip(self.steps, self.times, self.values, strict=True)
        return max(points, key=lambda p: (p[0], p[1], p[2] != p[2], p[2]))


@dataclass(slots=True)
class ModelPoint:
    """A point that was measured of a logged model, on a dataset or on none."""

    model_id: str
    key: str
    dataset_name: str
    dataset_digest: str
    step: int
    timestamp_ms: int
    value: float


@dataclass(slots=True)
class Batch:
    """What one request adds to a run."""

    run_id: uuid.UUID
    series: list[Series] = field(default_factory=list)
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    of_models: list[ModelPoint] = field(default_factory=list)


def run_uuid(text: Any) -> uuid.UUID:
    """Read a run's id. Raises NotFound for what can't be one, so that a guess and a miss sound the same."""
    if isinstance(text, str) and len(text) in (32, 36):
        try:
            return uuid.UUID(text)
        except ValueError:
            pass
    raise NotFound(f"Run with id={str(text)[:64]} not found")


def read_batch(body: bytes) -> Batch:
    """Read the body of log-batch. Raises Invalid naming the field, or NotFound for an impossible run id."""
    raw = decode(body)
    check_counts(len(raw.metrics), len(raw.params), len(raw.tags))
    batch = Batch(run_uuid(raw.run_id))
    batch.series = read_series(raw.metrics)
    batch.params = read_params(raw.params)
    batch.tags = read_tags(raw.tags)
    batch.of_models = [model_point(m) for m in raw.metrics if m.model_id]
    return batch


def decode(body: bytes) -> RawBatch:
    """Decode fast what is plain; read the rest slowly."""
    if SMALL_BYTES < len(body) <= limits.JSON_BODY_BYTES and not any(mark in body for mark in ESCAPES):
        try:
            raw = DECODER.decode(body)
        except (msgspec.MsgspecError, RecursionError):
            return decode_slowly(body)
        pairs = len(raw.params) + len(raw.tags)
        most = (len(raw.metrics) + pairs, len(raw.metrics) + pairs, len(raw.metrics), len(raw.metrics))
        if all(body.count(name) <= count for name, count in zip(NAMES, most, strict=True)):
            return raw
    return decode_slowly(body)


def decode_slowly(body: bytes) -> RawBatch:
    """Read with the strict reader, which refuses a name given twice and names what is wrong."""
    document = read_fields(body)
    run = document.get("run_id") or document.get("run_uuid")
    if not run:
        raise read.missing("run_id")
    metrics = read.rows(document, "metrics", limits.JSON_ITEMS)
    params, tags = read.rows(document, "params", limits.JSON_ITEMS), read.rows(document, "tags", limits.JSON_ITEMS)
    check_counts(len(metrics), len(params), len(tags))
    return RawBatch(
        read.as_text(run, "run_id"),
        [slow_metric(item, f"metrics[{index}].") for index, item in enumerate(metrics)],
        [slow_pair(item, f"params[{index}].") for index, item in enumerate(params)],
        [slow_pair(item, f"tags[{index}].") for index, item in enumerate(tags)],
    )


def slow_metric(item: Mapping[str, Any], at: str = "") -> RawMetric:
    """Read one metric; `at` is where it stands, for the refusal."""
    for name in ("key", "value", "timestamp"):
        if item.get(name) is None:
            raise read.missing(at + name)
    extra = {name: read.as_text(item[name], at + name) for name in MODEL_FIELDS if item.get(name) is not None}
    return RawMetric(
        read.as_text(item["key"], at + "key"),
        read.as_double(item["value"], at + "value"),
        read.as_time_ms(item["timestamp"], at + "timestamp"),
        read.as_integer(item.get("step") or 0, at + "step"),
        **extra,
    )


MODEL_FIELDS = ("model_id", "dataset_name", "dataset_digest")


def slow_pair(item: Mapping[str, Any], at: str = "") -> RawPair:
    """Read one param or tag. An absent value is the empty text, as protobuf has it."""
    if item.get("key") is None:
        raise read.missing(at + "key")
    value = item.get("value")
    value = "" if value is None else value
    return RawPair(read.as_text(item["key"], at + "key"), read.as_text(value, at + "value", limits.JSON_BODY_BYTES))


def check_counts(metrics: int, params: int, tags: int) -> None:
    """Raise Invalid in MLflow's words if a batch is too long."""
    counted = (("metrics", metrics, limits.BATCH_METRICS), ("params", params, limits.BATCH_PARAMS))
    for name, count, most in (*counted, ("tags", tags, limits.BATCH_TAGS)):
        if count > most:
            raise too_many(name, count, most)
    if metrics + params + tags > limits.BATCH_TOTAL:
        raise too_many("metrics, params, and tags", metrics + params + tags, limits.BATCH_TOTAL)


def too_many(name: str, count: int, most: int) -> Invalid:
    return Invalid(
        f"A batch logging request can contain at most {most} {name}. Got {count} {name}. "
        f"Please split up {name} across multiple requests and try again.",
        "too_many_items",
    )


def read_series(metrics: list[RawMetric]) -> list[Series]:
    """Group points by metric, sorted by name, exact duplicates once."""
    groups: dict[str, list[RawMetric]] = {}
    for metric in metrics:
        group = groups.get(metric.key)
        if group is None:
            groups[metric.key] = [metric]
        else:
            group.append(metric)
    for key in groups:
        if len(key) > limits.KEY_CHARS or not read.is_key(key):
            at = next(index for index, metric in enumerate(metrics) if metric.key == key)
            read.as_key(key, f"metrics[{at}].key")
    return [one_series(name, groups[name], metrics) for name in sorted(groups)]


def one_series(name: str, group: list[RawMetric], metrics: list[RawMetric]) -> Series:
    steps = [metric.step for metric in group]
    times = [metric.timestamp for metric in group]
    values = [metric.value for metric in group]
    if str in set(map(type, values)):
        values = [spelled(metric, metrics) for metric in group]
    is_ascending = all(map(lt, steps, steps[1:]))
    if not is_ascending:
        points = dict.fromkeys(zip(steps, times, map(identity, values), strict=True))
        if len(points) < len(steps):
            steps, times, values = map(list, zip(*points, strict=True))  # type: ignore[assignment]
            values = [NAN if value == "NaN" else value for value in values]
    return Series(name, steps, times, values, is_ascending)  # type: ignore[arg-type]


NAN = float("nan")


def identity(value: Any) -> Any:
    """Give NaN, which equals nothing, a name to be compared by."""
    return "NaN" if isinstance(value, float) and math.isnan(value) else value


def spelled(metric: RawMetric, metrics: list[RawMetric]) -> float:
    """Read a value that was sent as text."""
    if isinstance(metric.value, float):
        return metric.value
    at = next(index for index, other in enumerate(metrics) if other is metric)
    return read.as_double(metric.value, f"metrics[{at}].value")


def read_params(pairs: list[RawPair]) -> dict[str, str]:
    """Read params; two of one key are refused, even if they are equal."""
    params: dict[str, str] = {}
    for index, pair in enumerate(pairs):
        key = read.as_key(pair.key, f"params[{index}].key")
        if key in params:
            raise Invalid(f"Duplicate parameter keys have been submitted: ['{key}'].", "duplicate_param")
        params[key] = pair.value[: limits.PARAM_VALUE_CHARS]
    return dict(sorted(params.items()))


def read_tags(pairs: list[RawPair]) -> dict[str, str]:
    """Read tags; of one key the last counts."""
    tags = {}
    for index, pair in enumerate(pairs):
        tags[read.as_key(pair.key, f"tags[{index}].key")] = pair.value[: limits.TAG_VALUE_CHARS]
    return dict(sorted(tags.items()))


def model_point(metric: RawMetric) -> ModelPoint:
    """Read what a metric says about a logged model."""
    return ModelPoint(
        read.as_text(metric.model_id, "model_id", 64),
        metric.key,
        read.as_text(metric.dataset_name, "dataset_name", 500),
        read.as_text(metric.dataset_digest, "dataset_digest", 36),
        metric.step,
        metric.timestamp,
        read.as_double(metric.value, "value"),
    )
