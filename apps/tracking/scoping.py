"""The tracking room: what a principal may see: everything, or the projects in its reach and nothing beside them."""

from apps.tracking.models import EvaluationDataset, Experiment, Project, Run, Trace
from apps.tracking.models.evaluation import EvaluationDatasetQuerySet
from apps.tracking.models.experiments import ExperimentQuerySet
from apps.tracking.models.projects import ProjectQuerySet
from apps.tracking.models.runs import RunQuerySet
from apps.tracking.models.traces import TraceQuerySet
from maestro.errors import Forbidden
from maestro.principals import Principal, Reach


def projects_for(who: Principal) -> ProjectQuerySet:
    """Projects that somebody may see."""
    found: ProjectQuerySet = Project.objects.all()
    return found if who.projects is None else found.filter(pk__in=who.projects)


def experiments_for(who: Principal) -> ExperimentQuerySet:
    """Experiments that somebody may see."""
    return experiments_in(who.projects)


def experiments_in(projects: Reach) -> ExperimentQuerySet:
    """Experiments of the projects in reach."""
    found: ExperimentQuerySet = Experiment.objects.all()
    return found if projects is None else found.filter(project_id__in=projects)


def runs_for(who: Principal) -> RunQuerySet:
    """Runs that somebody may see."""
    found: RunQuerySet = Run.objects.all()
    return found if who.projects is None else found.filter(experiment__project_id__in=who.projects)


def require_tenant_wide(who: Principal, what: str) -> None:
    """Raise Forbidden for who reaches some projects only, as a key of one does."""
    if who.projects is not None:
        raise Forbidden(f"a key of one project can't {what}, nor can a role in projects alone", "project_key")


def traces_for(who: Principal) -> TraceQuerySet:
    """Traces that somebody may see, by their experiments."""
    found: TraceQuerySet = Trace.objects.filter(experiment__in=experiments_for(who))
    return found


def evaluation_datasets_for(who: Principal) -> EvaluationDatasetQuerySet:
    """Evaluation datasets that somebody may see, by their project."""
    found: EvaluationDatasetQuerySet = EvaluationDataset.objects.all()
    return found if who.projects is None else found.filter(project_id__in=who.projects)
