"""MLflow's door to tracking: the body of log-batch and its single siblings, decoded strictly.

A well-formed body is decoded straight into structs. Whatever that reader refuses is read again, slowly, by the
strict reader, which accepts MLflow's looser spellings or names the field that is wrong.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import msgspec

from maestro import limits
from maestro.errors import Invalid
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


class PlainMetric(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """A metric as most clients write it: with a step, and of no model."""

    key: str
    value: float | str
    timestamp: TimeMs
    step: Int64
    model_id: ClassVar[str] = ""


class PlainBatch(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """The same of a whole batch."""

    run_id: str
    metrics: list[PlainMetric] = []
    params: list[RawPair] = []
    tags: list[RawPair] = []


class PlainPoint(PlainMetric, forbid_unknown_fields=True, gc=False, kw_only=True):
    """The same of log-metric."""

    run_id: str
    run_uuid: str = ""


AnyMetric = RawMetric | PlainMetric
DECODER = msgspec.json.Decoder(RawBatch)
PLAIN_DECODER, POINT_DECODER = msgspec.json.Decoder(PlainBatch), msgspec.json.Decoder(PlainPoint)
REFUSALS = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
NAMES = (b'"key"', b'"value"', b'"timestamp"', b'"step"')
LISTS = (b'"run_id"', b'"metrics"', b'"params"', b'"tags"')
SMALL_BYTES = 2_048  # below it every name is counted exactly, so that one that stands twice is seen
# NUL and half a character are refused, and a name may be spelled with escapes.
ESCAPES = re.compile(rb"\\u(00[0-7]|[dD])")
# A whole number may be beyond 64 bits. Digits behind a point are no matter: doubles are often spelled with so many.
SHAPES, HUGE = bytes.maketrans(b"123456789,[- \t\r\n", b"000000000:::::::"), b":" + b"0" * 19


def is_plain(body: bytes) -> bool:
    """Say whether no name can be spelled with escapes, and no whole number is beyond 64 bits."""
    return b"\\" not in body and HUGE not in body.translate(SHAPES)


def decode_point(body: bytes) -> PlainPoint | None:
    """Decode the body of log-metric, if it is plain and right; the strict reader has to look at any other."""
    if len(body) > SMALL_BYTES or not is_plain(body) or body.count(b'"run_uuid"') > 1:
        return None
    try:
        raw = POINT_DECODER.decode(body)
    except REFUSALS:
        return None
    is_exact = all(body.count(name) == 1 for name in (*NAMES, LISTS[0]))
    return raw if is_exact and raw.run_id and isinstance(raw.value, float) else None


def decode_plain(body: bytes) -> PlainBatch | None:
    """Decode a small body if each name stands where it must and nowhere else."""
    if not is_plain(body):
        return None
    try:
        raw = PLAIN_DECODER.decode(body)
    except REFUSALS:
        return None
    metrics, all_rows = len(raw.metrics), len(raw.metrics) + len(raw.params) + len(raw.tags)
    counted = zip(NAMES, (all_rows, all_rows, metrics, metrics), strict=True)
    is_exact = all(body.count(name) == count for name, count in counted)
    return raw if raw.run_id and is_exact and all(body.count(name) <= 1 for name in LISTS) else None


def decode(body: bytes) -> RawBatch | PlainBatch:
    """Decode fast what is plain; read the rest slowly."""
    if len(body) <= SMALL_BYTES:
        return decode_plain(body) or decode_slowly(body)
    if len(body) <= limits.JSON_BODY_BYTES and not ESCAPES.search(body):
        try:
            raw = DECODER.decode(body)
        except REFUSALS:
            return decode_slowly(body)
        pairs = len(raw.params) + len(raw.tags)
        most = (len(raw.metrics) + pairs, len(raw.metrics) + pairs, len(raw.metrics), len(raw.metrics))
        are_once = all(body.count(name) <= count for name, count in zip(NAMES, most, strict=True))
        # A step may be left out. Where some do so, one that stands twice in another would be hard to see.
        steps = body.count(NAMES[3]) in {0, len(raw.metrics)}
        if are_once and steps and all(body.count(name) <= 1 for name in LISTS):
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
        0 if item.get("step") is None else read.as_integer(item["step"], at + "step"),
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
    """Say in MLflow's words that a batch is too long."""
    return Invalid(
        f"A batch logging request can contain at most {most} {name}. Got {count} {name}. "
        f"Please split up {name} across multiple requests and try again.",
        "too_many_items",
    )
