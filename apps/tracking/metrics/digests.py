"""The tracking room: whole histories, to be compared: what is stored, and what somebody brings. No order is relied on."""

import hashlib
import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID

from apps.tracking.metrics import points as columns
from apps.tracking.metrics.points import Points
from maestro.database.statements import execute
from maestro.lazily import Lazily

if TYPE_CHECKING:
    import numpy as np
else:
    np = Lazily("numpy")

STORED = """SELECT c.run_id, k.name, c.steps, c.timestamps_ms, c."values"
 FROM tracking_metricchunk c JOIN tracking_metrickey k ON k.id = c.key_id WHERE c.run_id = ANY(%(runs)s::uuid[])
 UNION ALL SELECT p.run_id, k.name, array_agg(p.step), array_agg(p.timestamp_ms), array_agg(p.value)
 FROM tracking_metricpoint p JOIN tracking_metrickey k ON k.id = p.key_id WHERE p.run_id = ANY(%(runs)s::uuid[])
 GROUP BY 1, 2"""


@dataclass
class Brought:
    """Points of one metric as they come from elsewhere, 24 bytes each."""

    steps: "array[int]" = field(default_factory=lambda: array("q"))
    times: "array[int]" = field(default_factory=lambda: array("q"))
    values: "array[float]" = field(default_factory=lambda: array("d"))

    def add(self, step: int, time_ms: int, value: float) -> None:
        """Add a point."""
        self.steps.append(step)
        self.times.append(time_ms)
        self.values.append(value)

    def __len__(self) -> int:
        return len(self.steps)

    def points(self) -> Points:
        """Lay them out in MLflow's order, each once."""
        steps, times = np.array(self.steps, dtype=np.int64), np.array(self.times, dtype=np.int64)
        return settled(Points(steps, times, np.array(self.values, dtype=np.float64)))


def settled(points: Points) -> Points:
    """Put points into one order, exact duplicates once; every NaN is the same, and so is every nought."""
    points.values = np.where(np.isnan(points.values), np.nan, points.values) + 0.0
    return columns.ordered(points)


def stored(run_ids: Sequence[UUID]) -> dict[UUID, dict[str, Points]]:
    """Read all points of some runs, by run and metric."""
    parts: dict[tuple[UUID, str], list[Any]] = {}
    for run_id, name, *arrays in execute(STORED, {"runs": list(run_ids)}):
        parts.setdefault((run_id, name), []).append(arrays)
    found: dict[UUID, dict[str, Points]] = {}
    for (run_id, name), some in parts.items():
        found.setdefault(run_id, {})[name] = settled(columns.joined(some))
    return found


def digest(points: Points) -> str:
    """Digest a history: how many points, and the sha256 of them in order."""
    told = hashlib.sha256()
    for part, kind in ((points.times, "<i8"), (points.steps, "<i8"), (points.values, "<f8")):
        told.update(np.ascontiguousarray(part, dtype=kind).tobytes())
    return f"{len(points)}:{told.hexdigest()}"


def beyond(brought: Points, known: Points | None) -> Points:
    """Keep the points that are not known yet."""
    if known is None or not len(known):
        return brought
    seen = set(marks(known))
    return brought.take([place for place, mark in enumerate(marks(brought)) if mark not in seen])


def marks(points: Points) -> list[tuple[int, int, float | None]]:
    """Write points as values that equal each other; NaN equals NaN."""
    values = [None if math.isnan(value) else value for value in points.values.tolist()]
    return list(zip(points.times.tolist(), points.steps.tolist(), values, strict=True))
