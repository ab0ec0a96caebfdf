"""The tracking room's MLflow door: how traces and assessments are written on the wire, in and out.

Source  the protobuf JSON mapping: timestamps are RFC 3339, durations are seconds with an s
"""

import re
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any

import orjson

from apps.tracking.mlflow.base import as_experiment_number
from apps.tracking.models import Assessment, Trace
from apps.tracking.refusals import no_experiment
from apps.tracking.traces.assessments import GivenAssessment
from apps.tracking.traces.recording import LOCATION_TAG, GivenTrace
from maestro import limits
from maestro.api import json
from maestro.clock import from_ms, to_ms
from maestro.errors import AlreadyExists, Invalid
from maestro.mlflow import fields as read
from maestro.mlflow.answers import without_nulls
from maestro.mlflow.views import snake_case

TRACE_ID = re.compile(r"[A-Za-z0-9][\w-]*", re.ASCII)
# The last parts of addresses that stand where an id would.
NOT_IDS = frozenset({"get", "search", "batchGet", "batchGetInfos", "metrics", "delete-traces", "link-to-run"})
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)")
DURATION = re.compile(r"\d{1,12}(?:\.\d{1,9})?s")
SOURCE_TYPES = ("HUMAN", "LLM_JUDGE", "CODE", "SOURCE_TYPE_UNSPECIFIED")
STATES = tuple(Trace.State.values)
JSON_FORMAT = "JSON_FORMAT"


def part(fields: dict[str, Any], name: str, at: str) -> dict[str, Any]:
    """Read a required object within another."""
    value = fields.get(name)
    if value is None:
        raise read.missing(at + name)
    if not isinstance(value, dict):
        raise read.refuse(at + name, value, "it must be an object")
    return snake_case(value)


def as_identity(value: Any, name: str) -> str:
    """Read an id that a client made."""
    text = read.as_text(value, name, limits.TRACE_ID_CHARS)
    if not TRACE_ID.fullmatch(text) or text in NOT_IDS:
        raise read.refuse(name, value, "it must be letters, digits, _ and -")
    return text


def as_time(value: Any, name: str) -> int:
    """Read a timestamp as milliseconds."""
    text = read.as_text(value, name, 40)
    if not TIME.fullmatch(text):
        raise read.refuse(name, value, "it must be a time like 2026-01-31T09:00:00.5Z")
    try:
        return read.as_time_ms(to_ms(datetime.fromisoformat(text)), name)
    except (ValueError, OverflowError) as error:
        raise read.refuse(name, value, "there is no such time") from error


def as_duration(value: Any, name: str) -> int:
    """Read a duration as milliseconds."""
    text = read.as_text(value, name, 40)
    if not DURATION.fullmatch(text):
        raise read.refuse(name, value, "it must be seconds like 1.5s")
    return read.as_time_ms(int(Decimal(text[:-1]) * 1000), name)


def notes(fields: dict[str, Any], name: str, at: str) -> dict[str, str]:
    """Read a map of text to text."""
    given = fields.get(name)
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise read.refuse(at + name, given, "it must be an object")
    if len(given) > limits.TRACE_NOTES:
        raise Invalid(f"{at}{name} takes at most {limits.TRACE_NOTES} entries; it has {len(given)}.", "too_many_items")
    for key, value in given.items():
        read_note(key, value, f"{at}{name}")
    return dict(given)


def read_note(key: Any, value: Any, at: str) -> tuple[str, str]:
    """Read one key and its value."""
    if key is None or key == "":
        raise read.missing(f"{at}.key")
    return read.as_text(key, f"{at}.key", limits.KEY_CHARS), read.as_text(
        value, f"{at}.{key[:60]}", limits.TAG_VALUE_CHARS
    )


def read_trace(fields: dict[str, Any]) -> GivenTrace:
    """Read a trace. Raises Invalid naming the field, NotFound for what can't be an experiment."""
    at = "trace.trace_info."
    info = part(part(fields, "trace", ""), "trace_info", "trace.")
    if info.get("request_time") in (None, ""):
        raise read.missing(at + "request_time")
    duration = info.get("execution_duration")
    items = read.rows(info, "assessments", limits.TRACE_ASSESSMENTS)
    assessments = [read_assessment(item, f"{at}assessments[{index}].") for index, item in enumerate(items)]
    refuse_twins(assessments, f"{at}assessments")
    return GivenTrace(
        trace_id=as_identity(read.text(info, "trace_id", limits.TEXT_CHARS), at + "trace_id"),
        experiment_id=read_location(part(info, "trace_location", at), at + "trace_location."),
        request_ms=as_time(info["request_time"], at + "request_time"),
        duration_ms=None if duration is None else as_duration(duration, at + "execution_duration"),
        state=read.choice(info, "state", STATES, STATES[0]) or STATES[0],
        client_request_id=read.text_or(info, "client_request_id", most=limits.NAME_CHARS),
        request_preview=read.text_or(info, "request_preview", most=limits.TRACE_PREVIEW_CHARS),
        response_preview=read.text_or(info, "response_preview", most=limits.TRACE_PREVIEW_CHARS),
        metadata=notes(info, "trace_metadata", at),
        tags=notes(info, "tags", at),
        assessments=assessments,
    )


def read_location(location: dict[str, Any], at: str) -> int:
    """Read the experiment out of a location. Raises Invalid for another kind of place."""
    kind = location.get("type", "MLFLOW_EXPERIMENT")
    if kind not in ("MLFLOW_EXPERIMENT", 1):
        raise read.refuse(at + "type", kind, "traces are kept in experiments: MLFLOW_EXPERIMENT")
    home = part(location, "mlflow_experiment", at)
    number = home.get("experiment_id")
    if number is None or number == "":
        raise read.missing(at + "mlflow_experiment.experiment_id")
    if not isinstance(number, str):
        raise no_experiment(number)
    return as_experiment_number(number)


