"""The tracking room: evenly spaced points of a series, found without reading the others.

The places are chosen from what each chunk says of itself; only the chosen points are taken out of their chunks.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from apps.tracking.metrics import history
from apps.tracking.metrics import points as columns
from apps.tracking.metrics.points import Int64s, Points
from maestro import limits
from maestro.database.arrays import Int8Array
from maestro.database.statements import execute
from maestro.lazily import Lazily

if TYPE_CHECKING:
    import numpy as np
else:
    np = Lazily("numpy")

EXACT_POINTS = 200_000  # a longer series that can't be counted through is sampled from its outlines

# The points of chunks that follow each other step by step can be counted to; of others, all have to be read.
LINED_UP = """WITH k AS (SELECT id FROM tracking_metrickey WHERE name = %(key)s),
 ahead AS (SELECT c.id, c.count, c.first_step, c.last_step, c.is_ascending
  AND c.first_step > coalesce(lag(c.last_step) OVER (ORDER BY c.first_step, c.id), c.first_step - 1) AS is_next
  FROM tracking_metricchunk c WHERE c.run_id = %(run)s AND c.key_id = (SELECT id FROM k))
 SELECT array_agg(id ORDER BY first_step), array_agg(count::bigint ORDER BY first_step),
  array_agg(first_step ORDER BY first_step), array_agg(last_step ORDER BY first_step) FROM ahead
 HAVING bool_and(is_next) IS TRUE AND NOT EXISTS (SELECT FROM tracking_metricpoint p
  WHERE p.run_id = %(run)s AND p.key_id = (SELECT id FROM k))"""
STEPS = "SELECT c.steps FROM tracking_metricchunk c WHERE c.id = %(chunk)s"
# A slice is an array in memory: each of its points is then found without unpacking the stored one again.
PICK = """SELECT ARRAY(SELECT q.s[o] FROM unnest(w.places) AS o), ARRAY(SELECT q.t[o] FROM unnest(w.places) AS o),
  ARRAY(SELECT q.v[o] FROM unnest(w.places) AS o)
 FROM (SELECT g.id, g.lo, (%(places)s)[g.lo::int:g.hi::int] AS places
  FROM unnest(%(ids)s, %(lo)s, %(hi)s) AS g (id, lo, hi)) w
 CROSS JOIN LATERAL (SELECT c.steps[1:] AS s, c.timestamps_ms[1:] AS t, c."values"[1:] AS v
  FROM tracking_metricchunk c WHERE c.id = w.id OFFSET 0) q ORDER BY w.lo"""


@dataclass(frozen=True)
class Line:
    """Chunks that follow each other: every step of one is greater than all of the one before.

    Shapes  ids, first_steps, last_steps, ends: (n_chunks,); ends counts the points up to a chunk's last
    """

    ids: Int64s
    first_steps: Int64s
    last_steps: Int64s
    ends: Int64s

    @property
    def starts(self) -> Int64s:
        """Count the points before each chunk."""
        return np.concatenate(([0], self.ends[:-1]))

    def points_up_to(self, step: int, *, side: str) -> int:
        """Count the points before a step, or (side "right") up to it; reads one chunk's steps at most."""
        at = int(np.searchsorted(self.last_steps, step))
        if at == len(self.ids):
            return int(self.ends[-1])
        if step < self.first_steps[at]:
            return int(self.starts[at])
        rows = execute(STEPS, {"chunk": int(self.ids[at])})
        steps = rows[0][0] if rows else np.empty(0, np.int64)
        return int(self.starts[at] + np.searchsorted(steps, step, side))  # type: ignore[call-overload]


def sample(run_id: UUID, key: str, *, most: int, first_step: int | None = None, last_step: int | None = None) -> Points:
    """Take at most `most` points, evenly by step, with the first and the last of the interval."""
    first = limits.INT64_MIN if first_step is None else first_step
    last = limits.INT64_MAX if last_step is None else last_step
    line = line_of(run_id, key)
    if line is not None:
        start, end = line.points_up_to(first, side="left"), line.points_up_to(last, side="right")
        places = columns.sampled(end - start, most) + start
        found = pick(line, places)
        if len(found) == len(places):  # else a task has folded the chunks in between
            return found
    points = history.series([run_id], [key], exact=EXACT_POINTS).get((run_id, key), columns.joined([]))
    inside = points.take((points.steps >= first) & (points.steps <= last))
    return inside.take(columns.sampled(len(inside), most))


def line_of(run_id: UUID, key: str) -> Line | None:
    """Read what the chunks of a series say of themselves; None if they don't follow each other."""
    rows = execute(LINED_UP, {"run": run_id, "key": key})
    if not rows:
        return None
    ids, counts, first_steps, last_steps = rows[0]
    return Line(ids, first_steps, last_steps, np.cumsum(counts))


def pick(line: Line, places: Int64s) -> Points:
    """Take the points at some places, in order, out of their chunks."""
    if not len(places):
        return columns.joined([])
    owners = np.searchsorted(line.ends, places, side="right")
    chunks, begins = np.unique(owners, return_index=True)
    params = {
        "places": Int8Array((places - line.starts[owners] + 1).tolist()),
        "ids": Int8Array(line.ids[chunks].tolist()),
        "lo": Int8Array((begins + 1).tolist()),
        "hi": Int8Array([*begins[1:].tolist(), len(places)]),
    }
    return columns.joined(execute(PICK, params))  # type: ignore[arg-type]
