"""The tracking room: a trace's file of spans, as the mlflow client uploads it -> spans as OpenTelemetry writes them in JSON.

What somebody uploaded is never trusted to have any shape.
Source  traces.json of MLflow 3 (Span.to_dict); the protobuf JSON mapping of opentelemetry.proto.trace.v1.Span
"""

import base64
import re
from collections.abc import Iterable
from typing import Any

from django.db.models import Sum

from apps.tracking.files import blobs
from apps.tracking.models import Trace, TraceFile
from maestro import limits
from maestro.api import json
from maestro.errors import Invalid, MaestroError, NotFound, TooLarge
from maestro.mlflow.answers import number

FILE = "traces.json"
HEX = re.compile(r"(?:[0-9a-f]{2}){1,16}")
DEEPEST = 32
COPIED = ("trace_id", "span_id", "parent_span_id", "name")
TIMES = ("start_time_unix_nano", "end_time_unix_nano")
CODES = ("STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR")


def read(trace: Trace) -> list[dict[str, Any]]:
    """Read a trace's spans as they were uploaded. Raises NotFound before they are uploaded, TooLarge or Invalid for what can't be shown."""
    row = trace.files.select_related("blob").filter(path=FILE).first()
    if row is None:
        raise NotFound(f"Trace with ID '{trace.pk}' has no spans yet")
    if row.blob.size_bytes > limits.JSON_BODY_BYTES:
        raise TooLarge(f"the spans of {trace.pk} are too large to be shown: download {FILE}", "spans_too_large")
    document = json.loads(b"".join(blobs.read(row.blob)), limits.RECORD_ITEMS)
    if not isinstance(document, dict) or not isinstance(document.get("spans"), list):
        raise Invalid(f"the spans of {trace.pk} are not in order: download {FILE}", "bad_spans")
    return listed(document["spans"])


def weight(traces: Iterable[Trace]) -> int:
    """How many bytes have to be read to show the spans of some traces; what is too large to be shown is not read."""
    rows = TraceFile.objects.filter(trace__in=traces, path=FILE, blob__size_bytes__lte=limits.JSON_BODY_BYTES)
    return rows.aggregate(bytes=Sum("blob__size_bytes"))["bytes"] or 0


def load(trace: Trace) -> list[dict[str, Any]]:
    """Read a trace's spans as OpenTelemetry writes them. Raises the same."""
    return [as_otel(span) for span in read(trace)]


def load_or_none(trace: Trace) -> list[dict[str, Any]]:
    """Read a trace's spans; none where they can't be shown."""
    try:
        return load(trace)
    except MaestroError:
        return []


def as_otel(span: dict[str, Any]) -> dict[str, Any]:
    """Write one span."""
    told: dict[str, Any] = {name: span[name] for name in COPIED if isinstance(span.get(name), str)}
    told |= {name: str(span[name]) for name in TIMES if is_time(span.get(name))}
    told["attributes"] = pairs(span.get("attributes"), is_dumped=True)
    told["events"] = [event(item) for item in listed(span.get("events"))]
    told["links"] = [link(item) for item in listed(span.get("links"))]
    status = span.get("status")
    if isinstance(status, dict) and status.get("code") in CODES:
        message = status.get("message")
        told["status"] = {"code": status["code"]} | ({"message": message} if isinstance(message, str) else {})
    return told


def listed(value: Any) -> list[dict[str, Any]]:
    """Read a list of objects, leaving out what is none."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def is_time(value: Any) -> bool:
    """Say whether a value is nanoseconds that fit 64 bits."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= limits.INT64_MAX


def event(item: dict[str, Any]) -> dict[str, Any]:
    """Write what happened within a span."""
    told: dict[str, Any] = {"attributes": pairs(item.get("attributes"), is_dumped=False)}
    if isinstance(item.get("name"), str):
        told["name"] = item["name"]
    if is_time(item.get("time_unix_nano")):
        told["time_unix_nano"] = str(item["time_unix_nano"])
    return told


def link(item: dict[str, Any]) -> dict[str, Any]:
    """Write a link to another span: its ids are hex in the file and base64 on the wire."""
    told: dict[str, Any] = {"attributes": pairs(item.get("attributes"), is_dumped=False)}
    for name in ("trace_id", "span_id"):
        digits = str(item.get(name, "")).removeprefix("tr-")
        if HEX.fullmatch(digits):
            told[name] = base64.b64encode(bytes.fromhex(digits)).decode()
    return told


def pairs(attributes: Any, *, is_dumped: bool) -> list[dict[str, Any]]:
    """Write attributes; those of spans hold JSON in text."""
    if not isinstance(attributes, dict):
        return []
    return [
        {"key": key, "value": any_value(undumped(value) if is_dumped else value)} for key, value in attributes.items()
    ]


def undumped(value: Any) -> Any:
    """Read JSON in text; what is none stays text."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value.encode())
    except MaestroError:
        return value


def any_value(value: Any, depth: int = 0) -> dict[str, Any]:
    """Write OpenTelemetry's AnyValue. What is nested too deeply is left out."""
    if value is None or depth > DEEPEST:
        return {}
    if isinstance(value, list):
        return {"array_value": {"values": [any_value(item, depth + 1) for item in value]}}
    if isinstance(value, dict):
        entries = [{"key": key, "value": any_value(item, depth + 1)} for key, item in value.items()]
        return {"kvlist_value": {"values": entries}}
    return scalar(value)


def scalar(value: bool | int | float | str) -> dict[str, Any]:
    """Write a plain AnyValue."""
    if isinstance(value, bool):
        return {"bool_value": value}
    if isinstance(value, int):
        return {"int_value": str(value)}
    if isinstance(value, float):
        return {"double_value": number(value)}
    return {"string_value": value}
