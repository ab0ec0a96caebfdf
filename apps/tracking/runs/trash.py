"""The tracking room: runs into the trash, out of it, and away for ever: one or many, all of them or none.

Every door's way: MLflow brings one run, REST and pages many, retention a page of them.
"""

import uuid
from collections.abc import Sequence

from django.db import transaction

from apps.tracking.actions import Act
from apps.tracking.models import Run
from apps.tracking.runs.events import note_bulk
from apps.tracking.runs.selection import hold, in_pages
from maestro.database.statements import execute
from maestro.errors import Conflict
from maestro.principals import Actor

THROW = "UPDATE tracking_run SET deleted_ms = %(at)s WHERE id = ANY(%(runs)s::uuid[])"
BRING = "UPDATE tracking_run SET deleted_ms = NULL WHERE id = ANY(%(runs)s::uuid[])"
# Experiments first, as who throws one away takes it before its runs: nobody does so while its runs come back.
HOLD_HOMES = """SELECT id FROM tracking_experiment WHERE id IN (SELECT experiment_id FROM tracking_run
 WHERE id = ANY(%(runs)s::uuid[])) ORDER BY id FOR SHARE"""
RUNS_AT_ONCE = 100


def throw_away(runs: Sequence[uuid.UUID], by: Actor, *, at_ms: int) -> int:
    """Put runs into the trash; returns how many were not there. Raises NotFound, Forbidden."""
    with transaction.atomic():
        held = hold(runs, by)
        by.require("contributor", {run.project_id for run in held})
        going = [run.id for run in held if run.deleted_ms is None]
        if going:
            execute(THROW, {"runs": going, "at": at_ms})
            note_bulk(by, Act.RUN_TRASH, going)
    return len(going)


def bring_back(runs: Sequence[uuid.UUID], by: Actor) -> int:
    """Take runs out of the trash; returns how many were in it. Raises NotFound, Forbidden, Conflict."""
    with transaction.atomic():
        execute(HOLD_HOMES, {"runs": list(runs)})
        held = hold(runs, by)
        by.require("contributor", {run.project_id for run in held})
        for run in held:
            if run.experiment_deleted_ms is not None:
                raise Conflict(
                    f"the experiment of the run {run.id.hex} is in the trash; restore it first",
                    "experiment_is_deleted",
                    facts={"experiment": run.experiment_id},
                )
        coming = [run.id for run in held if run.deleted_ms is not None]
        if coming:
            execute(BRING, {"runs": coming})
            note_bulk(by, Act.RUN_RESTORE, coming)
    return len(coming)


def destroy(runs: Sequence[uuid.UUID], by: Actor) -> int:
    """Delete runs that are in the trash with all they logged; returns how many.

    Raises NotFound, Forbidden, Conflict.
    """
    with transaction.atomic():
        held = hold(runs, by)
        by.require("admin", {run.project_id for run in held})
        for run in held:
            if run.deleted_ms is None:
                raise Conflict(f"the run {run.id.hex} is not in the trash; nothing was deleted", "not_in_trash")
        note_bulk(by, Act.RUN_DESTROY, list(runs))
        for some in in_pages(runs, RUNS_AT_ONCE):
            Run.objects.filter(pk__in=some).delete()
    return len(held)
