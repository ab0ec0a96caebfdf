"""Recommendations room: what the covariates alone say of the outcome and of each artifact. Pure.

Cross-fitted E[Y|X] and E[A_j|X]. The candidates are linear ridge, quadratic ridge, LightGBM and the
mean of the last two; each column takes the one with the least out-of-fold error.
Source  Chernozhukov et al. 2018, Double/debiased machine learning.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from apps.recommendations.estimators.boosting import boost
from apps.recommendations.estimators.folds import Ints
from apps.recommendations.estimators.tables import Floats

Columns = Sequence[int]
BOOST_FROM = 400
BOOST_ROWS, QUADRATIC_CELLS = 50_000, 30_000_000
RIDGES = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
MAX_INTERACTING = 25
BOOST_OPTIONS = {
    "num_leaves": 15,
    "learning_rate": 0.05,
    "min_data_in_leaf": 20,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "feature_fraction": 0.8,
}
BOOST_ROUNDS = 150


@dataclass(frozen=True, slots=True)
class Design:
    """The covariates twice: for ridges and for trees, with the table column behind each."""

    linear: Floats
    trees: Floats
    linear_sources: tuple[str, ...]
    tree_sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Fitted:
    """Out-of-fold predictions and what they rest on.

    Shapes  predictions (n, k); chosen k names; weights {source: (k,)} summing to 1 per column
    """

    predictions: Floats
    chosen: tuple[str, ...]
    weights: dict[str, Floats]


def cross_fit(
    design: Design,
    targets: Floats,
    folds: Ints,
    *,
    seed: int,
    units: int,
    trees: Columns | None = None,
    progress: Callable[[float], None] | None = None,
) -> Fitted:
    """Predict each column of `targets` from the other folds.

    Shapes  targets (n, k); folds (n,); units = independent rows (groups where rows repeat);
            trees = the columns for which LightGBM is tried at all (None: every column)
    """
    linear, linear_coefficients = _ridge_out_of_fold(design.linear, targets, folds)
    candidates = {"linear": linear}
    weights = _linear_weights(linear_coefficients, design)
    p = min(design.linear.shape[1], MAX_INTERACTING)
    quadratic_fit = linear
    if len(targets) * p * p / 2 <= QUADRATIC_CELLS:
        quadratic_fit, _ = _ridge_out_of_fold(quadratic(design.linear), targets, folds)
        candidates["quadratic"] = quadratic_fit
    if units >= BOOST_FROM and len(targets) <= BOOST_ROWS and design.trees.shape[1]:
        columns = list(range(targets.shape[1])) if trees is None else list(trees)
        boosted, gains = _boost_out_of_fold(design, targets, folds, columns=columns, seed=seed, progress=progress)
        candidates |= {"boosted": boosted, "mean": (quadratic_fit + boosted) / 2}
        weights = gains
    return _best(candidates, targets, weights)


def by_trees(fitted: Fitted) -> Columns:
    """The columns in which LightGBM had a part."""
    return [k for k, name in enumerate(fitted.chosen) if name in ("boosted", "mean")]


def _best(candidates: dict[str, Floats], targets: Floats, weights: dict[str, Floats]) -> Fitted:
    names = list(candidates)
    errors = np.stack([np.mean((targets - fit) ** 2, axis=0) for fit in candidates.values()])
    best = errors.argmin(axis=0)
    predictions = np.column_stack([candidates[names[b]][:, k] for k, b in enumerate(best)])
    return Fitted(predictions, tuple(names[b] for b in best), weights)


def quadratic(x: Floats) -> Floats:
    """Add squares and products of the columns; products only among the first 25 numeric ones.

    Shapes  (n, p) -> (n, p + about p^2 / 2)
    """
    used = x[:, :MAX_INTERACTING]
    rows, columns = np.triu_indices(used.shape[1])
    products = used[:, rows] * used[:, columns]
    products = products[:, np.ptp(products, axis=0) > 1e-12] if products.size else products
    return np.column_stack([x, products])


def _ridge_out_of_fold(x: Floats, targets: Floats, folds: Ints) -> tuple[Floats, Floats]:
    """Ridge for every column at once, each with its best penalty. Returns predictions, (p, k) weights."""
    n, k = targets.shape
    fits = np.empty((len(RIDGES), n, k))
    coefficients = np.zeros((len(RIDGES), x.shape[1], k))
    for fold in np.unique(folds):
        inside, outside = folds != fold, folds == fold
        for r, (weights, center_x, center_y) in enumerate(ridge_path(x[inside], targets[inside])):
            fits[r, outside] = center_y + (x[outside] - center_x) @ weights
            coefficients[r] += weights
    best = np.mean((targets[None] - fits) ** 2, axis=1).argmin(axis=0)
    columns = np.arange(k)
    return fits[best, :, columns].T, coefficients[best, :, columns].T


def ridge_path(x: Floats, y: Floats) -> list[tuple[Floats, Floats, Floats]]:
    """Ridge weights for each penalty of RIDGES (per row), with the centres of x and y.

    Shapes  x (n, p), y (n, k) -> per penalty ((p, k), (p,), (k,))
    """
    center_x, center_y = x.mean(axis=0), y.mean(axis=0)
    centred = x - center_x
    values, vectors = np.linalg.eigh(centred.T @ centred / len(x)) if x.shape[1] else (np.zeros(0), np.zeros((0, 0)))
    projected = vectors.T @ (centred.T @ (y - center_y) / len(x))
    return [
        (vectors @ (projected / (np.maximum(values, 0.0) + ridge)[:, None]), center_x, center_y) for ridge in RIDGES
    ]


def _boost_out_of_fold(
    design: Design,
    targets: Floats,
    folds: Ints,
    *,
    columns: Columns,
    seed: int,
    progress: Callable[[float], None] | None,
) -> tuple[Floats, dict[str, Floats]]:
    n, k = targets.shape
    # A column without trees gets an error that nothing chooses.
    fit = np.full((n, k), np.inf)
    fit[:, columns] = 0.0
    gains = np.zeros((len(design.tree_sources), k))
    labels = np.unique(folds)
    for done, column in enumerate(columns, 1):
        for fold in labels:
            inside, outside = folds != fold, folds == fold
            model = boost(
                design.trees[inside], targets[inside, column], rounds=BOOST_ROUNDS, seed=seed, options=BOOST_OPTIONS
            )
            fit[outside, column] = model.predict(design.trees[outside])
            gains[:, column] += model.feature_importance("gain")
        if progress:
            progress(done / len(columns))
    return fit, _shares(gains, design.tree_sources)


def _linear_weights(coefficients: Floats, design: Design) -> dict[str, Floats]:
    spread = design.linear.var(axis=0)[:, None] if design.linear.size else np.zeros((0, 1))
    return _shares(coefficients**2 * spread, design.linear_sources)


def _shares(parts: Floats, sources: tuple[str, ...]) -> dict[str, Floats]:
    totals = np.maximum(parts.sum(axis=0), 1e-300) if parts.size else np.ones(parts.shape[1])
    out: dict[str, Floats] = {}
    for row, source in enumerate(sources):
        out[source] = out.get(source, np.zeros(parts.shape[1])) + parts[row] / totals
    return out
