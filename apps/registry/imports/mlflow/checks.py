"""The registry room: what an MLflow source says, checked field by field. Raises Invalid by the field's name. Pure."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from apps.registry.imports import fit
from apps.registry.imports.mlflow.given import GivenExperiment, GivenModel, GivenRegistered, GivenRun, GivenVersion
from apps.registry.stages import STAGES
from apps.tracking.runs.inputs import GivenDataset
from apps.tracking.traces.assessments import GivenAssessment
from apps.tracking.traces.recording import SOURCE_RUN, GivenTrace
from maestro import limits
from maestro.clock import to_ms
from maestro.errors import Invalid

STATUSES = {"1": "RUNNING", "2": "SCHEDULED", "3": "FINISHED", "4": "FAILED", "5": "KILLED"}
MODEL_STATUSES = {"1": "LOGGED_MODEL_PENDING", "2": "LOGGED_MODEL_READY", "3": "LOGGED_MODEL_UPLOAD_FAILED"}
TRACE_STATES = ("STATE_UNSPECIFIED", "OK", "ERROR", "IN_PROGRESS")
NAME_TAG, USER_TAG = "mlflow.runName", "mlflow.user"
ID = re.compile(r"[A-Za-z0-9][\w.-]{0,255}")
Raw = Mapping[str, Any]


def identity(value: object, field: str) -> str:
    """Read an id. Raises Invalid."""
    read = fit.text(value, 256, field)
    if not ID.fullmatch(read):
        raise Invalid(f"{field} is no id: {read[:60]!r}", "bad_id")
    return read


def one_of(value: object, names: Mapping[str, str], field: str) -> str:
    """Read a status, by its name or its number. Raises Invalid for one that is not known."""
    read = str(value)
    read = names.get(read, read)
    if read not in names.values():
        raise Invalid(f"{field} is not known: {read[:60]!r}", "unknown_status")
    return read


def is_deleted(raw: Raw) -> bool:
    """Read whether something is in the trash. Raises Invalid."""
    stage = raw.get("lifecycle_stage") or "active"
    if stage not in ("active", "deleted"):
        raise Invalid(f"lifecycle_stage is not known: {str(stage)[:60]!r}", "unknown_status")
    return bool(stage == "deleted")


def experiment(raw: Raw, tags: Raw) -> GivenExperiment:
    """Read an experiment."""
    name = fit.text(raw.get("name"), limits.EXPERIMENT_NAME_CHARS, "name")
    if not name:
        raise Invalid("name is empty", "empty_name")
    created = fit.moment(raw.get("creation_time") or 0, "creation_time")
    return GivenExperiment(
        identity(raw.get("experiment_id"), "experiment_id"),
        name,
        created,
        max(created, fit.moment(raw.get("last_update_time") or created, "last_update_time")),
        is_deleted(raw),
        fit.pairs(tags, limits.EXPERIMENT_TAG_VALUE_CHARS, "tags"),
    )


def run(raw: Raw, params: Raw, tags: Raw) -> GivenRun:
    """Read a run, without its metrics and inputs."""
    noted = fit.pairs(tags, limits.TAG_VALUE_CHARS, "tags")
    run_id = identity(raw.get("run_id") or raw.get("run_uuid"), "run_id")
    name = fit.text(raw.get("run_name"), limits.TAG_VALUE_CHARS, "run_name") or noted.get(NAME_TAG) or run_id
    return GivenRun(
        run_id,
        name,
        fit.text(raw.get("user_id"), limits.NAME_CHARS, "user_id") or noted.get(USER_TAG, "")[: limits.NAME_CHARS],
        one_of(raw.get("status"), STATUSES, "status"),
        fit.moment(raw.get("start_time") or 0, "start_time"),
        fit.moment_or_none(raw.get("end_time") or None, "end_time"),
        is_deleted(raw),
        fit.text(raw.get("artifact_uri"), limits.TEXT_CHARS, "artifact_uri"),
        fit.pairs(params, limits.PARAM_VALUE_CHARS, "params"),
        noted | {NAME_TAG: name},
    )


def dataset(raw: Raw, tags: Raw) -> GivenDataset:
    """Read a dataset that a run read."""
    digest = fit.text(raw.get("digest"), 36, "digest")
    name = fit.text(raw.get("name"), 500, "name")
    parts = {part: fit.text(raw.get(part), 2**24, part) for part in ("source_type", "source", "schema", "profile")}
    return GivenDataset(name=name, digest=digest, tags=fit.pairs(tags, 500, "tags"), **parts)


def model(raw: Raw, params: Raw, tags: Raw) -> GivenModel:
    """Read a logged model, without its metrics."""
    created = fit.moment(first(raw, "creation_timestamp_ms", "creation_timestamp"), "creation_timestamp")
    updated = first(raw, "last_updated_timestamp_ms", "last_updated_timestamp") or created
    return GivenModel(
        identity(raw.get("model_id"), "model_id"),
        fit.text(raw.get("name"), 500, "name") or "model",
        fit.text(raw.get("model_type"), 500, "model_type"),
        one_of(raw.get("status"), MODEL_STATUSES, "status"),
        fit.text(raw.get("source_run_id"), 64, "source_run_id"),
        created,
        fit.moment(updated, "last_updated_timestamp"),
        is_deleted(raw),
        fit.text(first(raw, "artifact_uri", "artifact_location"), limits.TEXT_CHARS, "artifact_uri"),
        fit.pairs(params, limits.MODEL_PARAM_VALUE_CHARS, "params"),
        fit.pairs(tags, limits.REGISTRY_TAG_VALUE_CHARS, "tags"),
    )


def registered(raw: Raw, tags: Raw, aliases: Raw) -> GivenRegistered:
    """Read a registered model, without its versions."""
    created = fit.moment(first(raw, "creation_timestamp", "creation_time") or 0, "creation_timestamp")
    updated = first(raw, "last_updated_timestamp", "last_updated_time") or created
    name = fit.text(raw.get("name"), limits.NAME_CHARS, "name")
    if not name:
        raise Invalid("name is empty", "empty_name")
    return GivenRegistered(
        name,
        created,
        fit.moment(updated, "last_updated_timestamp"),
        fit.text(raw.get("description"), limits.TEXT_CHARS, "description"),
        fit.pairs(tags, limits.REGISTRY_TAG_VALUE_CHARS, "tags"),
        {fit.key(name, "aliases"): number_of(version) for name, version in aliases.items()},
    )


def version(raw: Raw, tags: Raw) -> GivenVersion:
    """Read a version of a registered model."""
    created = fit.moment(first(raw, "creation_timestamp", "creation_time") or 0, "creation_timestamp")
    updated = first(raw, "last_updated_timestamp", "last_updated_time") or created
    source = fit.text(raw.get("source"), 2_000, "source")
    return GivenVersion(
        number_of(raw.get("version")),
        created,
        fit.moment(updated, "last_updated_timestamp"),
        fit.text(raw.get("description"), limits.TEXT_CHARS, "description"),
        one_of(raw.get("current_stage") or "None", {stage: stage for stage in STAGES}, "current_stage"),
        source,
        fit.text(raw.get("storage_location"), 2_000, "storage_location") or source,
        fit.text(raw.get("run_id"), 64, "run_id"),
        fit.text(raw.get("run_link"), limits.TEXT_CHARS, "run_link"),
        fit.text(raw.get("model_id"), 64, "model_id"),
        fit.pairs(tags, limits.REGISTRY_TAG_VALUE_CHARS, "tags"),
    )


def number_of(value: object) -> int:
    """Read a version's number. Raises Invalid."""
    return fit.integer(value, "version", least=1, most=999_999_999)


