"""The registry room: runs of an MLflow source: their bytes, then their rows, some hundred in one transaction, then compared."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db import transaction

from apps.registry.actions import Act
from apps.registry.imports import contents
from apps.registry.imports.contents import Brought, SourceFile
from apps.registry.imports.mlflow.given import GivenRun, Source
from apps.registry.imports.mlflow.identities import Identities
from apps.registry.imports.report import Report
from apps.tenants.access.audit.recording import record
from apps.tracking.metrics import digests
from apps.tracking.models import Blob, Experiment, Run, RunFile
from apps.tracking.runs import arrivals
from apps.tracking.runs.arrivals import Arrival
from maestro.principals import Actor

PARENT_TAG = "mlflow.parentRunId"


def bring(
    batch: Sequence[GivenRun],
    home: Experiment,
    source: Source,
    identities: Identities,
    report: Report,
    *,
    by: Actor,
    now: int,
) -> None:
    """Take in runs of one experiment with all that they logged, and compare them with what is here then."""
    wanted = arrivals_of(batch, home, identities, now)
    known = files_of([one.run_id for one in wanted])
    said: dict[UUID, Brought] = {}
    for given, arrival in zip(batch, wanted, strict=True):
        report.map("run", given.id, arrival.run_id.hex)
        listed = files_at(source, "run", given.id, given.place, report)
        said[arrival.run_id] = contents.bring(
            listed, known.get(arrival.run_id, {}), report, f"run {given.id}", project=home.project
        )
        arrival.files = said[arrival.run_id].blobs
    with transaction.atomic():
        new = arrivals.arrive(wanted, by=identities.mark, now=now)
        report.tally("run").new += len(new)
        if new:
            facts = {"source": identities.origin, "runs": len(new)}
            record(by, Act.SOURCE_IMPORT, object_type="Experiment", object_id=home.pk, after=facts)
    report.compare("run", *compared(batch, wanted, said, report))


def files_at(source: Source, kind: str, identity: str, place: str, report: Report) -> list[SourceFile]:
    """List the files of something; where that can't be done it is noted."""
    return report.tried(f"files of {kind}", identity, lambda: source.files(kind, identity, place)) or []


def arrivals_of(batch: Sequence[GivenRun], home: Experiment, identities: Identities, now: int) -> list[Arrival]:
    """Lay runs out under the ids that they have here."""
    parents = {run.tags[PARENT_TAG] for run in batch if PARENT_TAG in run.tags}
    ids = identities.run_ids({run.id for run in batch} | parents)
    models = identities.model_ids({model for run in batch for model in [*run.models_read, *run.models_made]})
    found = []
    for run in batch:
        tags = dict(run.tags)
        if PARENT_TAG in tags:
            tags[PARENT_TAG] = ids[tags[PARENT_TAG]].hex
        one = Arrival(ids[run.id], home.pk, run.name, run.user, run.status, run.start_ms, run.end_ms)
        one.deleted_ms = now if run.is_deleted else None
        one.params, one.tags, one.series, one.datasets = run.params, tags, run.series, run.datasets
        one.models_read = [f"m-{models[model].hex}" for model in run.models_read]
        one.models_made = {f"m-{models[model].hex}": step for model, step in run.models_made.items()}
        found.append(one)
    return found


def files_of(ids: Sequence[UUID]) -> dict[UUID, dict[str, Blob]]:
    """Find the files that runs have here."""
    found: dict[UUID, dict[str, Blob]] = {}
    for row in RunFile.objects.filter(run__in=ids).select_related("blob"):
        found.setdefault(row.run_id, {})[row.path] = row.blob
    return found


Facts = dict[str, dict[str, Any]]


def compared(
    batch: Sequence[GivenRun], wanted: Sequence[Arrival], said: dict[UUID, Brought], report: Report
) -> tuple[Facts, Facts]:
    """Write what the source says of runs, and what is here, in the same words."""
    names = {arrival.run_id: given.id for given, arrival in zip(batch, wanted, strict=True)}
    here = {
        run.pk: run
        for run in Run.objects.filter(pk__in=names).prefetch_related("params", "tags", "inputs__dataset", "models")
    }
    stored, files = digests.stored(list(names)), files_of(list(names))
    asked, found = {}, {}
    for one in wanted:
        points = {key: brought.points() for key, brought in one.series.items()}
        report.tally("point").new += 0
        asked[names[one.run_id]] = {
            "experiment": one.experiment_id,
            "name": one.name,
            "user": one.user,
            "status": one.status,
            "start_ms": one.start_ms,
            "end_ms": one.end_ms,
            "is_deleted": one.deleted_ms is not None,
            "params": one.params,
            "tags": one.tags,
            "metrics": {key: digests.digest(some) for key, some in points.items()},
            "datasets": sorted(f"{given.name} {given.digest}" for given in one.datasets),
            "read": sorted(one.models_read),
            "made": one.models_made,
            "files": said[one.run_id].said,
        }
        run = here.get(one.run_id)
        if run is not None:
            history = stored.get(one.run_id, {})
            facts = facts_of(run) | {"metrics": {key: digests.digest(some) for key, some in history.items()}}
            found[names[one.run_id]] = facts | {
                "files": contents.as_said(said[one.run_id].said, files.get(one.run_id, {}))
            }
            count_points(report, points, history)
    return asked, found


def facts_of(run: Run) -> dict[str, Any]:
    """Write a run that is here, without its points and files."""
    links = list(run.models.all())
    return {
        "experiment": run.experiment_id,
        "name": run.name,
        "user": run.user_name,
        "status": "RUNNING" if run.status == Run.Status.LOST else run.status,
        "start_ms": run.start_ms,
        "end_ms": run.end_ms,
        "is_deleted": run.deleted_ms is not None,
        "params": {param.key: param.value for param in run.params.all()},
        "tags": {tag.key: tag.value for tag in run.tags.all()},
        "datasets": sorted(f"{link.dataset.name} {link.dataset.digest}" for link in run.inputs.all()),
        "read": sorted(link.model_id for link in links if link.direction == "input"),
        "made": {link.model_id: link.step for link in links if link.direction == "output"},
    }


def count_points(report: Report, asked: dict[str, Any], here: dict[str, Any]) -> None:
    """Count points of both sides."""
    tally = report.tally("point")
    tally.source += sum(len(some) for some in asked.values())
    tally.here += sum(min(len(here[key]), len(some)) for key, some in asked.items() if key in here)
