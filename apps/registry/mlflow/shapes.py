"""The registry room's MLflow door: rows as MLflow's clients read them."""

from collections.abc import Iterable
from typing import Any

from apps.registry.models import Artifact, ArtifactVersion, LoggedModel
from apps.tracking.models import ModelMetric
from maestro.mlflow.answers import number, without_nulls


def pairs(values: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    """Write keys and values as MLflow does."""
    return [{"key": key, "value": value} for key, value in values]


def version_json(version: ArtifactVersion) -> dict[str, Any]:
    """Write a model version."""
    return without_nulls(
        {
            "name": version.artifact.name,
            "version": str(version.number),
            "creation_timestamp": version.created_ms,
            "last_updated_timestamp": version.updated_ms,
            "user_id": version.created_by,
            "current_stage": version.stage,
            "description": version.description,
            "source": version.source or version.download_uri,
            "run_id": version.run_hex,
            "model_id": version.logged_model.model_id if version.logged_model else None,
            "status": "READY",
            "run_link": version.run_link,
            "tags": pairs((tag.key, tag.value) for tag in version.tags.all()),
            "aliases": sorted(alias.name for alias in version.aliases.all()),
        }
    )


def model_json(artifact: Artifact, latest: list[ArtifactVersion]) -> dict[str, Any]:
    """Write a registered model."""
    return without_nulls(
        {
            "name": artifact.name,
            "creation_timestamp": artifact.created_ms,
            "last_updated_timestamp": artifact.updated_ms,
            "description": artifact.description,
            "latest_versions": [version_json(version) for version in latest],
            "tags": pairs((tag.key, tag.value) for tag in artifact.tags.all()),
            "aliases": [{"alias": a.name, "version": str(a.version.number)} for a in artifact.aliases.all()],
        }
    )


def metric_json(metric: ModelMetric) -> dict[str, Any]:
    """Write a logged model's metric."""
    return without_nulls(
        {
            "key": metric.key,
            "value": number(metric.value),
            "timestamp": metric.timestamp_ms,
            "step": metric.step,
            "model_id": metric.model_id,
            "run_id": metric.run_id.hex,
            "dataset_name": metric.dataset_name or None,
            "dataset_digest": metric.dataset_digest or None,
        }
    )


def logged_json(model: LoggedModel, metrics: list[ModelMetric]) -> dict[str, Any]:
    """Write a logged model."""
    info = {
        "model_id": model.model_id,
        "experiment_id": str(model.experiment_id),
        "name": model.name,
        "creation_timestamp_ms": model.created_ms,
        "last_updated_timestamp_ms": model.updated_ms,
        "artifact_uri": model.artifact_uri,
        "status": model.status,
        "model_type": model.model_type or None,
        "source_run_id": model.source_run_id or None,
        "tags": pairs(sorted(model.tags.items())),
    }
    data = {"params": pairs(sorted(model.params.items())), "metrics": [metric_json(metric) for metric in metrics]}
    return {"info": without_nulls(info), "data": without_nulls(data)}
