"""The tracking room: exports that a worker writes: asked for, done in a process of their own, kept for a week.

The process imports pyarrow, so neither web nor worker does; what it writes is a blob like any other, which the sweep
drops once the export is forgotten. Doing an export again writes the same rows to a new file and forgets the old one.
"""

import os
import subprocess
import sys
import uuid
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from apps.tenants.access.audit.recording import record
from apps.tracking.actions import Act
from apps.tracking.models import Experiment, Export
from apps.tracking.runs.selection import Wanted
from maestro import limits
from maestro.errors import Conflict, NotFound
from maestro.principals import Actor, Reach

FORMATS = ("csv", "jsonl", "parquet")
OPEN = (Export.State.WAITING, Export.State.RUNNING)
HIDDEN = ("experiments", "projects")  # too long for the log
KEEP = timedelta(days=7)
SECONDS = 3_600
LAST_WORDS = 500


def ask(kind: str, wanted: Wanted, columns: list[str], *, owner: str, by: Actor, reach: Reach) -> Export:
    """Note what somebody wants. Raises Invalid for a bad question, Conflict while too many wait."""
    wanted.parsed()
    question = {
        "experiments": list(wanted.experiments),
        "filter": wanted.filter,
        "order": list(wanted.order),
        "view": wanted.view,
        "status": wanted.status,
        "columns": columns,
        "projects": None if reach is None else [str(project) for project in reach],
    }
    with transaction.atomic():
        require_room(owner)
        made = Export.objects.create(owner=owner, asked_by=by.name[:250], format=kind, question=question)
        shown = {"format": kind} | {name: value for name, value in question.items() if name not in HIDDEN}
        record(by, Act.EXPORT_ASK, subject=made, after=shown | {"experiments": len(wanted.experiments)})
    return made


def require_room(owner: str) -> None:
    """Raise Conflict while too many exports of one person, or of the tenant, are still to be written."""
    waiting = free()
    if waiting.filter(owner=owner).count() >= limits.EXPORTS_WAITING_PERSON:
        most = limits.EXPORTS_WAITING_PERSON
        raise Conflict(f"{most} exports of yours are still being written; ask again later", "too_many_exports")
    if waiting.count() >= limits.EXPORTS_WAITING:
        most = limits.EXPORTS_WAITING
        raise Conflict(f"{most} exports are still being written; ask again later", "too_many_exports")


def free() -> QuerySet[Export]:
    """Exports that are not done: one that is said to be written lost its worker, as tenants take turns."""
    return Export.objects.filter(state__in=OPEN)


def untaken() -> QuerySet[Export]:
    """Exports that no worker has begun to write."""
    return Export.objects.filter(state=Export.State.WAITING)


def fetch(identity: uuid.UUID, *, owner: str) -> Export:
    """Fetch an export that somebody asked for themselves. Raises NotFound."""
    found = Export.objects.select_related("blob").filter(pk=identity, owner=owner).first()
    if found is None:
        raise NotFound("there is no such export")
    return found


def require_reach(export: Export, reach: Reach) -> None:
    """Raise Conflict for a file with more in it than who asked for it may see today."""
    asked = export.question.get("projects")
    if reach is not None and (asked is None or not set(asked) <= {str(project) for project in reach}):
        raise Conflict("you saw more when you asked for this export; ask again", "reach_changed")


def wanted_of(question: dict[str, Any]) -> Wanted:
    """Read what was asked, for whom: an experiment that has left the asker's projects since is left out."""
    homes = Experiment.objects.filter(pk__in=question["experiments"])
    if question.get("projects") is not None:
        homes = homes.filter(project__in=question["projects"])
    there = set(homes.values_list("pk", flat=True))
    return Wanted(
        [home for home in question["experiments"] if home in there],
        question["filter"],
        question["order"],
        question["view"],
        question["status"],
    )


def supervise(slug: str, identity: uuid.UUID, now: datetime) -> str:
    """Have a process write an export and wait for it; returns the export's state."""
    command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "export_runs", "--tenant", slug]
    try:
        ended = subprocess.run(
            [*command, "--export", str(identity)],
            env=os.environ | settings.CHILD_ENV,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=SECONDS,
            check=False,
        )
        said = ended.stderr.decode(errors="replace").strip()[-LAST_WORDS:] if ended.returncode else ""
    except subprocess.TimeoutExpired:
        said = f"it took longer than {SECONDS} s"
    if said:
        fail(identity, said.splitlines()[-1], now)
    return str(Export.objects.values_list("state", flat=True).get(pk=identity))


def fail(identity: uuid.UUID, reason: str, now: datetime) -> None:
    """Say that an export will not come, and why."""
    Export.objects.filter(pk=identity).exclude(state="done").update(state="failed", reason=reason, ended_at=now)


def forget_old(now: datetime) -> int:
    """Forget exports that are older than a week; their bytes go with the next sweep."""
    return Export.objects.filter(created_at__lt=now - KEEP).delete()[0]
