"""The tracking room's admin: an address of the run list -> the runs of one page, by the search that all doors use."""

import uuid
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, QueryDict

from apps.tenants.access.people.principal import looker
from apps.tracking.models import Experiment, Project
from apps.tracking.scoping import experiments_for, experiments_in, projects_for
from apps.tracking.search import pages
from apps.tracking.search.listing import filter_text, terms_of, tree_of
from maestro.api.pagination import sign, unsign
from maestro.clock import is_uuid
from maestro.errors import Invalid
from maestro.principals import Reach

PURPOSE = "tracking.run_list"
PAGE, MAX_EXPERIMENTS, MAX_COUNTED, MAX_CHOSEN = 50, 2_000, 10_000, 50


@dataclass(frozen=True, slots=True)
class Scope:
    """What the list is cut down to: some experiments, a project, or all that is within reach."""

    experiments: tuple[Experiment, ...] = ()
    project: Project | None = None
    projects: Reach = None

    @property
    def experiment(self) -> Experiment | None:
        """The one experiment, if it is one."""
        return self.experiments[0] if len(self.experiments) == 1 else None

    @property
    def is_whole(self) -> bool:
        """Whether nothing bounds it: the whole tenant."""
        return not self.experiments and self.project is None and self.projects is None

    def experiment_ids(self) -> list[int]:
        """The experiments whose runs are listed, newest first."""
        if self.experiments:
            return [experiment.pk for experiment in self.experiments]
        found = experiments_in(self.projects).active()
        if self.project is not None:
            found = found.filter(project=self.project)
        return list(found.order_by("-updated_ms").values_list("pk", flat=True)[:MAX_EXPERIMENTS])


@dataclass(frozen=True, slots=True)
class Found:
    """One page: ids in order, the place where the next begins, what is wrong; the experiments whose runs it all is."""

    ids: list[uuid.UUID]
    following: str = ""
    problem: str = ""
    counted: tuple[int, ...] = ()


def scope_of(request: HttpRequest) -> Scope:
    """The experiments or the project of the address, within the reach of who looks."""
    return scope_in(request, request.GET)


def scope_in(request: HttpRequest, query: QueryDict) -> Scope:
    """The experiments or the project that an address or a form names, within the reach of who looks.

    What is named and not found is nothing, not everything: a form may act on all that this holds.

    Raises  Invalid for text that Postgres can't keep: the edge looks at addresses only
    """
    if any("\x00" in text for _, texts in query.lists() for text in texts):
        raise Invalid("the form holds a NUL character", "bad_text")
    who = looker(request)
    given, project_id = [text for text in query.getlist("experiment") if text], query.get("project", "")
    numbers = [int(text) for text in given if text.isascii() and text.isdecimal() and len(text) <= 18][:MAX_CHOSEN]
    if given:
        found = tuple(experiments_for(who).select_related("project").filter(pk__in=numbers).order_by("pk"))
        projects = {experiment.project for experiment in found}
        return Scope(found, projects.pop() if len(projects) == 1 else None, who.projects if found else [])
    project = projects_for(who).filter(pk=project_id).first() if is_uuid(project_id) else None
    return Scope((), project, [] if project_id and project is None else who.projects)


def pack(place: pages.Place | None) -> str:
    """A place as the address carries it: signed, so that only places of ours come back."""
    return sign(place, PURPOSE) if place else ""


def unpack(text: str) -> pages.Place | None:
    """The place that an address carries. Raises Invalid."""
    return unsign(text, PURPOSE) if text else None


def find(request: HttpRequest, scope: Scope, most: int = PAGE, after: str = "") -> Found:
    """One page of runs. A filter that does not parse is a problem to show, not a page of nothing."""
    experiments = scope.experiment_ids()
    text, status = request.GET.get("q", ""), request.GET.get("status", "")
    try:
        asked: Any = pages.Search(tree_of(text, status), terms_of(request.GET.get("sort", "")))
        ids, place = pages.runs(asked, experiments, most=most, token=unpack(after))
    except Invalid as problem:
        return Found([], problem=problem.detail)
    return Found(ids, pack(place), counted=() if filter_text(text, status) else tuple(experiments))
