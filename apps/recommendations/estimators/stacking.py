"""Recommendations room: which mix of learners forecasts best, and how far off it is. Pure.

Everything is judged out of fold, with whole projects left out and each project weighing the same.
"""

from dataclasses import dataclass

import numpy as np

from apps.recommendations.estimators.folds import Ints, deal_folds
from apps.recommendations.estimators.learners import RIDGES, fit_boosted, fit_features, fit_ridges
from apps.recommendations.estimators.tables import Floats, Table

FOLDS = 5
STEP = 0.05


@dataclass(frozen=True, slots=True)
class Stack:
    """Out-of-fold fits and the mix chosen from them.

    Shapes  mixed, median (n,); mix = weights of median, ridge and LightGBM, summing to 1
    """

    mix: tuple[float, float, float]
    ridge: int
    mixed: Floats
    median: Floats
    errors: dict[str, float]


def cross_fit_stack(
    table: Table, target: Floats, groups: tuple[str, ...], *, codes: Ints, weights: Floats, seed: int
) -> Stack:
    """Choose the ridge penalty and the mix by mean absolute error out of fold.

    Shapes  target, codes, weights (n,); groups n project names
    """
    folds = deal_folds(groups, FOLDS, seed=seed)
    n = len(target)
    median, boosted, ridges = np.zeros(n), np.zeros(n), np.zeros((len(RIDGES), n))
    for fold in np.unique(folds):
        inside, outside = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        _, inner = np.unique(codes[inside], return_inverse=True)
        training = fit_features(table.take(inside), target[inside], inner)
        held = table.take(outside)
        median[outside] = quantile(target[inside], weights[inside], 0.5)
        held_linear = training.features.linear(held)
        for r, ridge in enumerate(fit_ridges(training.linear, target[inside])):
            ridges[r, outside] = ridge.predict(held_linear)
        model = fit_boosted(training.trees, target[inside], seed=seed)
        boosted[outside] = model.predict(training.features.trees(held))
    return _mixed(target, weights, median=median, ridges=ridges, boosted=boosted)


def _mixed(target: Floats, weights: Floats, *, median: Floats, ridges: Floats, boosted: Floats) -> Stack:
    best = int(np.argmin([mean_error(target, fit, weights) for fit in ridges]))
    ridge = ridges[best]
    steps = round(1 / STEP)
    mixes = [(a / steps, b / steps, (steps - a - b) / steps) for a in range(steps + 1) for b in range(steps + 1 - a)]
    fits = [a * median + b * ridge + c * boosted for a, b, c in mixes]
    errors = [mean_error(target, fit, weights) for fit in fits]
    chosen = int(np.argmin(errors))
    by_learner = {"median": median, "ridge": ridge, "lightgbm": boosted, "stack": fits[chosen]}
    measured = {name: mean_error(target, fit, weights) for name, fit in by_learner.items()}
    return Stack(mixes[chosen], best, fits[chosen], median, measured)


def mean_error(target: Floats, fit: Floats, weights: Floats) -> float:
    """Mean absolute error, each project weighing the same."""
    return float((weights * np.abs(target - fit)).sum() / weights.sum())


def quantile(values: Floats, weights: Floats, share: float) -> float:
    """The least value that at least `share` of the weight does not exceed."""
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[order]) / weights.sum()
    # The slack forgives rounding: .9 of ten equal weights is the ninth value, not the tenth.
    place = int(np.searchsorted(reached, share - 1e-9))
    return float(values[order][min(place, len(values) - 1)])


def conformal_reach(residuals: Floats, weights: Floats, groups: int, *, level: float) -> tuple[float, float]:
    """How far below and above a forecast the truth lies, from whole projects left out.

    Each tail is widened for the one project to come (n + 1 in place of n projects).
    Source  Barber et al. 2021, CV+; Dunn, Wasserman, Ramdas 2022, by groups
    """
    tail = (1 - level) / 2
    below = max(0.0, np.floor(tail * (groups + 1)) / groups)
    above = min(1.0, np.ceil((1 - tail) * (groups + 1)) / groups)
    return quantile(residuals, weights, float(below)), quantile(residuals, weights, float(above))
