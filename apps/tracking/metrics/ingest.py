"""The tracking room: writes what a run logs: the hot path.

One request is one prepared statement: it finds the run if it may be written, holds its row against removal, adds
points, lifts the latest values, adds params and tags, and notes that the run lives. It stores all or nothing.
"""

# ruff: noqa: S608 statements are put together from constants of ours; every value is bound

from collections.abc import Callable
from functools import lru_cache
from typing import Any
from uuid import UUID

from psycopg import errors as pg
from psycopg.types.numeric import Int8

from apps.tracking.metrics.batch import Batch, ModelPoint
from apps.tracking.refusals import no_tag, not_writable, param_changed
from apps.tracking.writers import NAMING_TAG, WRITER, require_models
from maestro.database.arrays import Float8Array, Int8Array, TextArray
from maestro.database.statements import execute
from maestro.principals import Reach

HEARTBEAT_MS = 5_000  # a run's row is written at most this often by points alone
PACK_FROM = 8  # points of one metric in one request, from which an array costs less than rows
TRIES = 4
NAME_TAG = "mlflow.runName"

RUN = """run AS MATERIALIZED (
  SELECT r.id, r.experiment_id,
    r.is_folded OR r.status = 'LOST' OR r.last_write_ms < %(now)s - {heartbeat} AS is_due
  FROM tracking_run r WHERE r.id = %(run)s AND r.deleted_ms IS NULL{scope} FOR KEY SHARE OF r)"""
SCOPE = """ AND EXISTS (SELECT FROM tracking_experiment e
    WHERE e.id = r.experiment_id AND e.project_id = ANY(%(projects)s::uuid[]))"""
SERIES = """given AS MATERIALIZED (SELECT * FROM
  unnest(%(names)s, %(steps)s, %(times)s, %(values)s) AS g (name, step, ts, value)),
 made AS (INSERT INTO tracking_metrickey (name)
  SELECT name FROM given, run WHERE NOT EXISTS (SELECT FROM tracking_metrickey k WHERE k.name = given.name)
  ORDER BY name ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING id, name),
 series AS MATERIALIZED (SELECT k.id AS key_id, g.* FROM given g
  JOIN (SELECT id, name FROM tracking_metrickey WHERE name = ANY(%(names)s)
   UNION ALL SELECT id, name FROM made) k USING (name)),
 latest AS (INSERT INTO tracking_latestmetric AS l (run_id, key_id, experiment_id, step, timestamp_ms, value)
  SELECT run.id, key_id, run.experiment_id, step, ts, value FROM run, series ORDER BY key_id
  ON CONFLICT (run_id, key_id) DO UPDATE
  SET step = excluded.step, timestamp_ms = excluded.timestamp_ms, value = excluded.value
  WHERE (excluded.step, excluded.timestamp_ms, excluded.value) > (l.step, l.timestamp_ms, l.value))"""
POINTS = """points AS (INSERT INTO tracking_metricpoint (run_id, key_id, step, timestamp_ms, value)
  SELECT run.id, s.key_id, p.step, p.ts, p.value
  FROM run, unnest(%(p_names)s, %(p_steps)s, %(p_times)s, %(p_values)s) AS p (name, step, ts, value)
  JOIN series s USING (name) ON CONFLICT DO NOTHING)"""
ONES = """ones AS (INSERT INTO tracking_metricpoint (run_id, key_id, step, timestamp_ms, value)
  SELECT run.id, key_id, step, ts, value FROM run, series ON CONFLICT DO NOTHING)"""
CHUNKS = """chunks AS (INSERT INTO tracking_metricchunk
   (run_id, key_id, count, first_step, last_step, first_ms, last_ms, is_ascending, steps, timestamps_ms, "values")
  SELECT run.id, s.key_id, c.hi - c.lo + 1, c.first_step, c.last_step, c.first_ms, c.last_ms, c.is_ascending,
   (%(all_steps)s)[c.lo::int:c.hi::int], (%(all_times)s)[c.lo::int:c.hi::int],
   (%(all_values)s)[c.lo::int:c.hi::int]
  FROM run, unnest(%(c_names)s, %(c_lo)s, %(c_hi)s, %(c_first_step)s, %(c_last_step)s, %(c_first_ms)s,
   %(c_last_ms)s, %(c_ascending)s::bool[]) AS c (name, lo, hi, first_step, last_step, first_ms, last_ms, is_ascending)
  JOIN series s USING (name))"""
