"""The tracking room: tags on many runs at once."""

import uuid
from collections.abc import Collection, Mapping, Sequence

from django.db import transaction

from apps.tracking.actions import Act
from apps.tracking.metrics import ingest
from apps.tracking.runs.events import note_bulk
from apps.tracking.runs.selection import hold
from apps.tracking.writers import NAMING_TAG, WRITER
from maestro.database.statements import execute
from maestro.errors import Conflict, Invalid
from maestro.principals import Actor

RESERVED = "mlflow."
# What a run shows is written anew, but the run itself said nothing: it stays lost, or quiet, if it was.
CHANGED = """WITH put AS (INSERT INTO tracking_tag AS t (run_id, key, value)
  SELECT r.id, g.key, g.value FROM unnest(%(runs)s::uuid[]) AS r (id)
   CROSS JOIN unnest(%(keys)s::text[], %(values)s::text[]) AS g (key, value) ORDER BY 1, 2
  ON CONFLICT (run_id, key) DO UPDATE SET value = excluded.value WHERE t.value <> excluded.value RETURNING run_id),
 gone AS (DELETE FROM tracking_tag t WHERE t.run_id = ANY(%(runs)s::uuid[]) AND t.key = ANY(%(dropped)s::text[])
  RETURNING t.run_id),
 {writer}touched AS (SELECT run_id, true AS is_put FROM put UNION SELECT run_id, false FROM gone),
 unfolded AS (UPDATE tracking_run r SET is_folded = false WHERE r.id IN (SELECT run_id FROM touched))
 SELECT run_id, is_put FROM touched"""
WROTE = f"run AS (SELECT unnest(%(runs)s::uuid[]) AS id), {WRITER}, "
OLD = """SELECT t.run_id, t.key, left(t.value, 200) FROM tracking_tag t
 WHERE t.run_id = ANY(%(runs)s::uuid[]) AND t.key = ANY(%(keys)s::text[]) ORDER BY 1, 2"""


def tag(runs: Sequence[uuid.UUID], by: Actor, *, put: Mapping[str, str], dropped: Sequence[str]) -> int:
    """Put tags on runs and take others off; returns how many runs have changed.

    Raises Forbidden, Invalid for a key that belongs to MLflow's clients, Conflict for a run in the trash.
    """
    check_keys([*put, *dropped])
    if set(put) & set(dropped):
        raise Invalid("a tag can't be set and taken off at once", "bad_tags")
    with transaction.atomic():
        held = hold(runs, by)
        by.require("contributor", {run.project_id for run in held})
        for run in held:
            if run.deleted_ms is not None:
                raise Conflict(f"the run {run.id.hex} is in the trash; nothing was changed", "run_is_deleted")
        before = old_values(runs, [*put, *dropped])
        params = {"runs": list(runs), "keys": list(put), "values": list(put.values()), "dropped": list(dropped)}
        params |= {"naming": put.get(NAMING_TAG), "projects": by.reach_with("contributor")}
        touched = execute(CHANGED.format(writer=WROTE if NAMING_TAG in put else ""), params)
        tagged, untagged = ({run_id for run_id, is_put in touched if is_put is which} for which in (True, False))
        note_bulk(by, Act.RUN_TAG, sorted(tagged), before={"tags": only(before, put)}, after={"tags": dict(put)})
        note_bulk(by, Act.RUN_UNTAG, sorted(untagged), before={"tags": only(before, dropped)})
    return len(tagged | untagged)


def untag(run_id: uuid.UUID, key: str, by: Actor, *, at_ms: int) -> None:
    """Take one tag off one run, as clients do. Raises NotFound for a tag that is not there, Invalid for the trash."""
    with transaction.atomic():
        before = old_values([run_id], [key])
        ingest.drop_tag(run_id, key, projects=by.projects, now=at_ms)
        note_bulk(by, Act.RUN_UNTAG, [run_id], before={"tags": before})


def only(values: Mapping[str, Mapping[str, str]], keys: Collection[str]) -> dict[str, dict[str, str]]:
    """Keep some tags of what runs said before."""
    kept = {name: {key: text for key, text in tags.items() if key in keys} for name, tags in values.items()}
    return {name: tags for name, tags in kept.items() if tags}


def check_keys(keys: Sequence[str]) -> None:
    """Raise Invalid for no keys at all, and for those that only MLflow's clients write."""
    if not keys:
        raise Invalid("name tags to set or to take off", "no_tags")
    reserved = [key for key in keys if key.startswith(RESERVED)]
    if reserved:
        raise Invalid(f"tags that begin with {RESERVED!r} belong to clients: {reserved[0][:100]!r}", "reserved_tag")


def old_values(runs: Sequence[uuid.UUID], keys: Sequence[str]) -> dict[str, dict[str, str]]:
    """Read what these tags said before, by run; long values are cut."""
    found: dict[str, dict[str, str]] = {}
    for run_id, key, value in execute(OLD, {"runs": list(runs), "keys": list(keys)}):
        found.setdefault(run_id.hex, {})[key] = value
    return found
