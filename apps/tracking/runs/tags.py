"""The tracking room: tags on many runs at once."""

import uuid
from collections.abc import Mapping, Sequence

from django.db import transaction

from apps.tracking.actions import Act
from apps.tracking.runs.events import note_bulk
from apps.tracking.runs.selection import Doer, hold
from apps.tracking.writers import NAMING_TAG, WRITER
from maestro.database.statements import execute
from maestro.errors import Conflict, Invalid

RESERVED = "mlflow."
# What a run shows is written anew, but the run itself said nothing: it stays lost, or quiet, if it was.
CHANGED = """WITH put AS (INSERT INTO tracking_tag AS t (run_id, key, value)
  SELECT r.id, g.key, g.value FROM unnest(%(runs)s::uuid[]) AS r (id)
   CROSS JOIN unnest(%(keys)s::text[], %(values)s::text[]) AS g (key, value) ORDER BY 1, 2
  ON CONFLICT (run_id, key) DO UPDATE SET value = excluded.value WHERE t.value <> excluded.value RETURNING run_id),
 gone AS (DELETE FROM tracking_tag t WHERE t.run_id = ANY(%(runs)s::uuid[]) AND t.key = ANY(%(dropped)s::text[])
  RETURNING t.run_id),
 {writer}touched AS (SELECT run_id FROM put UNION SELECT run_id FROM gone),
 unfolded AS (UPDATE tracking_run r SET is_folded = false FROM touched WHERE r.id = touched.run_id)
 SELECT run_id FROM touched"""
WROTE = f"run AS (SELECT unnest(%(runs)s::uuid[]) AS id), {WRITER}, "
OLD = """SELECT t.run_id, t.key, left(t.value, 200) FROM tracking_tag t
 WHERE t.run_id = ANY(%(runs)s::uuid[]) AND t.key = ANY(%(keys)s::text[]) ORDER BY 1, 2"""


def tag(runs: Sequence[uuid.UUID], doer: Doer, *, put: Mapping[str, str], dropped: Sequence[str]) -> int:
    """Put tags on runs and take others off; returns how many runs have changed.

    Raises Forbidden, Invalid for a key that belongs to MLflow's clients, Conflict for a run in the trash.
    """
    check_keys([*put, *dropped])
    if set(put) & set(dropped):
        raise Invalid("a tag can't be set and taken off at once", "bad_tags")
    with transaction.atomic():
        held = hold(runs)
        doer.require("contributor", {run.project_id for run in held})
        for run in held:
            if run.deleted_ms is not None:
                raise Conflict(f"the run {run.id.hex} is in the trash; nothing was changed", "run_is_deleted")
        before = old_values(runs, [*put, *dropped])
        params = {"runs": list(runs), "keys": list(put), "values": list(put.values()), "dropped": list(dropped)}
        params |= {"naming": put.get(NAMING_TAG), "projects": doer.reach}
        sql = CHANGED.format(writer=WROTE if NAMING_TAG in put else "")
        changed = sorted(row[0] for row in execute(sql, params))
        after = {"tags": dict(put), "dropped": list(dropped)}
        note_bulk(doer, Act.RUN_TAG, changed, after=after, before={"tags": before})
    return len(changed)


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
