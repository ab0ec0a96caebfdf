"""The registry room: experiments of an MLflow source: found again, or made, under their own names where those are free."""

from uuid import UUID

from django.db import transaction

from apps.registry.imports.mlflow.given import GivenExperiment
from apps.registry.imports.mlflow.identities import DEFAULT, ID_TAG, SOURCE_TAG, Identities, free_name
from apps.registry.imports.report import Report
from apps.tenants.access.audit.recording import record
from apps.tracking.actions import Act
from apps.tracking.models import DEFAULT_PROJECT_ID, Experiment, ExperimentTag, Run
from maestro import limits
from maestro.principals import Actor


def bring(given: GivenExperiment, identities: Identities, project_id: UUID, report: Report, *, by: Actor) -> Experiment:
    """Find or make the experiment that holds what comes of another one, and put its notes on it."""
    with transaction.atomic():
        home = identities.experiment(given.id)
        if home is None:
            home = default_of(given, project_id) or make(given, project_id, by)
            report.tally("experiment").new += 1
        tags = given.tags | {ID_TAG: given.id, SOURCE_TAG: identities.origin}
        rows = [ExperimentTag(experiment=home, key=key, value=value) for key, value in tags.items()]
        ExperimentTag.objects.bulk_create(rows, ignore_conflicts=True)
    report.map("experiment", given.name, home.name)
    identities.homes[given.id] = home.pk
    return home


def default_of(given: GivenExperiment, project_id: UUID) -> Experiment | None:
    """The experiment Default, which is in every tenant, for that of the source, if it came from nowhere yet."""
    if given.name != DEFAULT or project_id != DEFAULT_PROJECT_ID:
        return None
    return Experiment.objects.filter(pk=0).exclude(tags__key=SOURCE_TAG).first()


def make(given: GivenExperiment, project_id: UUID, by: Actor) -> Experiment:
    """Make an experiment. One in the source's trash goes there when all that it holds has come."""
    taken = set(Experiment.objects.filter(name__startswith=given.name[:400]).values_list("name", flat=True))
    home = Experiment.objects.create(
        project_id=project_id,
        name=free_name(given.name, taken, limits.EXPERIMENT_NAME_CHARS),
        created_ms=given.created_ms,
        updated_ms=given.updated_ms,
    )
    record(by, Act.EXPERIMENT_CREATE, subject=home, after={"name": home.name, "project": str(project_id)})
    return home


def finish(home: Experiment, identities: Identities, report: Report, given: GivenExperiment, *, now: int) -> None:
    """Put an experiment into the trash that lies there in the source, with its runs; then compare it."""
    with transaction.atomic():
        if given.is_deleted and home.deleted_ms is None and home.pk != 0:
            trashed = Run.objects.filter(experiment=home, created_by=identities.mark).exclude(deleted_ms=None)
            trashed.update(deleted_ms=now)
            home.deleted_ms = now
            home.save(update_fields=["deleted_ms"])
    tags = {tag.key: tag.value for tag in home.tags.all()}
    here = {"tags": tags, "is_deleted": home.deleted_ms is not None}
    report.compare("experiment", {given.id: {"tags": given.tags, "is_deleted": given.is_deleted}}, {given.id: here})
