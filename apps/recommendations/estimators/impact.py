"""Recommendations room: what using an artifact is associated with, adjusted for what was known before. Pure.

    data = ImpactData(keys, clusters, outcome, usage, artifacts, covariates)
    result = estimate_impact(data)                       # the finished project
    result = estimate_run_impact(run_data)               # the run within its project: see within.py
    result.verdict.status        "ok", "early" or "refused", with .code, .reason, .needs
    result.effects[j]            one Effect per artifact, each with its own verdict; numbers are None if refused

Y is success in points, A_j is used or not. X must hold only what was known before the choice: the
caller leaves out the project's own model performance, CI figures and reuse, which are consequences. E[Y|X] and E[A_j|X]
are cross-fitted, one least squares joins all residual artifacts, and empirical Bayes shrinks the
effects to their common mean. It takes seconds to a minute: a job, never a request.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from apps.recommendations.estimators import minimum_data
from apps.recommendations.estimators.data import ImpactData, known_in_order, teams_as_covariate
from apps.recommendations.estimators.effects import Joint, Shrunk, fit_jointly, hidden_cause, shrink
from apps.recommendations.estimators.features import fit_encoder
from apps.recommendations.estimators.folds import deal_folds, group_codes
from apps.recommendations.estimators.nuisances import Columns, Design, Fitted, by_trees, cross_fit
from apps.recommendations.estimators.tables import Floats, Table
from apps.recommendations.estimators.verdicts import Verdict, worst

FOLDS = 5
DRAWS_FEW, FEW_UNITS = 3, 500
TOP_COVARIATES = 5
Progress = Callable[[float, str], None]


@dataclass(frozen=True, slots=True)
class Influence:
    """A covariate that goes with using the artifact, and its share of what predicts the use."""

    covariate: str
    share: float


@dataclass(frozen=True, slots=True)
class Effect:
    """One artifact. Every figure is None when the verdict refuses, except counts and raw difference.

    effect, lo, hi      the shrunk effect and its interval: the figures to show
    adjusted, deviation before shrinking
    raw                 plain difference of means, used less not used
    overlap             share of the use that covariates (and other artifacts) do not explain, 0..1
    to_zero, to_unsure  strength of a hidden cause that would explain the effect away, or blur it
    """

    artifact: str
    verdict: Verdict
    used: int
    unused: int
    raw: float | None
    overlap: float | None = None
    effect: float | None = None
    lo: float | None = None
    hi: float | None = None
    adjusted: float | None = None
    deviation: float | None = None
    to_zero: float | None = None
    to_unsure: float | None = None
    influences: tuple[Influence, ...] = ()


@dataclass(frozen=True, slots=True)
class ImpactResult:
    """All artifacts of a tenant, in the order of their names, and how they were estimated.

    Units  effects in success points (unit "project") or in deviations of the project's runs ("run")
    """

    unit: str
    verdict: Verdict
    level: float
    rows: int
    clusters: int
    effects: tuple[Effect, ...]
    outcome_explained: float | None = None
    outcome_learner: str = ""
    prior_mean: float | None = None
    prior_deviation: float | None = None


@dataclass(frozen=True, slots=True)
class Arm:
    """An artifact's two sides, before anything is estimated."""

    artifact: str
    verdict: Verdict
    used: int
    unused: int
    raw: float | None


@dataclass(frozen=True, slots=True)
class Sample:
    """What the estimator takes, whichever the unit.

    Shapes  outcome (n,); usage (n, k); arms k; groups n names: folded and clustered together
    """

    outcome: Floats
    usage: Floats
    arms: tuple[Arm, ...]
    groups: tuple[str, ...]
    design: Design


@dataclass(frozen=True, slots=True)
class _Draw:
    """One dealing of folds. Shapes  overlap, apart (k,): use left by covariates, by them and each other."""

    joint: Joint
    overlap: Floats
    apart: Floats
    fitted: Fitted
    explained: float


def estimate_impact(
    data: ImpactData, *, level: float = 0.9, seed: int = 0, draws: int | None = None, progress: Progress | None = None
) -> ImpactResult:
    """Effects over finished projects. Odd data are refused, never an exception.

    draws   dealings of folds; None is as many as the number of projects asks for
    """
    known = teams_as_covariate(known_in_order(data))
    arms = tuple(_arm(name, known.usage[:, k], known.outcome) for k, name in enumerate(known.artifacts))
    estimable = sum(not arm.verdict.is_refused for arm in arms)
    spread = float(np.ptp(known.outcome)) if len(known.outcome) else 0.0
    verdict = minimum_data.tenant_impact(len(known.keys), estimable, spread)
    sample = Sample(known.outcome, known.usage, arms, known.clusters, design_of(known.covariates))
    return estimate(sample, verdict, unit="project", level=level, seed=seed, draws=draws, progress=progress)


def design_of(covariates: Table) -> Design:
    """Both matrices of the covariates."""
    encoder = fit_encoder(covariates)
    return Design(encoder.linear(covariates), encoder.trees(covariates), encoder.linear_sources, encoder.tree_sources)


