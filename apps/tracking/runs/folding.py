"""The tracking room: what quiet runs logged, put into the form that is fastest to read.

Single points and small chunks become large chunks; the part of a run's answer that can be long is written once
and kept. Each step is one transaction that moves rows or writes them anew, so a crash at any point loses nothing
and doing it again changes nothing. Reading drops duplicates, so nothing waits for this.
"""

# ruff: noqa: S608 statements are put together from constants of ours; every value is bound

from collections.abc import Sequence
from uuid import UUID

from django.db import transaction

from apps.tracking.metrics.points import OUTLINE_FROM, Points, outline_of
from apps.tracking.runs.documents import TAIL
from maestro.database.statements import execute

QUIET_MS = 15_000
RUNS_AT_ONCE = 200
CHUNK_POINTS = 5_000
SMALL_CHUNK = 1_000
BUSY_POINTS = 2_000
BUSY_CHUNKS = 200
OUTLINES_AT_ONCE = 100

DUE = "SELECT EXISTS (SELECT FROM tracking_run WHERE NOT is_folded)"
QUIET = """SELECT id FROM tracking_run WHERE NOT is_folded AND last_write_ms < %(before)s{among}
 ORDER BY last_write_ms LIMIT %(most)s FOR UPDATE SKIP LOCKED"""
AMONG = " AND id = ANY(%(runs)s::uuid[])"
# A run that never rests would leave its points single for ever, and its chunks without outlines; these find those
# that have many.
BUSY = """SELECT r.id FROM tracking_run r WHERE NOT r.is_folded AND r.last_write_ms >= %(before)s
 AND (SELECT count(*) FROM (SELECT FROM tracking_metricpoint p WHERE p.run_id = r.id LIMIT %(busy)s) s) = %(busy)s
 LIMIT %(most)s"""
BARE = """SELECT r.id FROM tracking_run r WHERE NOT r.is_folded AND r.last_write_ms >= %(before)s
 AND (SELECT count(*) FROM (SELECT FROM tracking_metricchunk c WHERE c.run_id = r.id AND c.outline IS NULL
  AND c.count >= %(least)s LIMIT %(busy)s) s) = %(busy)s LIMIT %(most)s"""
# A lone point without chunks is smaller as a row, and stays one.
SERIES_TO_FOLD = """SELECT p.run_id, p.key_id FROM tracking_metricpoint p WHERE p.run_id = ANY(%(runs)s::uuid[])
 GROUP BY 1, 2 HAVING count(*) > 1 OR EXISTS (SELECT FROM tracking_metricchunk c
  WHERE c.run_id = p.run_id AND c.key_id = p.key_id)
 UNION SELECT c.run_id, c.key_id FROM tracking_metricchunk c
  WHERE c.run_id = ANY(%(runs)s::uuid[]) AND c.count < %(small)s GROUP BY 1, 2 HAVING count(*) > 1 ORDER BY 1, 2"""
FOLD = """WITH single AS (DELETE FROM tracking_metricpoint p WHERE p.run_id = %(run)s AND p.key_id = %(key)s
  RETURNING p.step, p.timestamp_ms, p.value),
 small AS (DELETE FROM tracking_metricchunk c WHERE c.run_id = %(run)s AND c.key_id = %(key)s AND c.count < %(small)s
  RETURNING c.steps, c.timestamps_ms, c."values"),
 points AS (SELECT step, timestamp_ms, value FROM single
  UNION SELECT u.step, u.ts, u.value FROM small, unnest(small.steps, small.timestamps_ms, small."values")
   AS u (step, ts, value)),
 placed AS (SELECT *, (row_number() OVER o - 1) / %(size)s AS part, lag(step) OVER o AS before FROM points
  WINDOW o AS (ORDER BY timestamp_ms, step, value))
 INSERT INTO tracking_metricchunk
  (run_id, key_id, count, first_step, last_step, first_ms, last_ms, is_ascending, steps, timestamps_ms, "values")
 SELECT %(run)s, %(key)s, count(*), min(step), max(step), min(timestamp_ms), max(timestamp_ms),
  bool_and(before IS NULL OR before < step), array_agg(step ORDER BY timestamp_ms, step, value),
  array_agg(timestamp_ms ORDER BY timestamp_ms, step, value), array_agg(value ORDER BY timestamp_ms, step, value) FROM placed GROUP BY part"""