def refuse_twins(assessments: Iterable[GivenAssessment], name: str) -> None:
    """Raise AlreadyExists if two assessments claim one id."""
    seen: set[str] = set()
    for item in assessments:
        if item.identity and item.identity in seen:
            raise AlreadyExists(f"{name}: the id {item.identity} stands there twice.")
        seen.add(item.identity)


def read_assessment(item: dict[str, Any], at: str) -> GivenAssessment:
    """Read an assessment."""
    item = snake_case(item)
    name = read.as_text(read.given(item, "assessment_name", at), at + "assessment_name", limits.KEY_CHARS)
    source = part(item, "source", at) if item.get("source") is not None else {}
    identities = {
        field: "" if item.get(field) in (None, "") else as_identity(item[field], at + field)
        for field in ("assessment_id", "overrides", "span_id")
    }
    if not isinstance(item.get("valid", True), bool):
        raise read.refuse(at + "valid", item["valid"], "it must be true or false")
    return GivenAssessment(
        name=name,
        source_type=read.choice(source, "source_type", SOURCE_TYPES, SOURCE_TYPES[-1]) or "",
        source_id=read.text_or(source, "source_id", most=limits.NAME_CHARS),
        identity=identities["assessment_id"],
        overrides=identities["overrides"],
        span_id=identities["span_id"],
        rationale=read.text_or(item, "rationale", most=limits.TEXT_CHARS),
        metadata=notes(item, "metadata", at),
        created_ms=None if item.get("create_time") is None else as_time(item["create_time"], at + "create_time"),
        is_valid=item.get("valid", True),
        **read_value(item, at),
    )


def read_value(item: dict[str, Any], at: str) -> dict[str, Any]:
    """Read what is said: feedback or an expectation. Raises Invalid unless there is exactly one."""
    kinds = [kind for kind in ("feedback", "expectation") if item.get(kind) is not None]
    if len(kinds) != 1:
        raise Invalid(f"{at}: exactly one of `expectation` or `feedback` should be specified.", "one_value")
    kind = kinds[0]
    said = part(item, kind, at)
    if kind == "expectation" and said.get("serialized_value") is not None:
        value = read_serialized(
            part(said, "serialized_value", f"{at}expectation."), f"{at}expectation.serialized_value."
        )
    else:
        value = said.get("value")
    if len(orjson.dumps(value)) > limits.TEXT_CHARS:
        raise Invalid(f"{at}{kind}.value is longer than {limits.TEXT_CHARS} bytes", "too_long")
    error = read_error(said, at) if kind == "feedback" else None
    if kind == "expectation" and value is None:
        raise read.missing(f"{at}expectation.value")
    return {"kind": kind, "value": value, "error": error}


def read_serialized(said: dict[str, Any], at: str) -> Any:
    """Read a value that travels as JSON in text."""
    if said.get("serialization_format", JSON_FORMAT) != JSON_FORMAT:
        raise read.refuse(at + "serialization_format", said["serialization_format"], f"it must be {JSON_FORMAT}")
    text = read.text(said, "value", limits.TEXT_CHARS)
    try:
        return json.loads(text.encode())
    except Invalid as error:
        raise read.refuse(at + "value", text, "it must be JSON") from error


def read_error(said: dict[str, Any], at: str) -> dict[str, str] | None:
    """Read why a judge gave no feedback."""
    if said.get("error") is None:
        return None
    error = part(said, "error", f"{at}feedback.")
    names = ("error_code", "error_message", "stack_trace")
    return {name: read.text_or(error, name) for name in names if error.get(name) is not None}


def time_text(ms: int) -> str:
    """Write a timestamp."""
    return from_ms(ms).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def trace_info(trace: Trace) -> dict[str, Any]:
    """Lay a trace out as MLflow clients read it."""
    duration = trace.duration_ms
    return {
        "trace_id": trace.pk,
        "trace_location": {
            "type": "MLFLOW_EXPERIMENT",
            "mlflow_experiment": {"experiment_id": str(trace.experiment_id)},
        },
        "request_time": time_text(trace.request_ms),
        "state": trace.state,
        "trace_metadata": trace.metadata,
        "tags": trace.tags | {LOCATION_TAG: trace.artifact_uri},
    } | without_nulls(
        {
            "execution_duration": None if duration is None else f"{duration // 1000}.{duration % 1000:03d}s",
            "client_request_id": trace.client_request_id or None,
            "request_preview": trace.request_preview or None,
            "response_preview": trace.response_preview or None,
            "assessments": [assessment_info(item) for item in trace.assessments.all()],
        }
    )


def assessment_info(item: Assessment) -> dict[str, Any]:
    """Lay an assessment out as MLflow clients read it."""
    if item.kind == Assessment.Kind.FEEDBACK:
        said: dict[str, Any] = {"value": item.value} | ({"error": item.error} if item.error is not None else {})
    elif isinstance(item.value, dict | list):
        text = orjson.dumps(item.value).decode()
        said = {"serialized_value": {"serialization_format": JSON_FORMAT, "value": text}}
    else:
        said = {"value": item.value}
    return {
        "assessment_id": item.identity,
        "assessment_name": item.name,
        "trace_id": item.trace_id,
        "source": {"source_type": item.source_type, "source_id": item.source_id},
        "create_time": time_text(item.created_ms),
        "last_update_time": time_text(item.updated_ms),
        "valid": item.is_valid,
        item.kind: said,
    } | without_nulls(
        {
            "span_id": item.span_id or None,
            "rationale": item.rationale or None,
            "metadata": item.metadata or None,
            "overrides": item.overrides or None,
        }
    )
