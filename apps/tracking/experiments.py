"""The tracking room: experiments: made, found, renamed, noted, thrown away and brought back, with their runs."""

# ruff: noqa: S608 statements are put together from constants of ours; every value is bound

import re
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from psycopg import errors as pg

from apps.tracking.models import DEFAULT_PROJECT_ID, Project
from apps.tracking.refusals import experiment_deleted, no_experiment
from maestro.database.statements import execute
from maestro.errors import AlreadyExists, Conflict, Invalid, NotFound
from maestro.mlflow.answers import without_nulls
from maestro.principals import Reach, home_of

PROJECT_TAG = "maestro.project"
CLOUD = re.compile(r"(?:s3|gs|wasbs?|abfss?|hdfs|dbfs)://?[^\s?#]+")
COLUMNS = """e.id, e.name, e.location, e.deleted_ms, e.created_ms, e.updated_ms,
 (SELECT json_agg(x) FROM (SELECT t.key, t.value FROM tracking_experimenttag t WHERE t.experiment_id = e.id
  ORDER BY t.key) x)"""
MINE = "(%(projects)s::uuid[] IS NULL OR e.project_id = ANY(%(projects)s::uuid[]))"
BY_ID = f"SELECT {COLUMNS} FROM tracking_experiment e WHERE e.id = %(id)s AND {MINE}"
BY_NAME = f"SELECT {COLUMNS} FROM tracking_experiment e WHERE e.name = %(name)s AND {MINE}"
MANY = f"""SELECT {COLUMNS} FROM unnest(%(ids)s::bigint[]) WITH ORDINALITY AS w (id, place)
 JOIN tracking_experiment e ON e.id = w.id ORDER BY w.place"""
CREATE = """WITH made AS (INSERT INTO tracking_experiment (project_id, name, created_ms, updated_ms, location)
  VALUES (%(project)s, %(name)s, %(now)s, %(now)s, %(location)s) ON CONFLICT (name) DO NOTHING RETURNING id),
 tags AS (INSERT INTO tracking_experimenttag (experiment_id, key, value)
  SELECT made.id, g.key, g.value FROM made, unnest(%(keys)s::text[], %(values)s::text[]) AS g (key, value))
 SELECT id FROM made"""
RENAME = f"""UPDATE tracking_experiment e SET name = %(name)s, updated_ms = greatest(e.created_ms, %(now)s)
 WHERE e.id = %(id)s AND e.deleted_ms IS NULL AND {MINE} RETURNING e.id"""
DELETE = f"""WITH gone AS (UPDATE tracking_experiment e SET deleted_ms = %(now)s,
   updated_ms = greatest(e.created_ms, %(now)s)
  WHERE e.id = %(id)s AND e.deleted_ms IS NULL AND {MINE} RETURNING e.id),
 runs AS (UPDATE tracking_run r SET deleted_ms = %(now)s FROM gone
  WHERE r.experiment_id = gone.id AND r.deleted_ms IS NULL)
 SELECT id FROM gone"""
RESTORE = f"""WITH gone AS (SELECT e.id, e.deleted_ms FROM tracking_experiment e
  WHERE e.id = %(id)s AND e.deleted_ms IS NOT NULL AND {MINE} FOR UPDATE),
 back AS (UPDATE tracking_experiment e SET deleted_ms = NULL, updated_ms = greatest(e.created_ms, %(now)s)
  FROM gone WHERE e.id = gone.id),
 runs AS (UPDATE tracking_run r SET deleted_ms = NULL FROM gone
  WHERE r.experiment_id = gone.id AND r.deleted_ms = gone.deleted_ms)
 SELECT id FROM gone"""
SET_TAG = f"""WITH home AS (UPDATE tracking_experiment e SET updated_ms = greatest(e.created_ms, %(now)s),
   project_id = coalesce(%(moved)s::uuid, e.project_id)
  WHERE e.id = %(id)s AND e.deleted_ms IS NULL AND {MINE} RETURNING e.id)
 INSERT INTO tracking_experimenttag (experiment_id, key, value) SELECT id, %(key)s, %(value)s FROM home
 ON CONFLICT (experiment_id, key) DO UPDATE SET value = excluded.value RETURNING id"""
DROP_TAG = """DELETE FROM tracking_experimenttag WHERE experiment_id = %(id)s AND key = %(key)s RETURNING id"""


def answer_of(row: Sequence[Any]) -> dict[str, Any]:
    """Lay out an experiment as MLflow clients read it."""
    identity, name, location, deleted_ms, created_ms, updated_ms, tags = row
    return without_nulls(
        {
            "experiment_id": str(identity),
            "name": name,
            "artifact_location": location or f"mlflow-artifacts:/{identity}",
            "lifecycle_stage": "active" if deleted_ms is None else "deleted",
            "creation_time": created_ms,
            "last_update_time": updated_ms,
            "tags": tags,
        }
    )


def fetch(identity: int, projects: Reach) -> dict[str, Any]:
    """Fetch an experiment by its number, deleted ones as well. Raises NotFound."""
    rows = execute(BY_ID, {"id": identity, "projects": projects})
    if not rows:
        raise no_experiment(identity)
    return answer_of(rows[0])


