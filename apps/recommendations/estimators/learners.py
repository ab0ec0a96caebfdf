"""Recommendations room: the learners behind forecasts, and the features they share. Pure.

Text with many levels (an artifact, a client) enters as its shrunk mean outcome. For training rows the
mean leaves out the row's own project, so that a project never predicts itself; where a project has
many rows its own level is taken off first.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from apps.recommendations.estimators.boosting import boost
from apps.recommendations.estimators.features import Encoder, fit_encoder, is_identifier
from apps.recommendations.estimators.folds import Ints, centred_within
from apps.recommendations.estimators.nuisances import RIDGES, ridge_path
from apps.recommendations.estimators.tables import Column, Floats, Table

MEAN_FROM_LEVELS = 6
MEAN_PRIOR_ROWS = 5.0
ROUNDS = 150
OPTIONS = {
    "num_leaves": 15,
    "learning_rate": 0.05,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "feature_fraction": 0.5,
}


@dataclass(frozen=True, slots=True)
class LevelMeans:
    """A text column read as the shrunk mean outcome of its level."""

    name: str
    means: dict[str, float]
    scale: float

    def read(self, table: Table) -> Floats:
        """Shapes  n rows -> (n,); an unknown level is the average, 0."""
        values = table.columns.get(self.name)
        if values is None:
            return np.zeros(table.rows)
        return np.array([self.means.get(str(value), 0.0) for value in values])


@dataclass(frozen=True, slots=True)
class FeatureMap:
    """Table -> the two matrices; learnt from training rows."""

    encoder: Encoder
    means: tuple[LevelMeans, ...]

    @property
    def linear_sources(self) -> tuple[str, ...]:
        """The table column behind each linear column."""
        return self.encoder.linear_sources + tuple(mean.name for mean in self.means)

    @property
    def tree_sources(self) -> tuple[str, ...]:
        """The table column behind each tree column."""
        return self.encoder.tree_sources + tuple(mean.name for mean in self.means) or ("",)

    def linear(self, table: Table) -> Floats:
        """Shapes  n rows -> (n, p) without NaN."""
        means = [mean.read(table) / mean.scale for mean in self.means]
        return np.column_stack([self.encoder.linear(table), *means])

    def trees(self, table: Table) -> Floats:
        """Shapes  n rows -> (n, q); NaN is missing."""
        return _trees(self.encoder, table, [mean.read(table) for mean in self.means])

    def to_json(self) -> dict[str, Any]:
        """Plain lists and numbers, for storing."""
        return {"encoder": self.encoder.to_json(), "means": [asdict(mean) for mean in self.means]}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "FeatureMap":
        """The map that `to_json` wrote."""
        return cls(Encoder.from_json(stored["encoder"]), tuple(LevelMeans(**mean) for mean in stored["means"]))


@dataclass(frozen=True, slots=True)
class Training:
    """A feature map and the training rows as it reads them, own project left out of the level means."""

    features: FeatureMap
    linear: Floats
    trees: Floats


def fit_features(table: Table, target: Floats, codes: Ints) -> Training:
    """Learn the map. Shapes  n rows, (n,), (n,) project numbers."""
    encoder = fit_encoder(table)
    means, own = [], []
    for name, values in table.columns.items():
        if values.dtype == object and _has_many_levels(values):
            mean, left_out = _level_means(name, values, target, codes)
            means.append(mean)
            own.append(left_out)
    linear = np.column_stack([encoder.linear(table), *[v / m.scale for v, m in zip(own, means, strict=True)]])
    return Training(FeatureMap(encoder, tuple(means)), linear, _trees(encoder, table, own))


def _trees(encoder: Encoder, table: Table, means: list[Floats]) -> Floats:
    read = np.column_stack([encoder.trees(table), *means])
    # LightGBM needs a column even when nothing is known.
    return read if read.shape[1] else np.zeros((table.rows, 1))


def _has_many_levels(values: Column) -> bool:
    return len({str(value) for value in values}) >= MEAN_FROM_LEVELS and not is_identifier(values)


def _level_means(name: str, values: Column, target: Floats, codes: Ints) -> tuple[LevelMeans, Floats]:
    count = int(codes.max()) + 1
    levels, index = np.unique(np.array([str(value) for value in values]), return_inverse=True)
    centred = centred_within(target, codes, count) if count < len(target) else target - target.mean()
    sums, sizes = np.bincount(index, centred), np.bincount(index).astype(np.float64)
    _, pair = np.unique(index * count + codes, return_inverse=True)
    own_sums, own_sizes = np.bincount(pair, centred)[pair], np.bincount(pair)[pair]
    left_out = (sums[index] - own_sums) / (sizes[index] - own_sizes + MEAN_PRIOR_ROWS)
    shrunk = sums / (sizes + MEAN_PRIOR_ROWS)
    means = {str(level): float(mean) for level, mean in zip(levels, shrunk, strict=True)}
    return LevelMeans(name, means, max(float(left_out.std()), 1e-12)), left_out


@dataclass(frozen=True, slots=True)
class Ridge:
    """A linear fit. Shapes  weights, centers (p,)."""

    weights: Floats
    centers: Floats
    intercept: float

    def predict(self, linear: Floats) -> Floats:
        """Shapes  (n, p) -> (n,)."""
        return self.intercept + (linear - self.centers) @ self.weights


def fit_ridges(linear: Floats, target: Floats) -> list[Ridge]:
    """One fit for each penalty of RIDGES."""
    path = ridge_path(linear, target[:, None])
    return [Ridge(weights[:, 0], centers, float(middle[0])) for weights, centers, middle in path]


def fit_boosted(trees: Floats, target: Floats, *, seed: int) -> Any:
    """A LightGBM model of the target; leaves no smaller than the rows can carry."""
    smallest = int(np.clip(len(target) // 15, 5, 20))
    return boost(trees, target, rounds=ROUNDS, seed=seed, options={**OPTIONS, "min_data_in_leaf": smallest})


__all__ = ["RIDGES", "FeatureMap", "LevelMeans", "Ridge", "Training", "fit_boosted", "fit_features", "fit_ridges"]
