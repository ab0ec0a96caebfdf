"""Recommendations room: the finished projects that an estimate or a forecast learns from. Pure."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.recommendations.estimators.features import LARGEST
from apps.recommendations.estimators.tables import Floats, Table

# Fewer teams than this cannot carry clustered intervals.
FEWEST_CLUSTERS = 10


@dataclass(frozen=True, slots=True)
class ImpactData:
    """Finished projects (or runs) with what they used and how they ended.

    Shapes  keys, clusters n names (project; its team, or the project of a run); outcome (n,) with
            NaN where unknown; usage (n, k) of 0/1; artifacts k names; covariates n rows
    Units   outcome in success points 0-100
    """

    keys: tuple[str, ...]
    clusters: tuple[str, ...]
    outcome: Floats
    usage: Floats
    artifacts: tuple[str, ...]
    covariates: Table

    def take(self, index: NDArray[Any]) -> "ImpactData":
        """The projects that `index` (positions or a mask) names: one problem class, say, or one past quarter."""
        rows = np.arange(len(self.keys))[index].tolist()
        return ImpactData(
            tuple(self.keys[row] for row in rows),
            tuple(self.clusters[row] for row in rows),
            self.outcome[rows],
            self.usage[rows],
            self.artifacts,
            self.covariates.take(np.array(rows, dtype=np.int64)),
        )


@dataclass(frozen=True, slots=True)
class ForecastData:
    """Projects (or runs) whose actual value is known.

    Shapes  keys, groups n names (row; its project); target (n,), NaN where unknown; planned (n,) or None
    Units   target and planned in `unit`: "points", "people", else time, money or effort
    """

    keys: tuple[str, ...]
    groups: tuple[str, ...]
    target: Floats
    planned: Floats | None
    covariates: Table
    unit: str


def known_in_order(data: ImpactData) -> ImpactData:
    """Rows with an outcome in the order of their keys, artifacts in the order of their names."""
    rows = np.array(sorted(np.flatnonzero(np.isfinite(data.outcome)), key=lambda row: data.keys[row]), dtype=np.int64)
    columns = np.array(sorted(range(len(data.artifacts)), key=lambda k: data.artifacts[k]), dtype=np.int64)
    usage = np.asarray(data.usage, dtype=np.float64).reshape(len(data.keys), len(data.artifacts))
    known = replace(data, usage=usage).take(rows)
    return replace(
        known,
        outcome=np.clip(known.outcome, -LARGEST, LARGEST),
        usage=(np.nan_to_num(known.usage[:, columns]) > 0).astype(np.float64),
        artifacts=tuple(data.artifacts[k] for k in columns),
    )


def teams_as_covariate(data: ImpactData) -> ImpactData:
    """Fewer than ten teams cannot carry clustered intervals: they adjust instead, as a covariate."""
    teams = len(set(data.clusters))
    if teams == len(data.keys) or teams >= FEWEST_CLUSTERS:
        return data
    covariates = data.covariates.with_column("team", [f"team {name}" for name in data.clusters])
    return replace(data, clusters=data.keys, covariates=covariates)
