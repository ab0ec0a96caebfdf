"""The tracking room: the lives of runs: begun, renamed and ended."""

# ruff: noqa: S608 statements are put together from constants of ours; every value is bound

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

from django.db import transaction

from apps.tracking.actions import Act
from apps.tracking.metrics.ingest import NAME_TAG
from apps.tracking.models import Run
from apps.tracking.notices.events import TELL_RUNS
from apps.tracking.refusals import experiment_is_deleted, no_experiment, not_writable, two_names
from apps.tracking.runs import default_names
from apps.tracking.runs.documents import INFO
from apps.tracking.runs.events import note_bulk
from apps.tracking.writers import NAMING_TAG, WRITER
from maestro.clock import uuid7
from maestro.database.arrays import TextArray
from maestro.database.statements import execute
from maestro.principals import Actor, Reach

BEGIN = """WITH home AS (SELECT id, location, deleted_ms FROM tracking_experiment
  WHERE id = %(experiment)s AND (%(projects)s::uuid[] IS NULL OR project_id = ANY(%(projects)s::uuid[])) FOR KEY SHARE),
 run AS (INSERT INTO tracking_run
   (id, experiment_id, name, user_name, status, start_ms, last_write_ms, created_by, location, is_folded)
  SELECT %(run)s, id, %(name)s, %(user)s, 'RUNNING', %(start)s, %(now)s, %(by)s, location, false FROM home
  WHERE deleted_ms IS NULL RETURNING id),
 tags AS (INSERT INTO tracking_tag (run_id, key, value)
  SELECT run.id, g.key, g.value FROM run, unnest(%(keys)s, %(values)s) AS g (key, value)){writer}
 SELECT location, deleted_ms FROM home"""
RENAME = """, tag AS (INSERT INTO tracking_tag AS t (run_id, key, value) SELECT id, 'mlflow.runName', %(name)s FROM run
  ON CONFLICT (run_id, key) DO UPDATE SET value = excluded.value)"""
CHANGE = """WITH run AS (UPDATE tracking_run r SET status = coalesce(%(status)s, CASE r.status WHEN 'LOST' THEN 'RUNNING'
   ELSE r.status END), end_ms = coalesce(%(end)s::bigint, r.end_ms), name = coalesce(%(name)s, r.name),
   last_write_ms = greatest(r.last_write_ms, %(now)s), is_folded = false
  WHERE r.id = %(run)s AND r.deleted_ms IS NULL AND (%(projects)s::uuid[] IS NULL OR EXISTS (SELECT
   FROM tracking_experiment e WHERE e.id = r.experiment_id AND e.project_id = ANY(%(projects)s::uuid[]))) RETURNING r.*)"""
# An end that somebody may listen for.
TOLD = (Run.Status.FINISHED, Run.Status.FAILED)
HELD = """SELECT r.name, r.status, r.end_ms FROM tracking_run r WHERE r.id = %(run)s AND (%(projects)s::uuid[] IS NULL
  OR EXISTS (SELECT FROM tracking_experiment e WHERE e.id = r.experiment_id AND e.project_id = ANY(%(projects)s::uuid[])))
  FOR UPDATE OF r"""


class Facts(NamedTuple):
    """What is known of a run beside what it logs, in the order of the columns of INFO."""

    id: UUID
    experiment_id: int
    name: str
    user_name: str
    status: str
    start_ms: int
    end_ms: int | None
    deleted_ms: int | None
    location: str


@dataclass(frozen=True)
class Beginning:
    """What a client says of a run that begins."""

    experiment_id: int
    user: str
    start_ms: int
    name: str = ""
    tags: dict[str, str] = field(default_factory=dict)


def begin(beginning: Beginning, *, projects: Reach, by: str, now: int) -> tuple[Facts, dict[str, str]]:
    """Begin a run; returns it with its tags. Raises NotFound, or Invalid for a deleted experiment or for two names."""
    tagged = beginning.tags.get(NAME_TAG, "")
    if beginning.name and tagged and beginning.name != tagged:
        raise two_names(beginning.name, tagged)
    name = beginning.name or tagged or default_names.made_up()
    tags = dict(sorted((beginning.tags | {NAME_TAG: name}).items()))
    run_id = uuid7()
    params = {
        "experiment": beginning.experiment_id,
        "projects": projects,
        "run": run_id,
        "name": name,
        "user": beginning.user,
        "start": beginning.start_ms,
        "now": now,
        "by": by,
        "keys": TextArray(list(tags)),
        "values": TextArray(list(tags.values())),
        "naming": tags.get(NAMING_TAG),
    }
    rows = execute(BEGIN.format(writer=f", {WRITER}" if NAMING_TAG in tags else ""), params)
    if not rows:
        raise no_experiment(beginning.experiment_id)
    location, deleted_ms = rows[0]
    if deleted_ms is not None:
        raise experiment_is_deleted(beginning.experiment_id)
    columns = (beginning.experiment_id, name, beginning.user, Run.Status.RUNNING.value, beginning.start_ms)
    return Facts(run_id, *columns, None, None, location), tags


@dataclass(frozen=True)
class Change:
    """What is said anew of a run; None and an empty name say nothing."""

    name: str = ""
    status: str | None = None
    end_ms: int | None = None


def say(run_id: UUID, said: Change, *, projects: Reach, now: int) -> Facts:
    """Write what a run says of itself: an end, a state. As with all that it logs, no event tells of it.

    Raises NotFound, or Invalid for a deleted run.
    """
    params = {"run": run_id, "status": said.status, "end": said.end_ms, "name": said.name or None, "now": now}
    told = f", told AS ({TELL_RUNS})" if said.status in TOLD else ""
    sql = CHANGE + (RENAME if said.name else "") + f"{told} SELECT {INFO} FROM run r"
    rows = execute(sql, params | {"projects": projects})
    if not rows:
        raise not_writable(run_id, projects)
    return Facts(*rows[0])


def change(
    run_id: UUID,
    said: Change,
    by: Actor,
    *,
    now: int,
    is_own_word: bool = False,
    guard: Callable[[], None] | None = None,
) -> Facts:
    """Rename a run, and end it or set its state; returns what is known of it then.

    A new name is an event at every door; an end or a state is one unless it is the run's own word. `guard` is asked
    with the row held.
    Raises NotFound, or Invalid for a deleted run.
    """
    with transaction.atomic():
        held = execute(HELD, {"run": run_id, "projects": by.projects})
        if guard is not None:
            guard()
        facts = say(run_id, said, projects=by.projects, now=now)
        name, status, end_ms = held[0]
        if said.name and said.name != name:
            note_bulk(by, Act.RUN_RENAME, [run_id], before={"name": name}, after={"name": said.name})
        before = {"status": status, "end_ms": end_ms}
        after = {"status": said.status or status, "end_ms": end_ms if said.end_ms is None else said.end_ms}
        if after != before and not is_own_word:
            note_bulk(by, Act.RUN_CHANGE, [run_id], before=before, after=after)
    return facts
