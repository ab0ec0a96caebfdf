"""The tracking room's MLflow door: how evaluation datasets are written on the wire: much of them is JSON within text."""

from collections.abc import Iterable
from typing import Any

from apps.tracking.evaluation_datasets import GivenRecord, digest_of
from apps.tracking.mlflow.trace_fields import notes
from apps.tracking.models import EvaluationDataset, EvaluationRecord
from maestro import limits
from maestro.api import json
from maestro.errors import Invalid
from maestro.mlflow import fields as read
from maestro.mlflow.answers import without_nulls
from maestro.mlflow.views import dump

SOURCE_TYPES = ("UNSPECIFIED", "TRACE", "HUMAN", "DOCUMENT", "CODE")


def read_json(fields: dict[str, Any], name: str) -> Any:
    """Read JSON that travels as text. Raises Invalid naming the field."""
    text = read.text(fields, name, limits.JSON_BODY_BYTES)
    try:
        return json.loads(text.encode(), limits.RECORD_ITEMS)
    except Invalid as error:
        raise read.refuse(name, text, f"it must be JSON: {error.detail}") from error


def read_json_notes(fields: dict[str, Any], name: str) -> dict[str, str]:
    """Read a map of text to text that travels as text; what is null is left out."""
    if fields.get(name) in (None, ""):
        return {}
    given = read_json(fields, name)
    if isinstance(given, dict):
        given = {key: value for key, value in given.items() if value is not None}
    return notes({name: given}, name, "")


def read_records(fields: dict[str, Any]) -> list[GivenRecord]:
    """Read records."""
    rows = read.rows({"records": read_json(fields, "records")}, "records", limits.EVALUATION_RECORDS)
    return [read_record(row, f"records[{index}].") for index, row in enumerate(rows)]


def read_record(row: dict[str, Any], at: str) -> GivenRecord:
    """Read one record."""
    inputs = row.get("inputs")
    if inputs is None:
        raise read.missing(at + "inputs")
    for name in ("inputs", "expectations", "source"):
        if row.get(name) is not None and not isinstance(row[name], dict):
            raise read.refuse(at + name, row[name], "it must be an object")
    return GivenRecord(
        inputs=inputs,
        outputs=row.get("outputs"),
        expectations=row.get("expectations"),
        tags=notes(row, "tags", at),
        source=read_source(row["source"], at + "source.") if row.get("source") is not None else None,
        given=frozenset(row),
    )


def given_or(fields: dict[str, Any], name: str, default: Any) -> Any:
    """Read what is given, or what stands for nothing."""
    return default if fields.get(name) is None else fields[name]


def read_source(source: dict[str, Any], at: str) -> dict[str, Any]:
    """Read where a record comes from."""
    kind = read.as_text(given_or(source, "source_type", SOURCE_TYPES[0]), at + "source_type", 30).upper()
    if kind not in SOURCE_TYPES:
        raise read.refuse(at + "source_type", kind, "it must be one of " + ", ".join(SOURCE_TYPES))
    data = given_or(source, "source_data", {})
    if not isinstance(data, dict):
        raise read.refuse(at + "source_data", data, "it must be an object")
    return {"source_type": kind, "source_data": data}


def dataset_info(dataset: EvaluationDataset, experiments: Iterable[int] = ()) -> dict[str, Any]:
    """Lay a dataset out as MLflow clients read it."""
    count = dataset.record_count
    return without_nulls(
        {
            "dataset_id": dataset.pk,
            "name": dataset.name,
            "tags": dump(dataset.tags).decode(),
            "schema": None if dataset.schema is None else dump(dataset.schema).decode(),
            "profile": dump({"num_records": count}).decode() if count else None,
            "digest": digest_of(dataset),
            "created_time": dataset.created_ms,
            "last_update_time": dataset.updated_ms,
            "created_by": dataset.created_by or None,
            "last_updated_by": dataset.updated_by or None,
            "experiment_ids": [str(number) for number in experiments],
        }
    )


def record_info(row: EvaluationRecord) -> dict[str, Any]:
    """Lay a record out as MLflow clients read it."""
    data = (row.source or {}).get("source_data", {})
    return without_nulls(
        {
            "dataset_record_id": row.pk,
            "dataset_id": row.dataset_id,
            "inputs": row.inputs,
            "outputs": row.outputs,
            "expectations": row.expectations,
            "tags": row.tags,
            "source": row.source,
            "source_id": data.get("trace_id") or data.get("source_id"),
            "source_type": None if row.source is None else row.source["source_type"],
            "created_time": row.created_ms,
            "last_update_time": row.updated_ms,
            "created_by": row.created_by or None,
            "last_updated_by": row.updated_by or None,
        }
    )
