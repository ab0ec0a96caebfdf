"""The tracking room: runs and projects by what people remember of them: an id or its beginning, a name, words of a note."""

import re
import uuid
from typing import Any

from django.db.models import Q

from apps.tracking.models import Project, Run, Tag
from apps.tracking.models.runs import RunQuerySet
from apps.tracking.scoping import projects_for, runs_for
from maestro.principals import Principal

NOTE = "mlflow.note.content"
LOOKED_AT = 20_000  # the newest runs; older ones are found by their ids
LEAST_ID, ID_CHARS = 6, 32
HEX = re.compile(r"[0-9a-f]+")


def id_range(text: str) -> tuple[uuid.UUID, uuid.UUID] | None:
    """Read an id, or at least six digits of its beginning, as the ids that begin so; None if it is none."""
    digits = text.strip().lower().removeprefix("m-").replace("-", "")
    if not LEAST_ID <= len(digits) <= ID_CHARS or not HEX.fullmatch(digits):
        return None
    return uuid.UUID(digits.ljust(ID_CHARS, "0")), uuid.UUID(digits.ljust(ID_CHARS, "f"))


def find_runs(who: Principal, text: str, most: int) -> list[Run]:
    """Find runs by id, else the newest by name or note, in the order in which they come; not what lies in the trash."""
    seen: RunQuerySet = runs_for(who).active().select_related("experiment")
    ids = id_range(text)
    found: dict[Any, Run] = {}
    if ids is not None:
        found = {run.pk: run for run in seen.filter(pk__range=ids).order_by("-pk")[:most]}
    oldest = oldest_looked_at(seen)
    newest = seen.filter(pk__gte=oldest)
    noted = Tag.objects.filter(run_id__gte=oldest, key=NOTE, value__icontains=text).values("run_id")
    for wanted in (Q(name__icontains=text), Q(pk__in=noted)):
        if len(found) < most:
            found |= {run.pk: run for run in newest.filter(wanted).exclude(pk__in=found).order_by("-pk")[:most]}
    return list(found.values())[:most]


def oldest_looked_at(runs: RunQuerySet) -> uuid.UUID:
    """Where names stop being looked at."""
    last = runs.order_by("-pk").values_list("pk", flat=True)[LOOKED_AT : LOOKED_AT + 1]
    return next(iter(last), uuid.UUID(int=0))


def find_projects(who: Principal, text: str, most: int) -> list[Project]:
    """Find projects by id, name, slug or description: what the name has first."""
    ids = id_range(text)
    wanted = Q(name__icontains=text) | Q(slug__icontains=text) | Q(description__icontains=text)
    wanted |= Q(pk__range=ids) if ids else Q()
    found = list(projects_for(who).filter(wanted).order_by("name")[: 4 * most])
    return sorted(found, key=lambda project: text.lower() not in project.name.lower())[:most]