def fetch_by_name(name: str, projects: Reach) -> dict[str, Any]:
    """Fetch an experiment by its name, deleted ones as well. Raises NotFound."""
    rows = execute(BY_NAME, {"name": name, "projects": projects})
    if not rows:
        raise NotFound(f"Could not find experiment with name '{name[:200]}'")
    return answer_of(rows[0])


def fetch_many(identities: Sequence[int]) -> list[dict[str, Any]]:
    """Fetch experiments in the order of their numbers."""
    return [answer_of(row) for row in execute(MANY, {"ids": list(identities)})]


def project_for(tags: dict[str, str], projects: Reach) -> UUID:
    """Choose the project of a new experiment: the tag's, else the only one in reach, else the default one."""
    wanted = tags.get(PROJECT_TAG)
    if wanted is None:
        return home_of(projects, f"tag the experiment with {PROJECT_TAG}") or DEFAULT_PROJECT_ID
    return named_project(wanted, projects)


def named_project(wanted: str, projects: Reach) -> UUID:
    """Find the project that a tag names. Raises Invalid for one that is not there, or not in reach."""
    try:
        found: UUID = Project.objects.fetch(wanted).pk
    except NotFound:
        found = None  # type: ignore[assignment]
    if found is None or (projects is not None and found not in projects):
        raise Invalid(f"Tag '{PROJECT_TAG}' names a project that is not there: '{wanted[:100]}'", "no_such_project")
    return found


def check_location(location: str) -> str:
    """Accept a bucket of the caller's; refuse what would be a path on somebody's disk."""
    if location and not CLOUD.fullmatch(location):
        raise Invalid(
            "Invalid value for parameter 'artifact_location': leave it out, so that Maestro keeps the files,"
            " or name a bucket (s3://, gs://, wasbs://, abfss://, hdfs://, dbfs:/)",
            "bad_location",
        )
    return location.rstrip("/")


def create(name: str, *, location: str, tags: dict[str, str], projects: Reach, now: int) -> int:
    """Make an experiment. Raises AlreadyExists if the name is taken, also by a deleted one."""
    params = {
        "project": project_for(tags, projects),
        "name": name,
        "location": check_location(location),
        "keys": sorted(tags),
        "values": [tags[key] for key in sorted(tags)],
        "now": now,
    }
    rows = execute(CREATE, params)
    if not rows:
        raise name_taken(name, projects)
    return int(rows[0][0])


def name_taken(name: str, projects: Reach) -> AlreadyExists:
    """Say that a name is taken, and by what lies in the trash if the caller may see that."""
    found = execute(BY_NAME, {"name": name, "projects": projects})
    where = ""
    if found and answer_of(found[0])["lifecycle_stage"] == "deleted":
        where = f" It lies in the trash as experiment {found[0][0]}: restore it, or choose another name."
    return AlreadyExists(f"Experiment(name={name[:200]}) already exists.{where}")


def rename(identity: int, name: str, *, projects: Reach, now: int) -> None:
    """Rename an active experiment. Raises NotFound, Conflict or AlreadyExists."""
    try:
        rows = execute(RENAME, {"id": identity, "name": name, "projects": projects, "now": now})
    except pg.UniqueViolation as error:
        raise name_taken(name, projects) from error
    if not rows:
        fetch(identity, projects)
        raise Conflict("Cannot rename a non-active experiment.")


def throw_away(identity: int, *, projects: Reach, now: int) -> None:
    """Put an active experiment and its runs into the trash. Raises NotFound."""
    if not execute(DELETE, {"id": identity, "projects": projects, "now": now}):
        raise no_experiment(identity)


def bring_back(identity: int, *, projects: Reach, now: int) -> None:
    """Take an experiment, and the runs that went with it, out of the trash. Raises NotFound."""
    if not execute(RESTORE, {"id": identity, "projects": projects, "now": now}):
        raise no_experiment(identity)


def check_active(identity: int, projects: Reach) -> None:
    """Raise NotFound for an experiment that is not there, Invalid for one in the trash."""
    if fetch(identity, projects)["lifecycle_stage"] != "active":
        raise experiment_deleted(identity)


def set_tag(identity: int, key: str, value: str, *, projects: Reach, now: int) -> None:
    """Note something on an active experiment; the tag maestro.project moves it."""
    moved = named_project(value, projects) if key == PROJECT_TAG else None
    params = {"id": identity, "key": key, "value": value, "moved": moved, "projects": projects, "now": now}
    if not execute(SET_TAG, params):
        check_active(identity, projects)
        raise no_experiment(identity)


def drop_tag(identity: int, key: str, *, projects: Reach) -> None:
    """Take a note off an active experiment. Raises NotFound if it is not there."""
    check_active(identity, projects)
    if not execute(DROP_TAG, {"id": identity, "key": key}):
        raise NotFound(f"No tag with name: {key} in experiment with id {identity}")


VISIBLE = """SELECT e.id FROM tracking_experiment e
 WHERE e.id = ANY(%(ids)s::bigint[]) AND e.project_id = ANY(%(projects)s::uuid[])"""


def visible(identities: Sequence[int], projects: Reach) -> list[int]:
    """Leave out what is not in reach."""
    if projects is None:
        return list(identities)
    return [row[0] for row in execute(VISIBLE, {"ids": list(identities), "projects": projects})]
