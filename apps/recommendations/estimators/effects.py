"""Recommendations room: residuals -> effects with intervals. Pure.

One least squares of the residual outcome on all residual artifacts together; a delete-one-cluster
jackknife variance, which with single rows is HC3; normal empirical Bayes with the full covariance;
and how strong a hidden cause would have to be.
"""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from apps.recommendations.estimators.folds import Ints
from apps.recommendations.estimators.tables import Floats

RIDGE = 0.5
GRID = 60


@dataclass(frozen=True, slots=True)
class Joint:
    """The joint least squares. Shapes  effects (k,), covariance (k, k), freedom (k,)."""

    effects: Floats
    covariance: Floats
    freedom: Floats


@dataclass(frozen=True, slots=True)
class Shrunk:
    """Effects drawn to their common mean. Shapes  effects, deviations (k,); covariance (k, k)."""

    effects: Floats
    deviations: Floats
    center: float
    spread: float


def fit_jointly(outcome: Floats, usage: Floats, codes: Ints) -> Joint:
    """Ridge .5 on all columns at once, cluster-robust.

    Shapes  outcome (n,), usage (n, k), both residuals; codes (n,) numbers the clusters
    Source  MacKinnon, Nielsen, Webb 2023 (CV3); for clusters of one row it is HC3
    """
    n, k = usage.shape
    count = int(codes.max()) + 1
    gram = usage.T @ usage + RIDGE * np.eye(k)
    inverse = np.linalg.inv(gram).astype(np.float64)
    effects = inverse @ (usage.T @ outcome)
    if n == count:
        shifts = _without_each_row(outcome - usage @ effects, usage, inverse)
    else:
        shifts = _without_each_cluster(outcome, usage, codes, gram=gram, effects=effects)
    covariance = _damped((count - 1) / count * shifts.T @ shifts, 3 * k / count)
    return Joint(effects, covariance, _freedom(usage, codes, count))


def _without_each_row(residual: Floats, usage: Floats, inverse: Floats) -> Floats:
    scores = usage @ inverse
    leverage = np.clip(np.einsum("ij,ij->i", scores, usage), 0.0, 0.99)
    return -scores * (residual / (1 - leverage))[:, None]


def _without_each_cluster(outcome: Floats, usage: Floats, codes: Ints, *, gram: Floats, effects: Floats) -> Floats:
    order = np.argsort(codes, kind="stable")
    edges = np.flatnonzero(np.diff(codes[order])) + 1
    moment = usage.T @ outcome
    floor = 1e-8 * np.trace(gram) / len(gram) * np.eye(len(gram))
    shifts = []
    for rows in np.split(order, edges):
        x, y = usage[rows], outcome[rows]
        shifts.append(np.linalg.solve(gram - x.T @ x + floor, moment - x.T @ y) - effects)
    return np.array(shifts)


def _damped(covariance: Floats, share: float) -> Floats:
    """Weaken what lies off the diagonal: few clusters leave directions that only look exact."""
    kept = max(0.0, 1.0 - share)
    out: Floats = kept * covariance + (1 - kept) * np.diag(np.diag(covariance))
    return out


def _freedom(usage: Floats, codes: Ints, count: int) -> Floats:
    """Degrees of freedom of each effect: the effective number of clusters that inform it, less one.

    With single rows: rows less columns. With clusters: (sum of squares)^2 / sum of squares^2 of the
    clusters' shares in the column's variation (Carter, Schnepel, Steigerwald 2017), less one.
    """
    n, k = usage.shape
    if n == count:
        return np.full(k, max(1.0, n - k - 1.0))
    shares = np.zeros((count, k))
    np.add.at(shares, codes, usage**2)
    total, squares = shares.sum(axis=0), (shares**2).sum(axis=0)
    effective = np.where(squares > 0, total**2 / np.maximum(squares, 1e-300), 1.0)
    return np.maximum(1.0, np.minimum(effective, count) - 1.0)


def shrink(effects: Floats, covariance: Floats) -> Shrunk:
    """Normal empirical Bayes: effects ~ N(m, s^2), estimates ~ N(effects, covariance).

    Averages over s on a grid, weighed by its restricted likelihood, rather than trusting the best s
    alone: with few artifacts s is itself uncertain, and the intervals must say so.
    Shapes  (k,), (k, k) -> Shrunk
    """
    k = len(effects)
    if k < 3:
        return Shrunk(effects, np.sqrt(np.diag(covariance)), 0.0, float("inf"))
    values, vectors = np.linalg.eigh(covariance)
    values = np.maximum(values, 1e-12 * max(float(values.max()), 1e-12))
    rotated, ones = vectors.T @ effects, vectors.T @ np.ones(k)
    widest = 3 * float(np.std(effects)) + 1e-9
    spreads = widest * (np.arange(GRID) + 0.5) / GRID
    parts = [_posterior(s**2, rotated, ones, values=values, vectors=vectors) for s in spreads]
    losses = np.array([part[0] for part in parts])
    weights = np.exp(losses.min() - losses)
    weights /= weights.sum()
    means, variances = np.stack([part[1] for part in parts]), np.stack([part[2] for part in parts])
    pulled = weights @ means
    deviations = np.sqrt(weights @ (variances + (means - pulled) ** 2))
    centers = np.array([part[3] for part in parts])
    return Shrunk(pulled, deviations, float(weights @ centers), float(weights @ spreads))


def _posterior(
    variance: float, rotated: Floats, ones: Floats, *, values: Floats, vectors: Floats
) -> tuple[float, Floats, Floats, float]:
    """Given s^2: minus log restricted likelihood, posterior means and variances, and m."""
    weight = 1 / (values + variance)
    information = float((ones**2 * weight).sum())
    center = float((ones * rotated * weight).sum()) / information
    apart = rotated - center * ones
    loss = 0.5 * (float((apart**2 * weight).sum()) - float(np.log(weight).sum()) + float(np.log(information)))
    # Posterior mean m + s^2 (s^2 + V)^-1 (e - m); its variance adds that of m, which all share.
    means = vectors @ (variance * weight * apart) + center
    left = vectors @ (values * weight * ones)
    return loss, means, (vectors**2) @ (variance * values * weight) + left**2 / information, center


def hidden_cause(effect: float, deviation: float, freedom: float, *, level: float) -> tuple[float, float]:
    """How strong an unrecorded cause must be to explain the effect away, and to blur it.

    Both are shares (0..1) of what is left of the outcome's and of the usage's variation: the cause
    would have to explain that much of each. First: effect zero. Second: interval reaches zero.
    Source  Cinelli, Hazlett 2020, robustness value
    """
    if not (deviation > 0 and freedom > 1):
        return 0.0, 0.0
    strength = abs(effect / deviation) / np.sqrt(freedom)
    critical = stats.t.ppf(0.5 + level / 2, freedom - 1) / np.sqrt(freedom - 1)
    return _robustness(strength), _robustness(max(0.0, strength - critical))


def _robustness(strength: float) -> float:
    return float(0.5 * (np.sqrt(strength**4 + 4 * strength**2) - strength**2))
