"""The recommendations room: the History -> what the estimators take. Pure."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

import numpy as np

from apps.recommendations.estimators.data import ForecastData, ImpactData
from apps.recommendations.estimators.forecasting import Prediction
from apps.recommendations.estimators.run_impact import RunData
from apps.recommendations.estimators.tables import Floats, Table, table_from_rows
from apps.recommendations.past.history import ArtifactRow, ProjectRow, RunRow

UNITS = {"success": "points", "duration": "days", "cost": "cost", "effort": "hours"}
# Estimators see durations in seconds: a day's thousandth is their floor, and some projects take minutes.
SCALES = {"duration": 86_400.0}
PLAN_COLUMNS = {"duration": "planned_duration_days", "cost": "planned_cost", "effort": "planned_effort_hours"}


def project_data(rows: Sequence[ProjectRow], artifacts: Sequence[ArtifactRow]) -> ImpactData:
    """Finished projects. Artifacts are named by id, so that a renamed one keeps its place."""
    return ImpactData(
        keys=tuple(row.slug for row in rows),
        clusters=tuple(f"team {row.team}" if row.team else row.slug for row in rows),
        outcome=numbers([row.actual["success"] for row in rows]),
        usage=usage_of([row.used for row in rows], artifacts),
        artifacts=tuple(str(one.id) for one in artifacts),
        covariates=covariates_of(rows),
    )


def run_data(runs: Sequence[RunRow], artifacts: Sequence[ArtifactRow]) -> RunData:
    """Finished runs; what is known of each is its place in its project's history, from 0 (first) to 1 (last)."""
    places = places_of(runs)
    sizes = Counter(run.project for run in runs)
    return RunData(
        keys=tuple(f"{run.slug} {places[run.id]:09d}" for run in runs),
        projects=tuple(run.slug for run in runs),
        outcome=numbers([run.value for run in runs]),
        usage=usage_of([run.used for run in runs], artifacts),
        artifacts=tuple(str(one.id) for one in artifacts),
        covariates=table_from_rows([{"place": places[run.id] / max(sizes[run.project] - 1, 1)} for run in runs]),
    )


def forecast_data(rows: Sequence[ProjectRow], target: str) -> ForecastData:
    """Projects whose actual value of a target is known."""
    known = [row for row in rows if is_number(row.actual[target])]
    keys = tuple(row.slug for row in known)
    return ForecastData(
        keys=keys,
        groups=keys,
        target=numbers([row.actual[target] for row in known]) * SCALES.get(target, 1.0),
        planned=plans_of(known, target),
        covariates=forecast_covariates(known, target),
        unit=UNITS[target],
    )


def forecast_covariates(rows: Sequence[ProjectRow], target: str) -> Table:
    """What is known before; the plan for the target itself goes its own way."""
    return covariates_of(rows).without([PLAN_COLUMNS.get(target, "")])


def plans_of(rows: Sequence[ProjectRow], target: str) -> Floats | None:
    """What people planned, or None where nobody ever did."""
    planned = numbers([row.planned[target] for row in rows]) * SCALES.get(target, 1.0)
    return planned if np.isfinite(planned).any() else None


def in_unit(said: Prediction, target: str) -> Prediction:
    """A prediction in the unit that people read."""
    scale = SCALES.get(target, 1.0)
    value, lo, hi = (None if one is None else one / scale for one in (said.value, said.lo, said.hi))
    return replace(said, value=value, lo=lo, hi=hi)


def covariates_of(rows: Sequence[ProjectRow]) -> Table:
    """What was known before anything was chosen."""
    return table_from_rows([row.known for row in rows])


def usage_of(used: Sequence[frozenset[UUID]], artifacts: Sequence[ArtifactRow]) -> Floats:
    """Used or not. Shapes  n sets, k artifacts -> (n, k) of 0/1"""
    place = {one.id: k for k, one in enumerate(artifacts)}
    out = np.zeros((len(used), len(artifacts)))
    for row, some in enumerate(used):
        for artifact in some:
            k = place.get(artifact)
            if k is not None:
                out[row, k] = 1.0
    return out


def places_of(runs: Sequence[RunRow]) -> dict[UUID, int]:
    """Each run's place in its project's history, from 0 (first)."""
    by_project: dict[UUID, list[RunRow]] = {}
    for run in runs:
        by_project.setdefault(run.project, []).append(run)
    out: dict[UUID, int] = {}
    for some in by_project.values():
        ordered = sorted(some, key=lambda run: (run.start_ms, run.value, run.id))
        out |= {run.id: k for k, run in enumerate(ordered)}
    return out


def numbers(values: Sequence[float | None]) -> Floats:
    """Floats with NaN for what is unknown."""
    return np.array([math.nan if value is None else float(value) for value in values], dtype=np.float64)


def is_number(value: float | None) -> bool:
    """Say whether there is a finite number."""
    return value is not None and math.isfinite(value)
