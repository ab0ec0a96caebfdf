"""The tracking room: experiments: made, found, renamed, noted, thrown away and brought back, with their runs."""

# ruff: noqa: S608 statements are put together from constants of ours; every value is bound

import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from django.db import transaction
from psycopg import errors as pg

from apps.tenants.access.audit.recording import record
from apps.tracking.actions import Act
from apps.tracking.models import DEFAULT_PROJECT_ID, Experiment, Project
from apps.tracking.refusals import experiment_is_deleted, name_is_taken, no_experiment, no_experiment_named, no_tag
from maestro.database.statements import execute
from maestro.errors import AlreadyExists, Conflict, Invalid, NotFound
from maestro.principals import Actor, Reach, home_of

PROJECT_TAG = "maestro.project"
LOGGED_CHARS = 1_000
ACTIVE, TRASHED = {"in_trash": False}, {"in_trash": True}
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
HELD = f"SELECT 1 FROM tracking_experiment e WHERE e.id = %(id)s AND {MINE} FOR UPDATE"
SET_TAG = f"""WITH home AS (UPDATE tracking_experiment e SET updated_ms = greatest(e.created_ms, %(now)s),
   project_id = coalesce(%(moved)s::uuid, e.project_id)
  WHERE e.id = %(id)s AND e.deleted_ms IS NULL AND {MINE} RETURNING e.id)
 INSERT INTO tracking_experimenttag (experiment_id, key, value) SELECT id, %(key)s, %(value)s FROM home
 ON CONFLICT (experiment_id, key) DO UPDATE SET value = excluded.value RETURNING id"""
DROP_TAG = """DELETE FROM tracking_experimenttag WHERE experiment_id = %(id)s AND key = %(key)s RETURNING id"""


class Told(NamedTuple):
    """An experiment with its notes, in the order of COLUMNS."""

    id: int
    name: str
    location: str
    deleted_ms: int | None
    created_ms: int
    updated_ms: int
    tags: list[dict[str, str]] | None

    def tag(self, key: str) -> dict[str, str] | None:
        """Tell of one note for the log; None if there is none of that name."""
        values = [tag["value"] for tag in self.tags or [] if tag["key"] == key]
        return {"tag": key, "value": values[0][:LOGGED_CHARS]} if values else None


def fetch(identity: int, projects: Reach) -> Told:
    """Fetch an experiment by its number, deleted ones as well. Raises NotFound."""
    rows = execute(BY_ID, {"id": identity, "projects": projects})
    if not rows:
        raise no_experiment(identity)
    return Told(*rows[0])


def fetch_by_name(name: str, projects: Reach) -> Told:
    """Fetch an experiment by its name, deleted ones as well. Raises NotFound."""
    rows = execute(BY_NAME, {"name": name, "projects": projects})
    if not rows:
        raise no_experiment_named(name)
    return Told(*rows[0])


def fetch_many(identities: Sequence[int]) -> list[Told]:
    """Fetch experiments in the order of their numbers."""
    return [Told(*row) for row in execute(MANY, {"ids": list(identities)})]


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
        raise Invalid(f"the tag {PROJECT_TAG} names a project that is not there: {wanted[:100]!r}", "no_such_project")
    return found


def check_location(location: str) -> str:
    """Accept a bucket of the caller's; refuse what would be a path on somebody's disk."""
    if location and not CLOUD.fullmatch(location):
        raise Invalid(
            "a location of files is left out, so that Maestro keeps them, or names a bucket"
            " (s3://, gs://, wasbs://, abfss://, hdfs://, dbfs:/)",
            "bad_location",
            facts={"field": "artifact_location"},
        )
    return location.rstrip("/")


def create(name: str, by: Actor, *, now: int, location: str = "", tags: dict[str, str] | None = None) -> int:
    """Make an experiment. Raises AlreadyExists if the name is taken, also by a deleted one."""
    tags = tags or {}
    project = project_for(tags, by.projects)
    params = {
        "project": project,
        "name": name,
        "location": check_location(location),
        "keys": sorted(tags),
        "values": [tags[key] for key in sorted(tags)],
        "now": now,
    }
    with transaction.atomic():
        rows = execute(CREATE, params)
        if not rows:
            raise taken(name, by)
        note(by, Act.EXPERIMENT_CREATE, rows[0][0], after={"name": name, "project": str(project), "tags": tags})
    return int(rows[0][0])


