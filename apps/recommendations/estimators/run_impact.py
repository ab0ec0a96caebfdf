"""Recommendations room: the second unit of impact, the run within its project. Pure.

    result = estimate_run_impact(RunData(keys, projects, outcome, usage, artifacts, covariates))

Runs of one project are compared with each other: outcome and usage are centred, and the outcome is
scaled, within the project, so its own level and all that is constant in it cancels. What changes from
run to run does not: give it as covariates (the run's place in the project's history at the least, as
later runs are both better and use newer artifacts). Intervals are clustered by project.
"""

from dataclasses import dataclass, replace

import numpy as np

from apps.recommendations.estimators import minimum_data
from apps.recommendations.estimators.folds import Ints, centred_within, group_codes
from apps.recommendations.estimators.impact import Arm, ImpactResult, Progress, Sample, design_of, estimate
from apps.recommendations.estimators.tables import Floats, Table


@dataclass(frozen=True, slots=True)
class RunData:
    """Finished runs with what they used and their goal metric.

    Shapes  keys, projects n names; outcome (n,), NaN where unknown; usage (n, k) of 0/1;
            artifacts k names; covariates n rows
    Units   outcome as logged, turned so that more is better; each project may have its own metric
    """

    keys: tuple[str, ...]
    projects: tuple[str, ...]
    outcome: Floats
    usage: Floats
    artifacts: tuple[str, ...]
    covariates: Table


def estimate_run_impact(
    data: RunData, *, level: float = 0.9, seed: int = 0, draws: int | None = None, progress: Progress | None = None
) -> ImpactResult:
    """Effects between runs of the same project, in deviations of that project's runs."""
    known = _comparable(data)
    codes, count = group_codes(known.projects)
    outcome = _scaled_within(known.outcome, codes, count)
    usage = centred_within(known.usage, codes, count)
    arms = tuple(
        _arm(name, known.usage[:, k], usage[:, k], outcome, codes=codes, count=count)
        for k, name in enumerate(known.artifacts)
    )
    design = design_of(known.covariates)
    within = replace(
        design,
        linear=centred_within(design.linear, codes, count),
        trees=centred_within(np.nan_to_num(design.trees), codes, count),
    )
    estimable = sum(not arm.verdict.is_refused for arm in arms)
    verdict = minimum_data.run_impact(count if known.keys else 0, estimable)
    sample = Sample(outcome, usage, arms, known.projects, within)
    return estimate(sample, verdict, unit="run", level=level, seed=seed, draws=draws, progress=progress)


def _comparable(data: RunData) -> RunData:
    """Runs with an outcome, of projects with enough of them and not all alike, in the order of keys."""
    known = np.isfinite(data.outcome)
    rows = np.array(sorted(np.flatnonzero(known), key=lambda row: data.keys[row]), dtype=np.int64)
    codes, count = group_codes([data.projects[row] for row in rows])
    sizes = np.bincount(codes, minlength=count)
    spreads = _spreads(data.outcome[rows], codes, count)
    rows = rows[((sizes >= minimum_data.RUNS_PER_PROJECT) & (spreads > 0))[codes]] if len(rows) else rows
    columns = np.array(sorted(range(len(data.artifacts)), key=lambda k: data.artifacts[k]), dtype=np.int64)
    usage = np.asarray(data.usage, dtype=np.float64).reshape(len(data.keys), len(data.artifacts))
    return RunData(
        tuple(data.keys[row] for row in rows),
        tuple(data.projects[row] for row in rows),
        data.outcome[rows],
        (np.nan_to_num(usage[rows][:, columns]) > 0).astype(np.float64),
        tuple(data.artifacts[k] for k in columns),
        data.covariates.take(rows),
    )


def _spreads(outcome: Floats, codes: Ints, count: int) -> Floats:
    """Standard deviation of each project's outcomes; 0 where they are alike to rounding."""
    bounded = np.clip(outcome, -1e100, 1e100)
    centred = centred_within(bounded, codes, count)
    sizes = np.bincount(codes, minlength=count)
    spread = np.sqrt(np.bincount(codes, centred**2, minlength=count) / np.maximum(sizes - 1, 1))
    size = np.bincount(codes, np.abs(bounded), minlength=count) / np.maximum(sizes, 1)
    out: Floats = np.where(spread > 1e-9 * size, spread, 0.0)
    return out


def _scaled_within(outcome: Floats, codes: Ints, count: int) -> Floats:
    centred = centred_within(np.clip(outcome, -1e100, 1e100), codes, count)
    spreads = _spreads(outcome, codes, count)
    out: Floats = centred / np.where(spreads > 0, spreads, 1.0)[codes]
    return out


def _arm(artifact: str, used: Floats, centred: Floats, outcome: Floats, *, codes: Ints, count: int) -> Arm:
    """Counts in runs; the verdict in projects that have runs both with and without it."""
    informative = int((np.bincount(codes, centred**2, minlength=count) > 1e-12).sum())
    variation = float(centred @ centred)
    raw = float(centred @ outcome) / variation if variation > 0 else None
    runs = int(used.sum())
    return Arm(artifact, minimum_data.run_artifact(informative), runs, len(used) - runs, raw)