# A param that would change is set to NULL, which its column refuses: the constraint makes the rule, races included.
PARAMS = """params AS (INSERT INTO tracking_param AS p (run_id, key, value)
  SELECT run.id, g.key, g.value FROM run, unnest(%(param_keys)s, %(param_values)s) AS g (key, value)
  ON CONFLICT (run_id, key) DO UPDATE SET value = NULL WHERE p.value IS DISTINCT FROM excluded.value)"""
TAGS = """tags AS (INSERT INTO tracking_tag AS t (run_id, key, value)
  SELECT run.id, g.key, g.value FROM run, unnest(%(tag_keys)s, %(tag_values)s) AS g (key, value)
  ON CONFLICT (run_id, key) DO UPDATE SET value = excluded.value WHERE t.value <> excluded.value)"""
OF_MODELS = """of_models AS (INSERT INTO tracking_modelmetric AS m
   (run_id, model_id, key, dataset_name, dataset_digest, step, timestamp_ms, value)
  SELECT DISTINCT ON (g.model_id, g.key, g.dataset_name, g.dataset_digest) run.id, g.*
  FROM run, unnest(%(m_models)s::text[], %(m_keys)s::text[], %(m_names)s::text[], %(m_digests)s::text[], %(m_steps)s,
   %(m_times)s, %(m_values)s) AS g (model_id, key, dataset_name, dataset_digest, step, ts, value)
  ORDER BY g.model_id, g.key, g.dataset_name, g.dataset_digest, g.step DESC, g.ts DESC, g.value DESC
  ON CONFLICT (model_id, key, dataset_name, dataset_digest, run_id) DO UPDATE
  SET step = excluded.step, timestamp_ms = excluded.timestamp_ms, value = excluded.value
  WHERE (excluded.step, excluded.timestamp_ms, excluded.value) > (m.step, m.timestamp_ms, m.value))"""
TOUCH = """touched AS (UPDATE tracking_run r SET last_write_ms = greatest(r.last_write_ms, %(now)s), is_folded = false,
   status = CASE WHEN r.status = 'LOST' THEN 'RUNNING' ELSE r.status END{name}
  FROM run WHERE r.id = run.id AND {due})"""
# One point of a metric whose name is known: the same without columns to lay out.
POINT = """WITH {run}, k AS MATERIALIZED (SELECT id FROM tracking_metrickey WHERE name = %(key)s),
 point AS (INSERT INTO tracking_metricpoint (run_id, key_id, step, timestamp_ms, value)
  SELECT run.id, k.id, %(step)s, %(time)s, %(value)s FROM run, k ON CONFLICT DO NOTHING),
 latest AS (INSERT INTO tracking_latestmetric AS l (run_id, key_id, experiment_id, step, timestamp_ms, value)
  SELECT run.id, k.id, run.experiment_id, %(step)s, %(time)s, %(value)s FROM run, k
  ON CONFLICT (run_id, key_id) DO UPDATE
  SET step = excluded.step, timestamp_ms = excluded.timestamp_ms, value = excluded.value
  WHERE (excluded.step, excluded.timestamp_ms, excluded.value) > (l.step, l.timestamp_ms, l.value)),
 {touch} SELECT (SELECT count(*) FROM run), (SELECT count(*) FROM k)"""
PARTS = {
    "series": SERIES,
    "ones": ONES,
    "points": POINTS,
    "chunks": CHUNKS,
    "params": PARAMS,
    "tags": TAGS,
    "of_models": OF_MODELS,
    "writer": WRITER,
}


@lru_cache(maxsize=512)
def statement(parts: tuple[str, ...], scoped: bool, named: bool) -> str:
    """Write the statement that stores these parts."""
    run = RUN.format(heartbeat=HEARTBEAT_MS, scope=SCOPE if scoped else "")
    # Params and tags change what a folded document says, and points do; all of them make the row due when folded.
    touch = TOUCH.format(name=", name = %(name)s" if named else "", due="true" if named else "run.is_due")
    return f"WITH {', '.join([run, *(PARTS[part] for part in parts), touch])} SELECT count(*) FROM run"


