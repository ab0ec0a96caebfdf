"""The tracking room: what a principal may see. A key of one project sees that project and nothing beside it."""

import uuid
from typing import Any, Protocol

from apps.tracking.models import Experiment, Project, Run
from maestro.errors import Forbidden


class Asking(Protocol):
    """What is asked of a principal here; None is every project."""

    @property
    def project_id(self) -> uuid.UUID | None:
        """The one project that it may see, or None."""


def projects_for(principal: Asking) -> Any:
    """Projects that a principal may see."""
    if principal.project_id is None:
        return Project.objects.all()
    return Project.objects.filter(pk=principal.project_id)


def experiments_for(principal: Asking) -> Any:
    """Experiments that a principal may see."""
    if principal.project_id is None:
        return Experiment.objects.all()
    return Experiment.objects.filter(project_id=principal.project_id)


def runs_for(principal: Asking) -> Any:
    """Runs that a principal may see."""
    if principal.project_id is None:
        return Run.objects.all()
    return Run.objects.filter(experiment__project_id=principal.project_id)


def require_tenant_wide(principal: Asking, what: str) -> None:
    """Raise Forbidden for a key of one project."""
    if principal.project_id is not None:
        raise Forbidden(f"a key of one project can't {what}", "project_key")
