"""The tracking room: reads a metric's points, from packed chunks and single rows together.

A page reads only the chunks it needs: those that begin before the time by which enough points have been seen. A
thinned read of a long series touches outlines, or the few points that it shows.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from apps.tracking.metrics import points as columns
from apps.tracking.metrics.points import Int64s, Points
from maestro import limits
from maestro.database.statements import execute
from maestro.lazily import Lazily

if TYPE_CHECKING:
    import numpy as np
else:
    np = Lazily("numpy")

# `horizon` is the time up to which the chosen chunks are complete; NULL means there is no more. A chunk that begins
# before the place counts as nothing, as most of its points may be passed: else a page that begins at a chunk's end is
# one point short, and everything is read twice. Steps without a gap are told by the first of them.
READ = """WITH k AS (SELECT id FROM tracking_metrickey WHERE name = %(key)s),
 ahead AS MATERIALIZED (SELECT c.id, c.first_ms, c.last_ms,
   coalesce(sum(c.count) FILTER (WHERE c.first_ms > %(since)s) OVER (ORDER BY c.first_ms, c.id
    ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS before
  FROM (SELECT c.id, c.first_ms, c.last_ms, c.count FROM tracking_metricchunk c
   WHERE c.run_id = %(run)s AND c.key_id = (SELECT id FROM k) AND c.last_ms >= %(since)s
   ORDER BY c.first_ms, c.id LIMIT %(chunks)s) c),
 edge AS MATERIALIZED (SELECT least(
   CASE WHEN max(before) >= %(need)s THEN (SELECT max(last_ms) FROM ahead WHERE before < %(need)s) END,
   CASE WHEN count(*) = %(chunks)s THEN max(first_ms) END) AS ms FROM ahead),
 single AS MATERIALIZED (SELECT p.step, p.timestamp_ms, p.value FROM tracking_metricpoint p, edge
  WHERE p.run_id = %(run)s AND p.key_id = (SELECT id FROM k) AND p.timestamp_ms >= %(since)s
   AND (edge.ms IS NULL OR p.timestamp_ms <= edge.ms)
  ORDER BY p.timestamp_ms, p.step, p.value LIMIT %(need)s + %(overlap)s)
 SELECT edge.ms, CASE WHEN c.is_ascending THEN CASE WHEN c.last_step > c.first_step + (c.count - 1) THEN c.steps END
   ELSE c.steps END, c.timestamps_ms, c."values", c.first_ms, c.first_step FROM ahead a JOIN tracking_metricchunk c USING (id), edge
  WHERE edge.ms IS NULL OR a.first_ms <= edge.ms
 UNION ALL SELECT CASE WHEN count(*) = %(need)s + %(overlap)s THEN max(timestamp_ms) END, array_agg(step),
  array_agg(timestamp_ms), array_agg(value), -1, 0 FROM single HAVING count(*) > 0
 ORDER BY 5"""
EVERYTHING = 2**62
OVERLAP = 256  # single points that may share their time with the last one of the page before
CHUNKS, POINTS_A_CHUNK = 64, 100  # a page looks at this many chunks first, or at more if it wants many points
EXACT_POINTS = 100_000  # a page of curves reads about this many points in full; of longer series it sees outlines
Place = tuple[int, int, float]


def page(run_id: UUID, key: str, *, after: Place | None = None, most: int = EVERYTHING) -> tuple[Points, Place | None]:
    """Read at most `most` points after a place; returns them and the place to go on from, or None at the end."""
    need = most + 1
    while True:
        points, complete = read(run_id, key, after=after, need=need)
        if complete or len(points) > most:
            break
        need *= 2
    if len(points) <= most:
        return points, None
    last = most - 1
    return points.slice(0, most), (int(points.times[last]), int(points.steps[last]), float(points.values[last]))


def read(run_id: UUID, key: str, *, after: Place | None = None, need: int = EVERYTHING) -> tuple[Points, bool]:
    """Read about `need` points after a place, and say whether nothing follows them."""
    params = {
        "run": run_id,
        "key": key,
        "since": after[0] if after else -1,
        "need": need,
        "overlap": OVERLAP,
        "chunks": max(CHUNKS, need // POINTS_A_CHUNK),
    }
    rows = execute(READ, params)
    horizons = [row[0] for row in rows if row[0] is not None]
    points = columns.ordered(columns.joined((steps_of(row), row[2], row[3]) for row in rows))
    if horizons:
        # The last time itself may go on in what was not read, so it waits for the next round.
        points = points.slice(0, int(np.searchsorted(points.times, min(horizons))))
    if after:
        points = beyond(points, after)
    return points, not horizons


def steps_of(row: Sequence[Any]) -> Int64s:
    """Read the steps of a row of READ, or count them up where they have no gap."""
    steps, times, first = row[1], row[2], row[5]
    return np.arange(first, first + len(times)) if steps is None else steps


def beyond(points: Points, after: Place) -> Points:
    """Drop what comes up to a place."""
    time, step, value = after
    start, end = (int(np.searchsorted(points.times, time, side)) for side in ("left", "right"))
    alike = points.slice(start, end)
    passed = alike.steps < step
    same = alike.steps == step
    # NaN is beyond all numbers, as in Postgres.
    passed |= same if math.isnan(value) else same & (alike.values <= value)
    return points.slice(start + int(passed.sum()), None)


# Outlines of long series as one value each, and the arrays of what is short or has no outline yet.
SERIES = """WITH s AS MATERIALIZED (SELECT r.id AS run_id, k.id AS key_id, k.name, z.is_long, z.outlines
  FROM unnest(%(runs)s::uuid[]) AS r (id) CROSS JOIN tracking_metrickey k CROSS JOIN LATERAL (
   SELECT sum(c.count) > %(exact)s AS is_long, string_agg(c.outline, '') AS outlines FROM tracking_metricchunk c
   WHERE c.run_id = r.id AND c.key_id = k.id OFFSET 0) z WHERE k.name = ANY(%(keys)s::text[]))
 SELECT s.run_id, s.name, s.outlines, NULL::bigint[], NULL::bigint[], NULL::float8[] FROM s
  WHERE s.is_long AND s.outlines IS NOT NULL
 UNION ALL SELECT s.run_id, s.name, NULL, c.steps, c.timestamps_ms, c."values" FROM s CROSS JOIN LATERAL (
   SELECT * FROM tracking_metricchunk c WHERE c.run_id = s.run_id AND c.key_id = s.key_id OFFSET 0) c
  WHERE s.is_long IS NOT NULL AND (NOT s.is_long OR c.outline IS NULL)
 UNION ALL SELECT s.run_id, s.name, NULL, p.steps, p.times, p."values" FROM s CROSS JOIN LATERAL (
   SELECT array_agg(p.step) AS steps, array_agg(p.timestamp_ms) AS times, array_agg(p.value) AS "values"
   FROM tracking_metricpoint p WHERE p.run_id = s.run_id AND p.key_id = s.key_id OFFSET 0) p WHERE p.steps IS NOT NULL"""


def series(run_ids: Sequence[UUID], keys: Sequence[str], *, exact: int) -> dict[tuple[UUID, str], Points]:
    """Read series of several runs in one query, in order of step; of one longer than `exact` points the outline."""
    parts: dict[tuple[UUID, str], list[Any]] = {}
    for run_id, key, outlines, *arrays in execute(SERIES, {"runs": list(run_ids), "keys": list(keys), "exact": exact}):
        part = arrays if outlines is None else columns.read_outlines(outlines)
        parts.setdefault((run_id, key), []).append(part)
    return {name: columns.by_step(columns.joined(some)) for name, some in parts.items()}


def curves(
    run_ids: Sequence[UUID], keys: Sequence[str], *, most: int = limits.CURVE_POINTS
) -> dict[tuple[UUID, str], Points]:
    """Thin series of several runs for a chart, in one query: by step, each at most `most` points.

    Of every stretch the least and the greatest are kept; NaN and infinities can't be drawn and are left out. What
    was never logged is absent.
    """
    exact = max(most, EXACT_POINTS // max(1, len(run_ids) * len(keys)))
    found = series(run_ids, keys, exact=exact)
    return {name: columns.thinned(columns.finite(points), most) for name, points in found.items()}
