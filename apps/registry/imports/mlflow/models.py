"""The registry room: logged models of an MLflow source, with their files and what was measured of them."""

from typing import Any
from uuid import UUID

from django.db import transaction

from apps.registry.actions import Act
from apps.registry.imports import contents
from apps.registry.imports.mlflow.given import GivenModel, Source
from apps.registry.imports.mlflow.identities import Identities
from apps.registry.imports.mlflow.runs import files_at
from apps.registry.imports.report import Report
from apps.registry.models import Edge, LoggedModel, LoggedModelFile
from apps.tenants.access.audit.recording import record
from apps.tracking.models import Experiment, ModelMetric, Run
from maestro.principals import Actor

KIND = "logged model"


def bring(
    given: GivenModel, home: Experiment, source: Source, identities: Identities, report: Report, *, by: Actor, now: int
) -> None:
    """Take in a logged model, and compare it with what is here then."""
    identity = identities.model_ids([given.id])[given.id]
    report.map(KIND, given.id, f"m-{identity.hex}")
    known = {row.path: row.blob for row in LoggedModelFile.objects.filter(model=identity).select_related("blob")}
    listed = files_at(source, "model", given.id, given.place, report)
    brought = contents.bring(listed, known, report, f"logged model {given.id}", project=home.project)
    runs = identities.run_ids({given.run_id, *(figure.run_id for figure in given.figures)} - {""})
    with transaction.atomic():
        model, is_new = LoggedModel.objects.get_or_create(pk=identity, defaults=columns_of(given, home, runs, now))
        rows = [LoggedModelFile(model=model, path=path, blob=blob) for path, blob in brought.blobs.items()]
        LoggedModelFile.objects.bulk_create(rows, ignore_conflicts=True)
        add_figures(given, model, runs)
        if is_new:
            report.tally(KIND).new += 1
            draw(model)
            facts = {"source": identities.origin, "name": given.name}
            record(by, Act.SOURCE_IMPORT, subject=model, after=facts)
        elif model.status == LoggedModel.Status.PENDING:
            LoggedModel.objects.filter(pk=model.pk).update(status=given.status)
    here = LoggedModel.objects.get(pk=identity)
    files = {row.path: row.blob for row in here.files.select_related("blob")}
    told = facts_here(here) | {"files": contents.as_said(brought.said, files)}
    report.compare(KIND, {given.id: facts_of(given) | {"files": brought.said}}, {given.id: told})


def columns_of(given: GivenModel, home: Experiment, runs: dict[str, UUID], now: int) -> dict[str, Any]:
    """Lay a logged model out as a row."""
    run = Run.objects.filter(pk=runs[given.run_id]).first() if given.run_id else None
    return {
        "experiment": home,
        "run": run,
        "run_hex": run.pk.hex if run else given.run_id,
        "name": given.name,
        "model_type": given.model_type,
        "status": given.status,
        "params": given.params,
        "tags": given.tags,
        "created_ms": given.created_ms,
        "updated_ms": given.updated_ms,
        "deleted_ms": now if given.is_deleted else None,
    }


def add_figures(given: GivenModel, model: LoggedModel, runs: dict[str, UUID]) -> None:
    """Write what was measured: of each metric, dataset and run the latest."""
    latest: dict[tuple[Any, ...], Any] = {}
    for one in sorted(given.figures, key=lambda one: (one.step, one.time_ms)):
        latest[one.key, one.dataset_name, one.dataset_digest, one.run_id] = one
    here = set(Run.objects.filter(pk__in=runs.values()).values_list("pk", flat=True))
    rows = [
        ModelMetric(
            run_id=runs[one.run_id],
            model_id=model.model_id,
            key=one.key,
            dataset_name=one.dataset_name,
            dataset_digest=one.dataset_digest,
            step=one.step,
            timestamp_ms=one.time_ms,
            value=one.value,
        )
        for one in latest.values()
        if runs[one.run_id] in here
    ]
    ModelMetric.objects.bulk_create(rows, ignore_conflicts=True)


def draw(model: LoggedModel) -> None:
    """Draw a new model's lineage."""
    if model.run_id:
        Edge.objects.get_or_create(from_run_id=model.run_id, to_model=model, kind="produced")


def facts_of(given: GivenModel) -> dict[str, Any]:
    """Write a logged model of the source."""
    return {
        "name": given.name,
        "model_type": given.model_type,
        "status": given.status,
        "is_deleted": given.is_deleted,
        "params": given.params,
        "tags": given.tags,
        "created_ms": given.created_ms,
        "metrics": sorted({f"{one.key} {one.dataset_name}" for one in given.figures}),
    }


def facts_here(model: LoggedModel) -> dict[str, Any]:
    """Write a logged model that is here, without its files."""
    metrics = ModelMetric.objects.filter(model_id=model.model_id)
    return {
        "name": model.name,
        "model_type": model.model_type,
        "status": model.status,
        "is_deleted": model.deleted_ms is not None,
        "params": model.params,
        "tags": model.tags,
        "created_ms": model.created_ms,
        "metrics": sorted({f"{one.key} {one.dataset_name}" for one in metrics}),
    }
