"""The tracking room: what one request adds to a run, laid out as columns. No wire, no database."""

import uuid
from dataclasses import dataclass, field


@dataclass(slots=True)
class Series:
    """Points of one metric, no two alike."""

    name: str
    steps: list[int]
    times: list[int]
    values: list[float]
    is_ascending: bool = False  # each step is greater than the one before

    def latest(self) -> tuple[int, int, float]:
        """Find the greatest (step, timestamp, value); NaN counts as the greatest value, as in Postgres."""
        if self.is_ascending:
            return self.steps[-1], self.times[-1], self.values[-1]
        points = zip(self.steps, self.times, self.values, strict=True)
        return max(points, key=lambda p: (p[0], p[1], p[2] != p[2], p[2]))


@dataclass(slots=True)
class ModelPoint:
    """A point that was measured of a logged model, on a dataset or on none."""

    model_id: str
    key: str
    dataset_name: str
    dataset_digest: str
    step: int
    timestamp_ms: int
    value: float


@dataclass(slots=True)
class Batch:
    """What one request adds to a run."""

    run_id: uuid.UUID
    series: list[Series] = field(default_factory=list)
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    of_models: list[ModelPoint] = field(default_factory=list)