@lru_cache(maxsize=2)
def point_statement(scoped: bool) -> str:
    """Write the statement that stores one point."""
    run = RUN.format(heartbeat=HEARTBEAT_MS, scope=SCOPE if scoped else "")
    return POINT.format(run=run, touch=TOUCH.format(name="", due="run.is_due"))


def is_point(batch: Batch) -> bool:
    """Say whether a batch is one point and nothing else."""
    if len(batch.series) != 1 or batch.params or batch.tags or batch.of_models:
        return False
    return len(batch.series[0].steps) == 1


def write_point(batch: Batch, *, projects: Reach, now: int) -> bool:
    """Store a batch of one point. Returns False, with nothing stored, if its metric has no number yet."""
    series = batch.series[0]
    params: dict[str, Any] = {"run": batch.run_id, "now": now, "projects": projects, "key": series.name}
    params |= {"step": Int8(series.steps[0]), "time": Int8(series.times[0]), "value": float(series.values[0])}
    sql = point_statement(projects is not None)
    found, known = again_after_deadlock(lambda: execute(sql, params))[0]
    if not found:
        raise not_writable(batch.run_id, projects)
    return bool(known)


def write(batch: Batch, *, projects: Reach, now: int) -> None:
    """Store a batch, all or nothing. Raises NotFound, or Invalid for a deleted run or a param that would change."""
    if batch.of_models:
        require_models({point.model_id for point in batch.of_models}, projects)
    if is_point(batch) and write_point(batch, projects=projects, now=now):
        return
    params: dict[str, Any] = {"run": batch.run_id, "now": now, "projects": projects}
    parts = [*add_series(batch, params), *add_pairs(batch, params)]
    name = batch.tags.get(NAME_TAG)
    params["name"] = name
    sql = statement(tuple(parts), projects is not None, name is not None)
    try:
        (found,) = again_after_deadlock(lambda: execute(sql, params))[0]
    except pg.NotNullViolation as error:
        raise param_changed(batch.run_id, batch.params) from error
    if not found:
        raise not_writable(batch.run_id, projects)


def again_after_deadlock(work: Callable[[], Any]) -> Any:
    """Repeat a statement that Postgres gave up so that another could go on."""
    for tries in range(TRIES):
        try:
            return work()
        except pg.DeadlockDetected:
            if tries == TRIES - 1:
                raise
    raise AssertionError("unreachable")


def add_series(batch: Batch, params: dict[str, Any]) -> list[str]:
    """Lay the points out as columns; returns the parts of the statement that read them."""
    if not batch.series:
        return []
    latest = [series.latest() for series in batch.series]
    params["names"] = TextArray([series.name for series in batch.series])
    params["steps"] = Int8Array([point[0] for point in latest])
    params["times"] = Int8Array([point[1] for point in latest])
    params["values"] = Float8Array([point[2] for point in latest])
    parts = ["series"]
    lengths = [len(series.steps) for series in batch.series]
    if max(lengths) == 1:
        parts.append("ones")  # each latest point is all there is of its metric
    elif min(lengths) < PACK_FROM:
        add_points(batch, params)
        parts.append("points")
    if max(lengths) >= PACK_FROM:
        add_chunks(batch, params)
        parts.append("chunks")
    if batch.of_models:
        add_of_models(batch.of_models, params)
        parts.append("of_models")
    return parts


def add_points(batch: Batch, params: dict[str, Any]) -> None:
    """Lay short series out as rows, one a point."""
    few = [series for series in batch.series if len(series.steps) < PACK_FROM]
    params["p_names"] = TextArray([series.name for series in few for _ in series.steps])
    params["p_steps"] = Int8Array([step for series in few for step in series.steps])
    params["p_times"] = Int8Array([time for series in few for time in series.times])
    params["p_values"] = Float8Array([value for series in few for value in series.values])


