"""The tracking room: reads a metric's points, from packed chunks and single rows together.

A page reads only the chunks it needs: those that begin before the time by which enough points have been seen.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import itemgetter, le, lt
from typing import Any
from uuid import UUID

from maestro import limits
from maestro.database.statements import execute

# `horizon` is the time up to which the chosen chunks are complete; NULL means there is no more.
READ = """WITH k AS (SELECT id FROM tracking_metrickey WHERE name = %(key)s),
 ahead AS MATERIALIZED (SELECT c.id, c.first_ms, c.last_ms,
   sum(c.count) OVER (ORDER BY c.first_ms, c.id) - c.count AS before
  FROM tracking_metricchunk c, k WHERE c.run_id = %(run)s AND c.key_id = k.id AND c.last_ms >= %(since)s),
 edge AS MATERIALIZED (SELECT CASE WHEN max(before) >= %(need)s
   THEN (SELECT max(last_ms) FROM ahead WHERE before < %(need)s) END AS ms FROM ahead),
 single AS MATERIALIZED (SELECT p.step, p.timestamp_ms, p.value FROM tracking_metricpoint p, k, edge
  WHERE p.run_id = %(run)s AND p.key_id = k.id AND p.timestamp_ms >= %(since)s
   AND (edge.ms IS NULL OR p.timestamp_ms <= edge.ms)
  ORDER BY p.timestamp_ms, p.step, p.value LIMIT %(need)s + %(overlap)s)
 SELECT edge.ms, c.steps, c.timestamps_ms, c."values", c.first_ms FROM ahead a JOIN tracking_metricchunk c USING (id), edge
  WHERE edge.ms IS NULL OR a.first_ms <= edge.ms
 UNION ALL SELECT CASE WHEN count(*) = %(need)s + %(overlap)s THEN max(timestamp_ms) END, array_agg(step),
  array_agg(timestamp_ms), array_agg(value), -1 FROM single HAVING count(*) > 0
 ORDER BY 5"""
EVERYTHING = 2**62
OVERLAP = 256  # single points that may share their time with the last one of the page before


@dataclass(slots=True)
class Points:
    """Columns of points in MLflow's order: time, step, value; no two alike."""

    steps: Sequence[int]
    times: Sequence[int]
    values: Sequence[float]

    def __len__(self) -> int:
        return len(self.steps)

    def slice(self, start: int, end: int | None) -> "Points":
        """Take a part."""
        return Points(self.steps[start:end], self.times[start:end], self.values[start:end])

    def take(self, indexes: Sequence[int]) -> "Points":
        """Pick points by their places."""
        return Points(
            [self.steps[index] for index in indexes],
            [self.times[index] for index in indexes],
            [self.values[index] for index in indexes],
        )

    def rows(self, key: str) -> list[dict[str, Any]]:
        """Lay the points out as MLflow's metrics."""
        values = self.values
        if not math.isfinite(sum(values)):
            values = [spell(value) for value in values]  # type: ignore[misc]
        return [
            {"key": key, "value": value, "timestamp": time, "step": step}
            for step, time, value in zip(self.steps, self.times, values, strict=True)
        ]


def spell(value: float) -> float | str:
    """Write NaN and infinities as text, which JSON has no numbers for."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")


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
    return points.slice(0, most), (points.times[last], points.steps[last], points.values[last])


def read(run_id: UUID, key: str, *, after: Place | None = None, need: int = EVERYTHING) -> tuple[Points, bool]:
    """Read about `need` points after a place, and say whether nothing follows them."""
    since = after[0] if after else -1
    params = {"run": run_id, "key": key, "since": since, "need": need, "overlap": OVERLAP}
    rows = execute(READ, params)
    horizons = [row[0] for row in rows if row[0] is not None]
    points = merge([(row[1], row[2], row[3]) for row in rows])
    if horizons:
        # The last time itself may go on in what was not read, so it waits for the next round.
        points = points.slice(0, bisect_right(points.times, min(horizons) - 1))
    if after:
        points = beyond(points, after)
    return points, not horizons


def beyond(points: Points, after: Place) -> Points:
    """Drop what comes up to a place."""
    start = bisect_left(points.times, after[0])
    wanted = order_key((after[1], after[0], after[2]))
    while start < len(points) and order_key((points.steps[start], points.times[start], points.values[start])) <= wanted:
        start += 1
    return points.slice(start, None)


def order_key(point: tuple[int, int, float]) -> tuple[int, int, bool, float]:
    """Order by time, step and value; NaN is beyond all numbers, as in Postgres."""
    step, time, value = point
    return (time, step, math.isnan(value), 0.0 if math.isnan(value) else value)


def merge(parts: Sequence[tuple[list[int], list[int], list[float]]]) -> Points:
    """Join columns that are mostly in order, and drop exact duplicates."""
    steps: list[int] = []
    times: list[int] = []
    values: list[float] = []
    for some_steps, some_times, some_values in parts:
        steps += some_steps
        times += some_times
        values += some_values
    if all(map(lt, times, times[1:])):
        return Points(steps, times, values)
    points = sorted(zip(steps, times, values, strict=True), key=order_key)
    kept = points[:1]
    for before, point in pairwise(points):
        if order_key(before) != order_key(point):
            kept.append(point)
    return Points([p[0] for p in kept], [p[1] for p in kept], list(map(itemgetter(2), kept)))


def sample(run_id: UUID, key: str, *, most: int, first_step: int | None = None, last_step: int | None = None) -> Points:
    """Take at most `most` points, evenly by step, with the first and the last of the interval."""
    points, _ = read(run_id, key)
    if first_step is None and all(map(le, points.steps, points.steps[1:])):
        return points.take(spread(range(len(points)), most))
    inside = [
        index
        for index, step in enumerate(points.steps)
        if (first_step is None or step >= first_step) and (last_step is None or step <= last_step)
    ]
    return points.take(spread(sorted(inside, key=points.steps.__getitem__), most))


def spread(places: Sequence[int], most: int) -> Sequence[int]:
    """Pick at most `most` of some places, evenly, the first and the last among them."""
    last = len(places) - 1
    if len(places) <= most:
        return places
    return [places[round(index * last / (most - 1))] for index in range(most)] if most > 1 else places[-1:]


def curve(run_id: UUID, key: str, *, most: int = limits.CURVE_POINTS) -> Points:
    """Thin a series for a chart: by step, at most `most` points, with the least and the greatest of every stretch.

    NaN and infinities can't be drawn and are left out.
    """
    points, _ = read(run_id, key)
    drawn = [index for index, value in enumerate(points.values) if math.isfinite(value)]
    drawn.sort(key=points.steps.__getitem__)
    if len(drawn) > most:
        value_at = points.values.__getitem__
        stretches = max(1, most // 2)
        bounds = [place * len(drawn) // stretches for place in range(stretches + 1)]
        extremes: list[int] = []
        for start, end in pairwise(bounds):
            part = drawn[start:end]
            low, high = min(part, key=value_at), max(part, key=value_at)
            extremes += [low] if low == high else sorted((low, high), key=points.steps.__getitem__)
        drawn = extremes[:most]
    return points.take(drawn)
