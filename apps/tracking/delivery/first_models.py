"""The tracking room: how long projects take until they have a model, and until one serves. Those without one yet count too."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Min, OuterRef, Subquery

from apps.tracking.delivery import serving, shipped
from apps.tracking.delivery.survival import survival
from apps.tracking.models import Experiment, Project, Run
from apps.tracking.models.measures import Measure
from maestro.clock import from_ms
from maestro.principals import Reach

KEYS = ("first_registered", "first_serving")


@dataclass(frozen=True)
class Begun:
    """A project that began in a time, and how long it took, or has taken so far. Units  seconds."""

    name: str
    at: datetime
    seconds: float
    is_over: bool


def starts(projects: Reach) -> dict[UUID, tuple[str, datetime, datetime | None]]:
    """Of each project: its name, when it began, by its own word or else its first run, and when it ended."""
    first = Run.objects.filter(experiment=OuterRef("pk"), deleted_ms=None).order_by("start_ms").values("start_ms")[:1]
    homes = Experiment.objects.order_by() if projects is None else Experiment.objects.filter(project__in=projects)
    ran = homes.annotate(first=Subquery(first)).order_by().values_list("project_id").annotate(began=Min("first"))
    began = {project: from_ms(at) for project, at in ran if at is not None}
    rows = Project.objects.all() if projects is None else Project.objects.filter(pk__in=projects)
    told = rows.order_by().values_list("pk", "name", "starts_at", "ends_at")
    found = {pk: (name, start or began.get(pk), end) for pk, name, start, end in told}
    return {pk: (name, start, end) for pk, (name, start, end) in found.items() if start is not None}


def begun(projects: Reach, since: datetime, until: datetime) -> dict[str, list[Begun]]:
    """The projects that began in a time, with how long each took to either."""
    reached: dict[str, dict[UUID, datetime]] = {
        "first_registered": serving.first_registered(projects),
        "first_serving": {},
    }
    for move in shipped.moves(projects, until):
        reached["first_serving"].setdefault(move.project, move.at)
    rows = [(pk, *facts) for pk, facts in starts(projects).items() if since <= facts[1] < until]

    def spans(at: dict[UUID, datetime]) -> Iterator[Begun]:
        for pk, name, start, ended in rows:
            end, seen = at.get(pk), min(ended or until, until)
            is_over = end is not None and end < until
            last = end if end is not None and is_over else seen
            yield Begun(name, start, max((last - start).total_seconds(), 0.0), is_over)

    return {key: sorted(spans(reached[key]), key=lambda one: one.at, reverse=True) for key in KEYS}


def measures(projects: Reach, since: datetime, until: datetime) -> dict[str, Measure]:
    """Both, by Kaplan and Meier's estimate."""
    found = begun(projects, since, until)
    return {key: survival([(one.seconds, one.is_over) for one in found[key]]) for key in KEYS}
