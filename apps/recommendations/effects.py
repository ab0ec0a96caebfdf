"""Recommendations room: residuals -> effects with intervals. Pure.

One least squares of the residual outcome on all residual artifacts together; a delete-one-cluster
jackknife variance, which with single rows is HC3; normal empirical Bayes with the full covariance;
and how strong a hidden cause would have to be.
"""

from dataclasses import dataclass

import numpy as np
from scipy import optimize, stats

from apps.recommendations.folds import Ints
from apps.recommendations.tables import Floats

RIDGE = 0.5


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
    # The penalty is per cluster, so that repeating every row changes nothing.
    gram = usage.T @ usage + RIDGE * (n / count) * np.eye(k)
    inverse = np.linalg.inv(gram)
    effects = inverse @ (usage.T @ outcome)
    if n == count:
        shifts = _without_each_row(outcome - usage @ effects, usage, inverse)
    else:
        shifts = _without_each_cluster(outcome, usage, codes, gram=gram, effects=effects)
    covariance = (count - 1) / count * shifts.T @ shifts
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

    m and s^2 maximise the restricted likelihood; the deviation of m enters the intervals.
    Shapes  (k,), (k, k) -> Shrunk
    """
    k = len(effects)
    if k < 3:
        return Shrunk(effects, np.sqrt(np.diag(covariance)), 0.0, float("inf"))
    values, vectors = np.linalg.eigh(covariance)
    values = np.maximum(values, 1e-12 * max(float(values.max()), 1e-12))
    rotated, ones = vectors.T @ effects, vectors.T @ np.ones(k)
    scale = float(np.var(effects) + values.mean()) + 1e-12
    found = optimize.minimize_scalar(
        lambda log_spread: _restricted_loss(scale * np.exp(log_spread), rotated, ones, values),
        bounds=(-12.0, 4.0), method="bounded",
    )  # fmt: skip
    variance = scale * float(np.exp(found.x))
    weight = 1 / (values + variance)
    information = float((ones**2 * weight).sum())
    center = float((ones * rotated * weight).sum()) / information
    # Posterior mean m + s^2 (s^2 + V)^-1 (e - m); its variance adds that of m, which all share.
    pulled = vectors @ (variance * weight * (rotated - center * ones)) + center
    posterior = (vectors**2) @ (variance * values * weight)
    left = vectors @ (values * weight * ones)
    return Shrunk(pulled, np.sqrt(posterior + left**2 / information), center, float(np.sqrt(variance)))


def _restricted_loss(variance: float, rotated: Floats, ones: Floats, values: Floats) -> float:
    total = values + variance
    information = float((ones**2 / total).sum())
    center = float((ones * rotated / total).sum()) / information
    fit = float(((rotated - center * ones) ** 2 / total).sum())
    return 0.5 * (float(np.log(total).sum()) + np.log(information) + fit)


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
