"""The tracking room: what a principal may see: everything, or the projects in its reach and nothing beside them."""

from typing import Any, Protocol

from apps.tracking.models import EvaluationDataset, Experiment, Project, Run, Trace
from maestro.errors import Forbidden
from maestro.principals import Reach


class Asking(Protocol):
    """What is asked of a principal here."""

    @property
    def projects(self) -> Reach:
        """The projects in its reach; None is every one."""


def projects_for(principal: Asking) -> Any:
    """Projects that a principal may see."""
    if principal.projects is None:
        return Project.objects.all()
    return Project.objects.filter(pk__in=principal.projects)


def experiments_for(principal: Asking) -> Any:
    """Experiments that a principal may see."""
    if principal.projects is None:
        return Experiment.objects.all()
    return Experiment.objects.filter(project_id__in=principal.projects)


def runs_for(principal: Asking) -> Any:
    """Runs that a principal may see."""
    if principal.projects is None:
        return Run.objects.all()
    return Run.objects.filter(experiment__project_id__in=principal.projects)


def require_tenant_wide(principal: Asking, what: str) -> None:
    """Raise Forbidden for who reaches some projects only, as a key of one does."""
    if principal.projects is not None:
        raise Forbidden(f"a key of one project can't {what}, nor can a role in projects alone", "project_key")


def traces_for(principal: Asking) -> Any:
    """Traces that a principal may see, by their experiments."""
    return Trace.objects.filter(experiment__in=experiments_for(principal))


def evaluation_datasets_for(principal: Asking) -> Any:
    """Evaluation datasets that a principal may see, by their project."""
    if principal.projects is None:
        return EvaluationDataset.objects.all()
    return EvaluationDataset.objects.filter(project_id__in=principal.projects)