def rename(identity: int, name: str, by: Actor, *, now: int, guard: Callable[[], None] | None = None) -> None:
    """Rename an active experiment. Raises NotFound, Conflict or AlreadyExists; `guard` is asked with the row held."""
    with transaction.atomic():
        execute(HELD, {"id": identity, "projects": by.projects})
        before = fetch(identity, by.projects)
        if guard is not None:
            guard()
        if before.deleted_ms is not None:
            raise Conflict(f"the experiment {identity} is in the trash", "not_active", facts={"experiment": identity})
        try:
            with transaction.atomic():
                execute(RENAME, {"id": identity, "name": name, "projects": by.projects, "now": now})
        except pg.UniqueViolation as error:
            raise taken(name, by) from error
        note(by, Act.EXPERIMENT_RENAME, identity, before={"name": before.name}, after={"name": name})


def taken(name: str, by: Actor) -> AlreadyExists:
    """Say that a name is taken, and by what lies in the trash if that is within reach."""
    found = execute(BY_NAME, {"name": name, "projects": by.projects})
    is_trashed = bool(found) and Told(*found[0]).deleted_ms is not None
    return name_is_taken(name, found[0][0] if is_trashed else None)


def throw_away(identity: int, by: Actor, *, at_ms: int) -> None:
    """Put an active experiment and its runs into the trash. Raises NotFound."""
    with transaction.atomic():
        if not execute(DELETE, {"id": identity, "projects": by.projects, "now": at_ms}):
            raise no_experiment(identity)
        note(by, Act.EXPERIMENT_TRASH, identity, before=ACTIVE, after=TRASHED)


def bring_back(identity: int, by: Actor, *, at_ms: int) -> None:
    """Take an experiment, and the runs that went with it, out of the trash. Raises NotFound."""
    with transaction.atomic():
        if not execute(RESTORE, {"id": identity, "projects": by.projects, "now": at_ms}):
            raise no_experiment(identity)
        note(by, Act.EXPERIMENT_RESTORE, identity, before=TRASHED, after=ACTIVE)


def destroy(identity: int, by: Actor) -> None:
    """Delete an experiment without runs for good. Raises ProtectedError for what a room above relies on."""
    with transaction.atomic():
        found = Experiment.objects.select_for_update().fetch(identity)
        by.require("admin", [found.project_id])
        note(by, Act.EXPERIMENT_DESTROY, identity, before={"name": found.name})
        found.delete()


def check_active(identity: int, projects: Reach) -> Told:
    """Fetch an active experiment. Raises NotFound for one that is not there, Invalid for one in the trash."""
    found = fetch(identity, projects)
    if found.deleted_ms is not None:
        raise experiment_is_deleted(identity)
    return found


def set_tag(identity: int, key: str, value: str, by: Actor, *, now: int) -> None:
    """Note something on an active experiment; the tag maestro.project moves it. Raises NotFound, Invalid."""
    moved = named_project(value, by.projects) if key == PROJECT_TAG else None
    params = {"id": identity, "key": key, "value": value, "moved": moved, "projects": by.projects, "now": now}
    with transaction.atomic():
        before = check_active(identity, by.projects).tag(key)
        if not execute(SET_TAG, params):
            check_active(identity, by.projects)
            raise no_experiment(identity)
        after = {"tag": key, "value": value[:LOGGED_CHARS]}
        note(by, Act.EXPERIMENT_TAG, identity, before=before, after=after)


def drop_tag(identity: int, key: str, by: Actor) -> None:
    """Take a note off an active experiment. Raises NotFound if it is not there."""
    with transaction.atomic():
        before = check_active(identity, by.projects).tag(key)
        if not execute(DROP_TAG, {"id": identity, "key": key}):
            raise no_tag(key, experiment=identity)
        note(by, Act.EXPERIMENT_UNTAG, identity, before=before)


def note(by: Actor, act: Act, number: int, *, before: Any = None, after: Any = None) -> None:
    """Record what happened to an experiment."""
    record(by, act, object_type="Experiment", object_id=number, before=before, after=after)


VISIBLE = """SELECT e.id FROM tracking_experiment e
 WHERE e.id = ANY(%(ids)s::bigint[]) AND e.project_id = ANY(%(projects)s::uuid[])"""


def visible(identities: Sequence[int], projects: Reach) -> list[int]:
    """Leave out what is not in reach."""
    if projects is None:
        return list(identities)
    return [row[0] for row in execute(VISIBLE, {"ids": list(identities), "projects": projects})]
