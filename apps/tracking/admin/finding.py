"""The tracking room's admin: an address of the run list -> the runs of one page, by the search that all doors use."""

import base64
import binascii
import json
import re
import uuid
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest

from apps.tracking import search
from apps.tracking.admin.columns import parse_columns
from apps.tracking.models import Experiment, Project, Run
from maestro.errors import Invalid
from maestro.filters import Term, parse, parse_order

PAGE, MAX_EXPERIMENTS = 50, 2_000
BARE = re.compile(r"[\w .:/-]+")
SORTS = {"m": "metrics", "p": "params", "t": "tags"}


@dataclass(frozen=True, slots=True)
class Scope:
    """What the list is cut down to: an experiment, a project, or nothing."""

    experiment: Experiment | None = None
    project: Project | None = None

    def experiment_ids(self) -> list[int]:
        """The experiments whose runs are listed, newest first."""
        if self.experiment is not None:
            return [self.experiment.pk]
        found = Experiment.objects.active()
        if self.project is not None:
            found = found.filter(project=self.project)
        return list(found.order_by("-updated_ms").values_list("pk", flat=True)[:MAX_EXPERIMENTS])


@dataclass(frozen=True, slots=True)
class Found:
    """One page: ids in order, the place where the next begins, how many there are if that is cheap, what is wrong."""

    ids: list[uuid.UUID]
    following: str = ""
    count: int | None = None
    problem: str = ""


def scope_of(request: HttpRequest) -> Scope:
    """The experiment or project of the address."""
    number, project_id = request.GET.get("experiment", ""), request.GET.get("project", "")
    if number.isdecimal():
        found = Experiment.objects.select_related("project").filter(pk=int(number) % 2**63).first()
        return Scope(found, found.project if found else None)
    return Scope(None, Project.objects.filter(pk=project_id).first() if is_uuid(project_id) else None)


def is_uuid(text: str) -> bool:
    """Whether an address names an id."""
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True


def filter_text(request: HttpRequest) -> str:
    """The address's filter in the grammar: bare words look for a name, and the status box adds its clause."""
    text = request.GET.get("q", "").strip()
    if text and BARE.fullmatch(text) and not re.search(r"\b(is|in|like|ilike)\b", text, re.IGNORECASE):
        text = f"attributes.run_name ILIKE '%{text}%'"
    status = request.GET.get("status", "")
    if status not in Run.Status.values:
        return text
    clause = f"attributes.status = '{status}'"
    return f"({text}) AND {clause}" if text else clause


def terms_of(sort: str) -> tuple[Term, ...]:
    """The order of the address: `-m.auc`, `name`, `start`; the newest first without one."""
    descending, key = sort.startswith("-"), sort.lstrip("-")
    columns = parse_columns([key])
    if columns:
        name = f"{SORTS[columns[0].kind]}.`{columns[0].name}`"
    elif key in {"name", "start"}:
        name = {"name": "attributes.run_name", "start": "attributes.start_time"}[key]
    else:
        return ()
    return parse_order([f"{name} {'DESC' if descending else 'ASC'}"], search.RUNS)


def pack(place: search.Place | None) -> str:
    """A place as the address carries it."""
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode() if place else ""


def unpack(text: str) -> search.Place | None:
    """The place that an address carries. Raises Invalid."""
    if not text:
        return None
    try:
        place = json.loads(base64.urlsafe_b64decode(text))
    except (ValueError, binascii.Error) as error:
        raise Invalid("this address names no place in the list", "bad_cursor") from error
    if not isinstance(place, list):
        raise Invalid("this address names no place in the list", "bad_cursor")
    return place


def find(request: HttpRequest, scope: Scope, most: int = PAGE, after: str = "") -> Found:
    """One page of runs. A filter that does not parse is a problem to show, not a page of nothing."""
    experiments = scope.experiment_ids()
    if request.GET.get("status") == Run.Status.LOST:
        return lost(experiments, most)
    try:
        asked: Any = search.Search(parse(filter_text(request), search.RUNS), terms_of(request.GET.get("sort", "")))
        ids, place = search.runs(asked, experiments, most=most, token=unpack(after))
    except Invalid as problem:
        return Found([], problem=problem.detail)
    count = Run.objects.active().filter(experiment__in=experiments).count() if asked.tree is None else None
    return Found(ids, pack(place), count)


def lost(experiments: list[int], most: int) -> Found:
    """Runs that went silent; clients see them as running, so the search has no word for them."""
    runs = Run.objects.active().filter(status=Run.Status.LOST, experiment__in=experiments).order_by("-id")
    return Found(list(runs.values_list("pk", flat=True)[:most]), count=runs.count())
