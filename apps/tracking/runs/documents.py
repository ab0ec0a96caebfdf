"""The tracking room: runs as MLflow clients read them.

Postgres writes the part that can be long: data, inputs and outputs as JSON text. For a run that has been quiet
for a while that text is kept, and a page of runs is then one index walk and one row a run.
"""

# ruff: noqa: S608 statements are put together from constants of ours; every value is bound

from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from uuid import UUID

import msgspec

from apps.tracking.refusals import no_run
from maestro.database.arrays import UuidArray
from maestro.database.statements import execute
from maestro.principals import Reach

TAIL = """'"data":{' || concat_ws(',',
   '"metrics":' || (SELECT json_agg(x) FROM (SELECT k.name AS key, l.value, l.timestamp_ms AS timestamp, l.step
     FROM tracking_latestmetric l JOIN tracking_metrickey k ON k.id = l.key_id WHERE l.run_id = r.id ORDER BY k.name) x),
   '"params":' || (SELECT json_agg(x) FROM (SELECT p.key, p.value FROM tracking_param p WHERE p.run_id = r.id
     ORDER BY p.key) x),
   '"tags":' || (SELECT json_agg(x) FROM (SELECT t.key, t.value FROM tracking_tag t WHERE t.run_id = r.id
     ORDER BY t.key) x)) || '}'
  || coalesce(',"inputs":{' || nullif(concat_ws(',',
   '"dataset_inputs":' || (SELECT json_agg(x) FROM (SELECT i.tags, json_strip_nulls(json_build_object('name', d.name,
      'digest', d.digest, 'source_type', d.source_type, 'source', d.source, 'schema', nullif(d.schema, ''),
      'profile', nullif(d.profile, ''))) AS dataset
     FROM tracking_runinput i JOIN tracking_dataset d ON d.id = i.dataset_id WHERE i.run_id = r.id ORDER BY i.id) x),
   '"model_inputs":' || (SELECT json_agg(x) FROM (SELECT m.model_id FROM tracking_runmodel m
     WHERE m.run_id = r.id AND m.direction = 'input' ORDER BY m.id) x)), '') || '}', '')
  || coalesce(',"outputs":{"model_outputs":' || (SELECT json_agg(x) FROM (SELECT m.model_id, m.step
     FROM tracking_runmodel m WHERE m.run_id = r.id AND m.direction = 'output' ORDER BY m.id) x) || '}', '')"""
INFO = "r.id, r.experiment_id, r.name, r.user_name, r.status, r.start_ms, r.end_ms, r.deleted_ms, r.location"
BODY = f"CASE WHEN r.is_folded THEN d.body ELSE convert_to({TAIL}, 'UTF8') END"
ONE = f"""SELECT {INFO}, {BODY} FROM tracking_run r LEFT JOIN tracking_rundocument d ON d.run_id = r.id
 WHERE r.id = %(run)s"""
# The ids are known: their places come back in their stead.
MANY = f"""SELECT w.place, {INFO.removeprefix("r.id, ")}, {BODY} FROM unnest(%(runs)s) WITH ORDINALITY AS w (id, place)
 JOIN tracking_run r ON r.id = w.id LEFT JOIN tracking_rundocument d ON d.run_id = r.id ORDER BY w.place"""
SCOPED = """ AND EXISTS (SELECT FROM tracking_experiment e
  WHERE e.id = r.experiment_id AND e.project_id = ANY(%(projects)s::uuid[]))"""
EMPTY = b'"data":{}'


class Info(msgspec.Struct, omit_defaults=True, gc=False):
    """What an MLflow client reads first of a run."""

    run_id: str
    run_uuid: str
    run_name: str
    experiment_id: str
    user_id: str
    status: str
    start_time: int
    artifact_uri: str
    lifecycle_stage: str
    end_time: int | None = None


WRITER = msgspec.json.Encoder()


def info_of(row: Sequence[Any]) -> Info:
    """Lay out a run's info from the columns of INFO."""
    run_id, experiment_id, name, user, status, start_ms, end_ms, deleted_ms, location = row[:9]
    hexes = run_id.hex
    home = str(experiment_id)
    shown = "RUNNING" if status == "LOST" else status
    root = f"{location or f'mlflow-artifacts:/{home}'}/{hexes}/artifacts"
    stage = "active" if deleted_ms is None else "deleted"
    return Info(hexes, hexes, name, home, user, shown, start_ms, root, stage, end_ms)


def run_json(row: Sequence[Any]) -> bytes:
    """Write one run: info, and the part that Postgres wrote."""
    return b"".join((b'{"info":', WRITER.encode(info_of(row)), b",", row[9] or EMPTY, b"}"))


def fetch(run_id: UUID, projects: Reach = None) -> bytes:
    """Write one run as JSON. Raises NotFound."""
    sql = ONE if projects is None else ONE + SCOPED
    rows = execute(sql, {"run": run_id, "projects": projects})
    if not rows:
        raise no_run(run_id)
    return run_json(rows[0])


def written(run_ids: Iterable[UUID]) -> list[bytes]:
    """Write runs, each as JSON, in the order of their ids."""
    return [b"".join((b'{"info":', info, b",", tail, b"}")) for info, tail in read_many(run_ids)]


def read_many(run_ids: Iterable[UUID]) -> Iterator[tuple[bytes, bytes]]:
    """Read runs in the order of their ids: info, and the part that Postgres wrote."""
    ids = list(run_ids)
    rows = execute(MANY, {"runs": UuidArray(ids)})
    # One call for all: a line holds no line break of its own, as JSON writes those as text.
    infos = WRITER.encode_lines([info_of((ids[row[0] - 1], *row[1:9])) for row in rows]).split(b"\n")
    return ((info, row[9] or EMPTY) for info, row in zip(infos, rows, strict=False))


EXISTS = """SELECT 1 FROM tracking_run r WHERE r.id = %(run)s AND (%(projects)s::uuid[] IS NULL
  OR EXISTS (SELECT FROM tracking_experiment e WHERE e.id = r.experiment_id AND e.project_id = ANY(%(projects)s::uuid[])))"""


def require(run_id: UUID, projects: Reach = None) -> None:
    """Raise NotFound unless the run is there, deleted ones as well."""
    if not execute(EXISTS, {"run": run_id, "projects": projects}):
        raise no_run(run_id)


UNFOLD = "UPDATE tracking_run SET is_folded = false WHERE id = ANY(%(runs)s::uuid[]) AND is_folded"


def unfold(run_ids: Iterable[UUID]) -> None:
    """Mark kept documents as out of date, after rows that they show were written."""
    execute(UNFOLD, {"runs": list(run_ids)})
