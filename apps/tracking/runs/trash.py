"""The tracking room: many runs into the trash, out of it, and away for ever: all of them or none."""

import uuid
from collections.abc import Sequence

from django.db import transaction

from apps.tracking.actions import Act
from apps.tracking.models import Run
from apps.tracking.runs.events import note_bulk
from apps.tracking.runs.selection import Doer, hold, in_pages
from maestro.database.statements import execute
from maestro.errors import Conflict

THROW = "UPDATE tracking_run SET deleted_ms = %(now)s WHERE id = ANY(%(runs)s::uuid[])"
BRING = "UPDATE tracking_run SET deleted_ms = NULL WHERE id = ANY(%(runs)s::uuid[])"
RUNS_AT_ONCE = 100


def throw_away(runs: Sequence[uuid.UUID], doer: Doer, *, now: int) -> int:
    """Put runs into the trash; returns how many were not there. Raises Forbidden."""
    with transaction.atomic():
        held = hold(runs)
        doer.require("contributor", {run.project_id for run in held})
        going = [run.id for run in held if run.deleted_ms is None]
        execute(THROW, {"runs": going, "now": now})
        note_bulk(doer, Act.RUN_TRASH, going)
    return len(going)


def bring_back(runs: Sequence[uuid.UUID], doer: Doer) -> int:
    """Take runs out of the trash; returns how many were in it. Raises Forbidden, Conflict."""
    with transaction.atomic():
        held = hold(runs)
        doer.require("contributor", {run.project_id for run in held})
        for run in held:
            if run.experiment_deleted_ms is not None:
                raise Conflict(
                    f"the experiment of the run {run.id.hex} is in the trash; restore it first", "experiment_is_deleted"
                )
        coming = [run.id for run in held if run.deleted_ms is not None]
        execute(BRING, {"runs": coming})
        note_bulk(doer, Act.RUN_RESTORE, coming)
    return len(coming)


def delete_for_ever(runs: Sequence[uuid.UUID], doer: Doer) -> int:
    """Delete runs that are in the trash with all they logged; returns how many. Raises Forbidden, Conflict."""
    with transaction.atomic():
        held = hold(runs)
        doer.require("admin", {run.project_id for run in held})
        for run in held:
            if run.deleted_ms is None:
                raise Conflict(f"the run {run.id.hex} is not in the trash; nothing was deleted", "not_in_trash")
        note_bulk(doer, Act.RUN_DELETE, list(runs))
        for some in in_pages(runs, RUNS_AT_ONCE):
            Run.objects.filter(pk__in=some).delete()
    return len(held)