WRITE = f"""INSERT INTO tracking_rundocument AS d (run_id, body)
 SELECT r.id, convert_to({TAIL}, 'UTF8') FROM tracking_run r WHERE r.id = ANY(%(runs)s::uuid[])
 ON CONFLICT (run_id) DO UPDATE SET body = excluded.body"""
MARK = "UPDATE tracking_run SET is_folded = true WHERE id = ANY(%(runs)s::uuid[])"
WITHOUT_OUTLINE = """SELECT c.id, c.steps, c.timestamps_ms, c."values" FROM tracking_metricchunk c
 WHERE c.run_id = ANY(%(runs)s::uuid[]) AND c.outline IS NULL AND c.count >= %(least)s LIMIT %(most)s"""
OUTLINE = """UPDATE tracking_metricchunk c SET outline = w.outline
 FROM unnest(%(ids)s::bigint[], %(outlines)s::bytea[]) AS w (id, outline) WHERE c.id = w.id"""


def is_due() -> bool:
    """Say whether any run is to be folded, now or once it rests: by a partial index that is empty in an idle tenant."""
    return bool(execute(DUE)[0][0])


def fold_quiet(now: int, *, quiet_ms: int = QUIET_MS, most: int = RUNS_AT_ONCE) -> int:
    """Fold up to `most` runs that have been quiet; returns how many. Nought means that none is left."""
    quiet = {"before": now - quiet_ms, "most": most}
    with transaction.atomic():
        # The lock waits for writers that are under way and holds off new ones, which then see the run as folded.
        runs = [row[0] for row in execute(QUIET.format(among=""), quiet)]
        fold_points(runs)
    outline(runs)
    with transaction.atomic():
        runs_at_rest = [row[0] for row in execute(QUIET.format(among=AMONG), quiet | {"runs": runs})]
        execute(WRITE, {"runs": runs_at_rest})
        execute(MARK, {"runs": runs_at_rest})
    return len(runs)


def fold_busy(now: int, *, quiet_ms: int = QUIET_MS, most: int = RUNS_AT_ONCE) -> int:
    """Pack the points of runs that keep writing, and outline their chunks; returns how many runs."""
    busy = {"before": now - quiet_ms, "most": most}
    runs = [row[0] for row in execute(BUSY, busy | {"busy": BUSY_POINTS})]
    fold_points(runs)
    bare = [row[0] for row in execute(BARE, busy | {"busy": BUSY_CHUNKS, "least": OUTLINE_FROM})]
    outline([*runs, *bare])
    return len({*runs, *bare})


def fold_points(runs: Sequence[UUID]) -> None:
    """Pack single points and small chunks of some runs, one statement a series."""
    for run_id, key_id in execute(SERIES_TO_FOLD, {"runs": list(runs), "small": SMALL_CHUNK}):
        execute(FOLD, {"run": run_id, "key": key_id, "small": SMALL_CHUNK, "size": CHUNK_POINTS})


def outline(runs: Sequence[UUID]) -> int:
    """Give chunks of some runs their outlines, some at a time; returns how many. Chunks never change, so no lock."""
    wanted = {"runs": list(runs), "least": OUTLINE_FROM, "most": OUTLINES_AT_ONCE}
    count = 0
    while rows := execute(WITHOUT_OUTLINE, wanted):
        outlines = [outline_of(Points(*arrays)) for _, *arrays in rows]
        execute(OUTLINE, {"ids": [row[0] for row in rows], "outlines": outlines})
        count += len(rows)
    return count
