"""MLflow's door to tracking: what log-batch and its single siblings say, checked and laid out as columns."""

import math
import uuid
from collections.abc import Sequence
from operator import lt
from typing import Any

from apps.tracking.metrics.batch import Batch, ModelPoint, Series
from apps.tracking.mlflow.bodies import AnyMetric, RawMetric, RawPair, check_counts, decode, decode_point
from maestro import limits
from maestro.errors import Invalid, NotFound
from maestro.mlflow import fields as read


def run_uuid(text: Any) -> uuid.UUID:
    """Read a run's id. Raises NotFound for text that can't be one, so that a guess and a miss sound the same."""
    if not isinstance(text, str):
        raise read.refuse("run_id", text, "it must be text")
    if len(text) in (32, 36):
        try:
            return uuid.UUID(text)
        except ValueError:
            pass
    raise NotFound(f"there is no run {text[:64]!r}", facts={"run": text[:64]})


def read_batch(body: bytes) -> Batch:
    """Read the body of log-batch. Raises Invalid naming the field, or NotFound for an impossible run id."""
    raw = decode(body)
    check_counts(len(raw.metrics), len(raw.params), len(raw.tags))
    batch = Batch(run_uuid(raw.run_id))
    batch.series = read_series(raw.metrics)
    batch.params = read_params(raw.params)
    batch.tags = read_tags(raw.tags)
    batch.of_models = [model_point(m) for m in raw.metrics if isinstance(m, RawMetric) and m.model_id]
    return batch


def read_point(body: bytes) -> Batch | None:
    """Read the body of log-metric, if it is plain and right."""
    raw = decode_point(body)
    if raw is None or not is_key(raw.key):
        return None
    return Batch(run_uuid(raw.run_id), [Series(raw.key, [raw.step], [raw.timestamp], [raw.value], True)])  # type: ignore[list-item]


def read_series(metrics: Sequence[AnyMetric]) -> list[Series]:
    """Group points by metric, sorted by name, exact duplicates once."""
    groups: dict[str, list[AnyMetric]] = {}
    for metric in metrics:
        group = groups.get(metric.key)
        if group is None:
            groups[metric.key] = [metric]
        else:
            group.append(metric)
    for key in groups:
        if not is_key(key):
            at = next(index for index, metric in enumerate(metrics) if metric.key == key)
            read.as_key(key, f"metrics[{at}].key")
    return [one_series(name, groups[name], metrics) for name in sorted(groups)]


def is_key(key: str) -> bool:
    """Say whether a name is allowed; who refuses it has to say where it stands."""
    return len(key) <= limits.KEY_CHARS and read.is_key(key)


def one_series(name: str, group: Sequence[AnyMetric], metrics: Sequence[AnyMetric]) -> Series:
    """Lay the points of one metric out as columns. Raises Invalid for a value that is no number."""
    if len(group) == 1 and isinstance(value := group[0].value, float):
        return Series(name, [group[0].step], [group[0].timestamp], [value], True)
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


def spelled(metric: AnyMetric, metrics: Sequence[AnyMetric]) -> float:
    """Read a value that was sent as text."""
    if isinstance(metric.value, float):
        return metric.value
    at = next(index for index, other in enumerate(metrics) if other is metric)
    return read.as_double(metric.value, f"metrics[{at}].value")


def read_params(pairs: list[RawPair]) -> dict[str, str]:
    """Read params; two of one key are refused, even if they are equal."""
    params: dict[str, str] = {}
    for index, pair in enumerate(pairs):
        key = pair.key if is_key(pair.key) else read.as_key(pair.key, f"params[{index}].key")
        if key in params:
            raise Invalid(f"Duplicate parameter keys have been submitted: ['{key}'].", "duplicate_param")
        params[key] = pair.value[: limits.PARAM_VALUE_CHARS]
    return dict(sorted(params.items()))


def read_tags(pairs: list[RawPair]) -> dict[str, str]:
    """Read tags; of one key the last counts."""
    tags = {}
    for index, pair in enumerate(pairs):
        key = pair.key if is_key(pair.key) else read.as_key(pair.key, f"tags[{index}].key")
        tags[key] = pair.value[: limits.TAG_VALUE_CHARS]
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