def estimate(
    sample: Sample,
    verdict: Verdict,
    *,
    unit: str,
    level: float,
    seed: int,
    draws: int | None,
    progress: Progress | None,
) -> ImpactResult:
    """The estimator that both units share."""
    clusters = len(set(sample.groups))
    shell = ImpactResult(unit, verdict, level, len(sample.outcome), clusters, ())
    if verdict.is_refused:
        return replace(shell, effects=tuple(_withheld(arm, worst(arm.verdict, verdict)) for arm in sample.arms))
    kept = np.array([not arm.verdict.is_refused for arm in sample.arms], dtype=bool)
    count = draws or (DRAWS_FEW if clusters <= FEW_UNITS else 1)
    drawn = _draws(replace(sample, usage=sample.usage[:, kept]), clusters, seed=seed, count=count, progress=progress)
    joint, shrunk = _combined(drawn)
    figures = iter(range(int(kept.sum())))
    effects = tuple(
        _effect(arm, next(figures), drawn, joint, shrunk, verdict=verdict, level=level)
        if keep
        else _withheld(arm, arm.verdict)
        for arm, keep in zip(sample.arms, kept, strict=True)
    )
    return replace(
        shell,
        effects=effects,
        outcome_explained=float(np.median([draw.explained for draw in drawn])),
        outcome_learner=drawn[0].fitted.chosen[0],
        prior_mean=shrunk.center,
        prior_deviation=shrunk.spread if np.isfinite(shrunk.spread) else None,
    )


def _draws(sample: Sample, clusters: int, *, seed: int, count: int, progress: Progress | None) -> list[_Draw]:
    codes, _ = group_codes(sample.groups)
    targets = np.column_stack([sample.outcome, sample.usage])
    draws: list[_Draw] = []
    trees: Columns | None = None
    for number in range(count):
        folds = deal_folds(sample.groups, FOLDS, seed=seed + number)

        def report(share: float, done: int = number) -> None:
            if progress:
                progress((done + share) / count, f"fold draw {done + 1} of {count}")

        fitted = cross_fit(
            sample.design, targets, folds, seed=seed + number, units=clusters, trees=trees, progress=report
        )
        # Where trees lose in one dealing they hardly ever win in another: two thirds of the time are saved.
        trees = by_trees(fitted) if trees is None else trees
        report(1.0)
        residuals = targets - fitted.predictions
        left = residuals[:, 1:]
        variance = np.maximum(sample.usage.var(axis=0), 1e-12)
        draws.append(
            _Draw(
                fit_jointly(residuals[:, 0], left, codes),
                np.minimum(left.var(axis=0) / variance, 1.0),
                _left_by_each_other(left) / variance,
                fitted,
                float(1 - residuals[:, 0].var() / max(sample.outcome.var(), 1e-12)),
            )
        )
    return draws


def _left_by_each_other(residual: Floats) -> Floats:
    """Variance of each column that the other columns do not explain."""
    covariance = residual.T @ residual / len(residual)
    floor = 1e-9 * max(float(np.trace(covariance)), 1e-9) * np.eye(len(covariance))
    out: Floats = 1 / np.diag(np.linalg.inv(covariance + floor))
    return out


def _combined(draws: list[_Draw]) -> tuple[Joint, Shrunk]:
    """Median over fold draws; how they differ enters the covariance."""
    every = np.stack([draw.joint.effects for draw in draws])
    effects = np.median(every, axis=0)
    apart = every - effects
    covariance = np.mean([draw.joint.covariance for draw in draws], axis=0) + apart.T @ apart / len(draws)
    return Joint(effects, covariance, draws[0].joint.freedom), shrink(effects, covariance)


def _effect(
    arm: Arm, k: int, draws: list[_Draw], joint: Joint, shrunk: Shrunk, *, verdict: Verdict, level: float
) -> Effect:
    overlap = float(np.median([draw.overlap[k] for draw in draws]))
    apart = float(np.median([draw.apart[k] for draw in draws]))
    shown = worst(
        minimum_data.overlap(overlap, with_artifacts=False),
        minimum_data.overlap(apart, with_artifacts=True),
        arm.verdict,
        verdict,
    )
    influences = _influences(draws, k + 1)
    if shown.is_refused:
        return replace(_withheld(arm, shown), overlap=min(overlap, apart), influences=influences)
    freedom, deviation = float(joint.freedom[k]), float(np.sqrt(joint.covariance[k, k]))
    reach = float(stats.t.ppf(0.5 + level / 2, freedom)) * float(shrunk.deviations[k])
    effect, adjusted = float(shrunk.effects[k]), float(joint.effects[k])
    to_zero, to_unsure = hidden_cause(adjusted, deviation, freedom, level=level)
    return Effect(
        arm.artifact,
        shown,
        arm.used,
        arm.unused,
        arm.raw,
        min(overlap, apart),
        effect,
        effect - reach,
        effect + reach,
        adjusted,
        deviation,
        to_zero,
        to_unsure,
        influences,
    )


def _influences(draws: list[_Draw], column: int) -> tuple[Influence, ...]:
    # The first dealing's: in later ones only some columns are given to trees.
    shares = {name: float(parts[column]) for name, parts in draws[0].fitted.weights.items()}
    top = sorted(shares, key=lambda name: (-shares[name], name))[:TOP_COVARIATES]
    return tuple(Influence(name, shares[name]) for name in top if shares[name] > 0)


def _withheld(arm: Arm, verdict: Verdict) -> Effect:
    return Effect(arm.artifact, verdict, arm.used, arm.unused, arm.raw)


def _arm(artifact: str, usage: Floats, outcome: Floats) -> Arm:
    used = usage > 0
    count, others = int(used.sum()), int((~used).sum())
    raw = float(outcome[used].mean() - outcome[~used].mean()) if count and others else None
    return Arm(artifact, minimum_data.artifact_arms(min(count, others)), count, others, raw)
