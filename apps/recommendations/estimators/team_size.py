"""Recommendations room: how large the teams of similar successful projects were. Pure.

Always a range, never a number: team size follows too loosely from what is known beforehand. It is
refused where similar projects say no more of it than the average does.
"""

from dataclasses import dataclass

import numpy as np

from apps.recommendations.estimators import minimum_data
from apps.recommendations.estimators.features import fit_encoder
from apps.recommendations.estimators.tables import Floats, Table
from apps.recommendations.estimators.verdicts import Need, Verdict, refused

NEIGHBOURS = 15
SUCCESSFUL_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class TeamData:
    """Finished projects. Shapes  keys n names; size, success (n,), NaN unknown; covariates n rows."""

    keys: tuple[str, ...]
    size: Floats
    success: Floats
    covariates: Table


@dataclass(frozen=True, slots=True)
class TeamRange:
    """People in similar successful projects: from the tenth to the ninetieth percentile, and which projects."""

    verdict: Verdict
    lo: float | None = None
    hi: float | None = None
    similar: tuple[str, ...] = ()
    explained: float | None = None


def recommend_team(data: TeamData, table: Table) -> tuple[TeamRange, ...]:
    """A range for each row of `table`. Odd data are refused, never an exception."""
    rows = _successful(data)
    verdict = minimum_data.forecast(len(rows))
    if verdict.is_refused:
        return (TeamRange(verdict),) * table.rows
    past = data.covariates.take(np.asarray(rows))
    sizes = np.log(np.clip(data.size[rows], 0.5, 1e6))
    encoder = fit_encoder(past)
    known, asked = encoder.linear(past), encoder.linear(table)
    explained = _explained(known, sizes)
    if not explained > 0:
        unlike = refused(
            "not_predictable",
            "Similar projects had no more similar teams than any others.",
            Need("share of team size explained out of sample", round(explained, 3), 0.0),
        )
        return (TeamRange(unlike, explained=explained),) * table.rows
    return tuple(_range(data, rows, _nearest(known, row), verdict=verdict, explained=explained) for row in asked)


def _successful(data: TeamData) -> list[int]:
    known = np.isfinite(data.size) & (data.size > 0) & np.isfinite(data.success)
    if not known.any():
        return []
    enough = float(np.quantile(data.success[known], 1 - SUCCESSFUL_SHARE))
    chosen = np.flatnonzero(known & (data.success >= enough)).tolist()
    return sorted(chosen, key=lambda row: data.keys[row])


def _nearest(known: Floats, row: Floats, *, leave: int | None = None) -> list[int]:
    distance = ((known - row) ** 2).sum(axis=1)
    order = [int(place) for place in np.argsort(distance, kind="stable") if place != leave]
    return order[:NEIGHBOURS]


def _explained(known: Floats, sizes: Floats) -> float:
    """Share of the sizes' variation that each project's neighbours explain, itself left out."""
    spread = float(((sizes - sizes.mean()) ** 2).sum())
    if not (spread > 1e-12 and known.shape[1]):
        return 0.0
    guesses = np.array([sizes[_nearest(known, row, leave=k)].mean() for k, row in enumerate(known)])
    return 1 - float(((sizes - guesses) ** 2).sum()) / spread


def _range(data: TeamData, rows: list[int], similar: list[int], *, verdict: Verdict, explained: float) -> TeamRange:
    people = np.array([data.size[rows[place]] for place in similar])
    lo, hi = np.quantile(people, [0.1, 0.9], method="nearest")
    return TeamRange(verdict, float(lo), float(hi), tuple(data.keys[rows[place]] for place in similar), explained)