def first(raw: Raw, *names: str) -> Any:
    """The first of some fields that is said."""
    return next((raw[name] for name in names if raw.get(name) is not None), None)


def time_of(value: object, field: str) -> int:
    """Read a time as RFC 3339 or in milliseconds. Raises Invalid."""
    if isinstance(value, str) and "T" in value:
        try:
            return fit.moment(to_ms(datetime.fromisoformat(value)), field)
        except (ValueError, TypeError) as error:
            raise Invalid(f"{field} is no time: {value[:60]!r}", "bad_time") from error
    return fit.moment(value, field)


def trace(raw: Raw, metadata: Raw, tags: Raw, assessments: list[GivenAssessment]) -> GivenTrace:
    """Read a trace's info."""
    duration = raw.get("execution_duration_ms")
    said = fit.pairs(metadata, limits.TEXT_CHARS, "metadata")
    if len(assessments) > limits.TRACE_ASSESSMENTS:
        raise Invalid(f"it has more than {limits.TRACE_ASSESSMENTS} assessments", "too_many_items")
    return GivenTrace(
        trace_id=fit.text(identity(raw.get("trace_id"), "trace_id"), limits.TRACE_ID_CHARS, "trace_id"),
        experiment_id=0,
        request_ms=time_of(raw.get("request_time"), "request_time"),
        duration_ms=None if duration is None else fit.integer(duration, "execution_duration", least=0),
        state=one_of(raw.get("state") or "STATE_UNSPECIFIED", {name: name for name in TRACE_STATES}, "state"),
        client_request_id=fit.text(raw.get("client_request_id"), limits.NAME_CHARS, "client_request_id"),
        request_preview=fit.text(raw.get("request_preview"), limits.TRACE_PREVIEW_CHARS, "request_preview"),
        response_preview=fit.text(raw.get("response_preview"), limits.TRACE_PREVIEW_CHARS, "response_preview"),
        metadata={name: value for name, value in said.items() if name != SOURCE_RUN or len(value) <= 32},
        tags=fit.pairs(tags, limits.REGISTRY_TAG_VALUE_CHARS, "tags"),
        assessments=assessments,
    )


def assessment(raw: Raw) -> GivenAssessment:
    """Read an assessment as MLflow's answers and files write it."""
    kind = "expectation" if raw.get("expectation") is not None else "feedback"
    said = raw.get(kind) or {}
    if not isinstance(said, Mapping):
        raise Invalid(f"{kind} is no mapping", "bad_mapping")
    source = raw.get("source") or {}
    return GivenAssessment(
        name=fit.key(raw.get("assessment_name"), "assessment_name"),
        kind=kind,
        value=value_of(said),
        source_type=fit.text(source.get("source_type"), 30, "source_type"),
        source_id=fit.text(source.get("source_id"), limits.NAME_CHARS, "source_id"),
        identity=fit.text(raw.get("assessment_id"), limits.TRACE_ID_CHARS, "assessment_id"),
        error=said.get("error"),
        rationale=fit.text(raw.get("rationale"), limits.TEXT_CHARS, "rationale"),
        metadata=fit.pairs(raw.get("metadata") or {}, limits.TEXT_CHARS, "metadata"),
        span_id=fit.text(raw.get("span_id"), limits.TRACE_ID_CHARS, "span_id"),
        overrides=fit.text(raw.get("overrides"), limits.TRACE_ID_CHARS, "overrides"),
        created_ms=time_of(raw.get("create_time"), "create_time"),
        is_valid=raw.get("valid") is not False,
    )


def value_of(said: Raw) -> Any:
    """Read what an assessment says: plain, or as JSON in a text. Raises Invalid."""
    packed = said.get("serialized_value")
    if packed is None:
        return said.get("value")
    return fit.document(packed.get("value") if isinstance(packed, Mapping) else packed, "serialized_value")
