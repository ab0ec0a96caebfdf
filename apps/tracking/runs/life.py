"""The tracking room: the lives of runs: begun, renamed, ended, thrown away and brought back."""

# ruff: noqa: S608 statements are put together from constants of ours; every value is bound

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from apps.tracking.metrics.ingest import NAME_TAG
from apps.tracking.models import Run
from apps.tracking.refusals import experiment_deleted, no_experiment, no_run, not_writable
from apps.tracking.runs import default_names
from apps.tracking.runs.documents import INFO, Info, info_of
from apps.tracking.writers import NAMING_TAG, WRITER
from maestro.clock import uuid7
from maestro.database.arrays import TextArray
from maestro.database.statements import execute
from maestro.errors import Invalid
from maestro.principals import Reach

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
TRASH = """UPDATE tracking_run r SET deleted_ms = {deleted} WHERE r.id = %(run)s AND (%(projects)s::uuid[] IS NULL
  OR EXISTS (SELECT FROM tracking_experiment e WHERE e.id = r.experiment_id AND e.project_id = ANY(%(projects)s::uuid[])))
  RETURNING r.id"""


# Held, so that nobody throws the experiment away in between.
HOME_OF = """SELECT e.id, e.deleted_ms IS NOT NULL FROM tracking_run r JOIN tracking_experiment e ON e.id = r.experiment_id
 WHERE r.id = %(run)s AND (%(projects)s::uuid[] IS NULL OR e.project_id = ANY(%(projects)s::uuid[])) FOR SHARE OF e"""


@dataclass(frozen=True)
class Beginning:
    """What a client says of a run that begins."""

    experiment_id: int
    user: str
    start_ms: int
    name: str = ""
    tags: dict[str, str] = field(default_factory=dict)


def begin(beginning: Beginning, *, projects: Reach, by: str, now: int) -> dict[str, Any]:
    """Begin a run; returns it as MLflow clients read it. Raises NotFound, or Invalid for a deleted experiment."""
    tagged = beginning.tags.get(NAME_TAG, "")
    if beginning.name and tagged and beginning.name != tagged:
        raise Invalid(
            f"Both 'run_name' argument and 'mlflow.runName' tag are specified, but with different values"
            f" (run_name='{beginning.name[:200]}', mlflow.runName='{tagged[:200]}').",
            "two_names",
        )
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
        raise experiment_deleted(beginning.experiment_id)
    columns = (beginning.experiment_id, name, beginning.user, Run.Status.RUNNING.value, beginning.start_ms)
    info = info_of((run_id, *columns, None, None, location))
    return {"info": info, "data": {"tags": [{"key": key, "value": value} for key, value in tags.items()]}}


def change(
    run_id: UUID,
    *,
    status: str | None,
    end_ms: int | None,
    name: str | None,
    projects: Reach,
    now: int,
) -> Info:
    """End or rename a run; returns its info. Raises NotFound, or Invalid for a deleted run."""
    params = {"run": run_id, "status": status, "end": end_ms, "name": name or None, "projects": projects, "now": now}
    sql = CHANGE + (RENAME if name else "") + f" SELECT {INFO} FROM run r"
    rows = execute(sql, params)
    if not rows:
        raise not_writable(run_id, projects)
    return info_of(rows[0])


def throw_away(run_id: UUID, *, projects: Reach, now: int) -> None:
    """Put a run into the trash; again is harmless. Raises NotFound."""
    sql = TRASH.format(deleted="coalesce(r.deleted_ms, %(now)s)")
    if not execute(sql, {"run": run_id, "projects": projects, "now": now}):
        raise no_run(run_id)


def bring_back(run_id: UUID, *, projects: Reach) -> None:
    """Take a run out of the trash; again is harmless. Raises NotFound, or Invalid while its experiment is in the trash."""
    rows = execute(HOME_OF, {"run": run_id, "projects": projects})
    if not rows:
        raise no_run(run_id)
    number, is_deleted = rows[0]
    if is_deleted:
        raise experiment_deleted(number)
    execute(TRASH.format(deleted="NULL"), {"run": run_id, "projects": projects})