def add_chunks(batch: Batch, params: dict[str, Any]) -> None:
    """Lay long series out as packed chunks."""
    many = [series for series in batch.series if len(series.steps) >= PACK_FROM]
    steps: list[int] = []
    times: list[int] = []
    values: list[float] = []
    starts, ends = [], []
    for series in many:
        starts.append(len(steps) + 1)
        steps += series.steps
        times += series.times
        values += series.values
        ends.append(len(steps))
    params["all_steps"], params["all_times"], params["all_values"] = (
        Int8Array(steps),
        Int8Array(times),
        Float8Array(values),
    )
    params["c_names"] = TextArray([series.name for series in many])
    params["c_ascending"] = [series.is_ascending for series in many]
    params["c_lo"], params["c_hi"] = Int8Array(starts), Int8Array(ends)
    params["c_first_step"] = Int8Array([min(series.steps) for series in many])
    params["c_last_step"] = Int8Array([max(series.steps) for series in many])
    params["c_first_ms"] = Int8Array([min(series.times) for series in many])
    params["c_last_ms"] = Int8Array([max(series.times) for series in many])


def add_of_models(points: list[ModelPoint], params: dict[str, Any]) -> None:
    """Lay out what was measured of logged models."""
    params["m_models"] = [point.model_id for point in points]
    params["m_keys"] = [point.key for point in points]
    params["m_names"] = [point.dataset_name for point in points]
    params["m_digests"] = [point.dataset_digest for point in points]
    params["m_steps"] = Int8Array([point.step for point in points])
    params["m_times"] = Int8Array([point.timestamp_ms for point in points])
    params["m_values"] = Float8Array([point.value for point in points])


def add_pairs(batch: Batch, params: dict[str, Any]) -> list[str]:
    """Lay params and tags out as columns; returns the parts of the statement that read them."""
    parts = []
    if batch.params:
        params["param_keys"] = TextArray(list(batch.params))
        params["param_values"] = TextArray(list(batch.params.values()))
        parts.append("params")
    if batch.tags:
        params["tag_keys"], params["tag_values"] = TextArray(list(batch.tags)), TextArray(list(batch.tags.values()))
        parts.append("tags")
    if NAMING_TAG in batch.tags:
        params["naming"] = batch.tags[NAMING_TAG]
        parts.append("writer")
    return parts


DROP_TAG = "WITH {run}, gone AS (DELETE FROM tracking_tag t USING run WHERE t.run_id = run.id AND t.key = %(key)s\n RETURNING t.key), {touch} SELECT (SELECT count(*) FROM run), (SELECT count(*) FROM gone)"


def drop_tag(run_id: UUID, key: str, *, projects: Reach, now: int) -> None:
    """Take a tag off a run. Raises NotFound for a tag that is not there, Invalid for a deleted run."""
    run = RUN.format(heartbeat=HEARTBEAT_MS, scope="" if projects is None else SCOPE)
    sql = DROP_TAG.format(run=run, touch=TOUCH.format(name="", due="run.is_due"))
    params = {"run": run_id, "key": key, "projects": projects, "now": now}
    found, gone = again_after_deadlock(lambda: execute(sql, params))[0]
    if not found:
        raise not_writable(run_id, projects)
    if not gone:
        raise no_tag(key, run=run_id.hex)


APPEND = """WITH {run}, added AS (INSERT INTO tracking_tag AS t (run_id, key, value)
  SELECT run.id, 'mlflow.log-model.history', '[' || %(entry)s::text || ']' FROM run
  ON CONFLICT (run_id, key) DO UPDATE SET value = left(t.value, -1) || ', ' || %(entry)s::text || ']'),
 {touch} SELECT count(*) FROM run"""


def append_model(run_id: UUID, entry: str, *, projects: Reach, now: int) -> None:
    """Append a model's description to the tag that older clients read. Raises NotFound or Invalid."""
    run = RUN.format(heartbeat=HEARTBEAT_MS, scope="" if projects is None else SCOPE)
    sql = APPEND.format(run=run, touch=TOUCH.format(name="", due="run.is_due"))
    params = {"run": run_id, "entry": entry, "projects": projects, "now": now}
    if not again_after_deadlock(lambda: execute(sql, params))[0][0]:
        raise not_writable(run_id, projects)
