"""The tracking room: points of a metric as columns: put in order, thinned, written as JSON.

Shapes  steps, times: (n,) int64; values: (n,) float64
Units   steps as logged; times in milliseconds since the epoch
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import TYPE_CHECKING, Any

import msgspec

from maestro.lazily import Lazily

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Int64s = NDArray[np.int64]
    Float64s = NDArray[np.float64]
else:
    # Web workers load numpy when they read the first history, not when they start.
    np = Lazily("numpy")
    NDArray = Int64s = Float64s = list

PACKED = [("step", "<i8"), ("time", "<i8"), ("value", "<f8")]
OUTLINE_WIDTH = 50  # points that two of an outline stand for
OUTLINE_FROM = 2 * OUTLINE_WIDTH  # fewer points are their own outline


class Row(msgspec.Struct, gc=False):
    """A metric as MLflow clients read it."""

    key: str
    value: float | str
    timestamp: int
    step: int


class RunRow(Row, gc=False):
    """The same, in an answer about several runs."""

    run_id: str


@dataclass(slots=True)
class Points:
    """Columns of points. In MLflow's order, time, step, value, if nothing else is said; no two alike."""

    steps: Int64s
    times: Int64s
    values: Float64s

    def __len__(self) -> int:
        return len(self.steps)

    def slice(self, start: int, end: int | None) -> "Points":
        """Take a part."""
        return Points(self.steps[start:end], self.times[start:end], self.values[start:end])

    def take(self, places: Sequence[int] | NDArray[Any]) -> "Points":
        """Pick points by their places, or by a mask."""
        return Points(self.steps[places], self.times[places], self.values[places])

    def rows(self, key: str, run_id: str | None = None) -> list[Any]:
        """Lay the points out as MLflow's metrics."""
        values: list[Any] = self.values.tolist()
        if not np.isfinite(self.values).all():
            values = [spell(value) for value in values]
        columns = (repeat(key), values, self.times.tolist(), self.steps.tolist())
        if run_id is None:
            return list(map(Row, *columns))
        return list(map(RunRow, *columns, repeat(run_id)))


def spell(value: float) -> float | str:
    """Write NaN and infinities as text, which JSON has no numbers for."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")


def joined(parts: Iterable[tuple[Int64s, Int64s, Float64s]]) -> Points:
    """Put columns of several chunks behind each other."""
    columns = list(parts)
    if len(columns) == 1:
        return Points(*columns[0])
    if not columns:
        return Points(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float64))
    steps, times, values = zip(*columns, strict=True)
    return Points(np.concatenate(steps), np.concatenate(times), np.concatenate(values))


def ordered(points: Points) -> Points:
    """Put points, mostly in order already, into MLflow's order, and drop exact duplicates. NaN comes last."""
    times = points.times
    if len(times) < 2 or bool((times[1:] > times[:-1]).all()):
        return points
    return distinct(points.take(np.lexsort((points.values, points.steps, times))))


def distinct(points: Points) -> Points:
    """Drop points that equal the one before; NaN equals NaN."""
    values = points.values
    same = (points.times[1:] == points.times[:-1]) & (points.steps[1:] == points.steps[:-1])
    same &= (values[1:] == values[:-1]) | (np.isnan(values[1:]) & np.isnan(values[:-1]))
    if not same.any():
        return points
    return points.take(np.concatenate(([True], ~same)))


def by_step(points: Points) -> Points:
    """Put points in order of step, and of time and value within one; exact duplicates once."""
    steps = points.steps
    if len(steps) < 2 or bool((steps[1:] > steps[:-1]).all()):
        return points
    return distinct(points.take(np.lexsort((points.values, points.times, steps))))


def sampled(count: int, most: int) -> Int64s:
    """Pick at most `most` of `count` places as the original does: the first of as many equal parts, and the last place.

    Source  MLflow 3.17, get_metric_history_bulk_interval; the parts are those of SQL's NTILE
    """
    if count <= most:
        return np.arange(count)
    size, longer = divmod(count, most)
    parts = np.arange(most)
    places = parts * size + np.minimum(parts, longer)
    places[-1] = count - 1
    return places


def finite(points: Points) -> Points:
    """Leave out NaN and infinities, which can't be drawn."""
    mask = np.isfinite(points.values)
    return points if mask.all() else points.take(mask)


def thinned(points: Points, most: int) -> Points:
    """Keep at most `most` points: the least and the greatest of every stretch. They must be finite and in order."""
    if len(points) <= most:
        return points
    stretches = max(1, most // 2)
    return extremes(points, -(-len(points) // stretches)).slice(0, most)


def extremes(points: Points, width: int) -> Points:
    """Keep the least and the greatest of every `width` points, in the order in which they stand."""
    count = len(points)
    stretches = -(-count // width)
    padded = np.full(stretches * width, points.values[-1] if count else 0.0)
    padded[:count] = points.values
    grid = padded.reshape(stretches, width)
    starts = np.arange(stretches) * width
    ends = np.stack((grid.argmin(axis=1) + starts, grid.argmax(axis=1) + starts))
    return points.take(np.unique(np.minimum(ends, count - 1)))


def outline_of(points: Points) -> bytes:
    """Write the outline of a chunk: a fiftieth of its points, twice, ready to be read without its arrays."""
    kept = extremes(finite(points), OUTLINE_WIDTH)
    packed = np.empty(len(kept), PACKED)
    packed["step"], packed["time"], packed["value"] = kept.steps, kept.times, kept.values
    return packed.tobytes()


def read_outlines(data: bytes) -> tuple[Int64s, Int64s, Float64s]:
    """Read outlines, one or many behind each other, as columns."""
    packed = np.frombuffer(data, PACKED)
    return packed["step"], packed["time"], packed["value"]


def is_ascending(steps: Int64s) -> bool:
    """Say whether each step is greater than the one before."""
    return bool((steps[1:] > steps[:-1]).all())
