"""Train one bundle on one table: three held-out folds, the metrics, the curve, the time it took.

Bench, not product. Every figure is measured on rows that the fold's model never saw.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import lightgbm
import numpy as np
from sklearn.model_selection import KFold, StratifiedKFold, TimeSeriesSplit, train_test_split

from bench.history.recipes import Settings, model, preparation
from bench.history.scoring import GOALS, changed, held_out_curve, score
from bench.history.tables import Table

FOLDS = 3


@dataclass(frozen=True)
class Measured:
    """What one run measured. `curve` is (round, loss on the held-out fold)."""

    metrics: dict[str, float]
    curve: tuple[tuple[int, float], ...]
    curve_name: str


def splits(table: Table, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """The same folds for every run of a project; a forecast is tested after its training rows."""
    if table.problem == "forecasting":
        return list(TimeSeriesSplit(FOLDS).split(table.features))
    kind = StratifiedKFold if table.problem == "classification" else KFold
    return list(kind(FOLDS, shuffle=True, random_state=seed).split(table.features, table.target))


def measure(table: Table, settings: Settings, seed: int) -> Measured:
    """Fit and score every fold; metrics are means over folds."""
    wall, cpu = time.perf_counter(), time.process_time()
    scores: list[dict[str, float]] = []
    curve: tuple[tuple[int, float], ...] = ()
    name = ""
    for number, (train, test) in enumerate(splits(table, seed)):
        fitted, held_out = fit(table, settings, train, test, seed)
        scores.append(score(table, settings, fitted, held_out, (train, test)))
        if number == 0:
            name, curve = held_out_curve(fitted)
    metrics = {key: float(np.mean([one[key] for one in scores])) for key in scores[0]}
    goal = GOALS[table.problem]
    metrics[f"{goal}_fold_deviation"] = float(np.std([one[goal] for one in scores]))
    metrics |= {"wall_seconds": time.perf_counter() - wall, "cpu_seconds": time.process_time() - cpu}
    return Measured({key: significant(value) for key, value in metrics.items()}, curve, name)


def significant(value: float) -> float:
    """Five significant digits: enough for a metric, small in a file."""
    return float(f"{value:.5g}")


def fit(table: Table, settings: Settings, train: np.ndarray, test: np.ndarray, seed: int) -> tuple[Any, np.ndarray]:
    """Prepare and train on the fold's training rows. Returns the model and the prepared held-out rows."""
    is_class = table.problem == "classification"
    train = resampled(table, settings, train, seed)
    target = changed(table.target[train], settings)
    prepared = preparation(table.features.iloc[train], settings, is_class, seed)
    seen = finite(prepared.fit_transform(table.features.iloc[train], target))
    held_out = finite(prepared.transform(table.features.iloc[test]))
    estimator = model(settings, is_class, seed)
    weights = class_weights(target) if settings.get("resample") == "weights" else None
    if isinstance(estimator, lightgbm.LGBMModel):
        boost(
            estimator,
            settings,
            (seen, target, weights),
            (held_out, changed(table.target[test], settings)),
            seed,
        )
    elif weights is not None and settings.get("model") != "neighbours":
        estimator.fit(seen, target, sample_weight=weights)
    else:
        estimator.fit(seen, target)
    return estimator, held_out


def finite(values: Any) -> np.ndarray:
    """Put zero where a number is missing or endless."""
    return np.nan_to_num(np.asarray(values, dtype=float), nan=0.0, posinf=0.0, neginf=0.0)


def boost(estimator: Any, settings: Settings, training: tuple[Any, ...], held_out: tuple[Any, Any], seed: int) -> None:
    """Fit LightGBM. The held-out fold only draws the curve; stopping watches a sixth of the training rows."""
    features, target, weights = training
    watch, names = [held_out], ["held_out"]
    callbacks = []
    if "stop_after" in settings and len(target) >= 60:
        rows = np.arange(len(target))
        kept, stop = train_test_split(rows, test_size=1 / 6, random_state=seed, stratify=stratum(target))
        watch, names = [(features[stop], target[stop])], ["stopping"]
        callbacks.append(lightgbm.early_stopping(settings["stop_after"], verbose=False))
        features, target = features[kept], target[kept]
        weights = None if weights is None else weights[kept]
    estimator.fit(features, target, sample_weight=weights, eval_set=watch, eval_names=names, callbacks=callbacks)


def stratum(target: np.ndarray) -> np.ndarray | None:
    """Classes are dealt evenly; numbers are not."""
    return None if target.dtype.kind == "f" else target


def resampled(table: Table, settings: Settings, train: np.ndarray, seed: int) -> np.ndarray:
    """Training rows, rare classes repeated up to half of the largest class if the bundle says so."""
    if settings.get("resample") != "copies":
        return train
    chance = np.random.default_rng(seed)
    labels, counts = np.unique(table.target[train], return_counts=True)
    rows = [train]
    for label, count in zip(labels, counts, strict=True):
        missing = int(counts.max() // 2 - count)
        if missing > 0:
            rows.append(chance.choice(train[table.target[train] == label], missing))
    return np.concatenate(rows)


def class_weights(target: np.ndarray) -> np.ndarray:
    """Weigh each row by how rare its class is."""
    labels, counts = np.unique(target, return_counts=True)
    weight = dict(zip(labels, len(target) / (len(labels) * counts), strict=True))
    return np.array([weight[label] for label in target])
