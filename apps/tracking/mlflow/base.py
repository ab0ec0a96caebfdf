"""The tracking room's MLflow door: what its calls share."""

from typing import Any
from uuid import UUID

from apps.tracking.experiments import Told
from apps.tracking.mlflow.batches import run_uuid
from apps.tracking.refusals import no_experiment
from maestro import limits
from maestro.api.permissions import reading_and_writing
from maestro.mlflow import fields as read
from maestro.mlflow.answers import without_nulls
from maestro.mlflow.views import MlflowView


class TrackingView(MlflowView):
    """One call on tracking: viewers look, contributors write."""

    required_role = reading_and_writing()

    def run_in(self, fields: dict[str, Any]) -> UUID:
        """Read the run's id. Raises Invalid if there is none."""
        return run_uuid(fields.get("run_id") or read.text(fields, "run_uuid" if "run_uuid" in fields else "run_id"))


def experiment_number(fields: dict[str, Any], default: int | None = None) -> int:
    """Read an experiment's number, which travels as text. What can't be one is answered as not there."""
    value = fields.get("experiment_id")
    if value is None or value == "":
        if default is None:
            raise read.missing("experiment_id")
        return default
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str):
        raise read.refuse("experiment_id", value, "it must be text")
    return as_experiment_number(text)


def as_experiment_number(text: str) -> int:
    """Turn text into an experiment's number. Raises NotFound for what can't be one."""
    if not text.isdecimal() or not text.isascii() or len(text) > 19 or int(text) > limits.INT64_MAX:
        raise no_experiment(text)
    return int(text)


def experiment_info(told: Told) -> dict[str, Any]:
    """Lay out an experiment as MLflow clients read it."""
    return without_nulls(
        {
            "experiment_id": str(told.id),
            "name": told.name,
            "artifact_location": told.location or f"mlflow-artifacts:/{told.id}",
            "lifecycle_stage": "active" if told.deleted_ms is None else "deleted",
            "creation_time": told.created_ms,
            "last_update_time": told.updated_ms,
            "tags": told.tags,
        }
    )
