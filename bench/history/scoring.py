"""What a fitted model scores on rows it never saw, against a guess that ignores the features.

Bench, not product.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    f1_score,
    log_loss,
    mean_absolute_error,
    mean_squared_error,
    r2_score,
    roc_auc_score,
)

from bench.history.recipes import Settings
from bench.history.tables import Table

GOALS = {"classification": "balanced_accuracy", "regression": "r2", "forecasting": "mae_skill"}
CURVE_POINTS = 20
Fold = tuple[np.ndarray, np.ndarray]


def changed(target: np.ndarray, settings: Settings) -> np.ndarray:
    """The target as the model sees it."""
    match settings.get("target"):
        case "log":
            return np.sign(target) * np.log1p(np.abs(target))
        case "trim":
            return np.clip(target, *np.quantile(target, [0.02, 0.98]))
    return target


def restored(predicted: np.ndarray, settings: Settings, highest: float) -> np.ndarray:
    """Back to the target's own unit; after a log, no further out than twice the largest value seen."""
    if settings.get("target") == "log":
        limit = np.log1p(2 * highest)
        predicted = np.clip(predicted, -limit, limit)
        return np.sign(predicted) * np.expm1(np.abs(predicted))
    return predicted


def score(table: Table, settings: Settings, fitted: Any, held_out: np.ndarray, fold: Fold) -> dict[str, float]:
    """Every metric of one fold. `skill` is 0 for the guess and 1 for no error."""
    train, test = table.target[fold[0]], table.target[fold[1]]
    if table.problem == "classification":
        return score_classes(fitted, held_out, train, test)
    predicted = restored(fitted.predict(held_out), settings, float(np.abs(train).max()))
    if table.problem == "forecasting":
        last_seen = table.features["lag_1"].to_numpy()[fold[1]]
        return score_forecast(predicted, test, last_seen)
    return score_numbers(predicted, train, test)


def score_classes(fitted: Any, held_out: np.ndarray, train: np.ndarray, test: np.ndarray) -> dict[str, float]:
    """Balanced accuracy; its guess is the most frequent class, 1 / number of classes."""
    chances = fitted.predict_proba(held_out)
    predicted = fitted.classes_[chances.argmax(axis=1)]
    labels, counts = np.unique(train, return_counts=True)
    goal = balanced_accuracy_score(test, predicted)
    guess = balanced_accuracy_score(test, np.full(len(test), labels[counts.argmax()]))
    found = {
        "balanced_accuracy": goal,
        "skill": (goal - guess) / (1 - guess),
        "accuracy": accuracy_score(test, predicted),
        "f1_macro": f1_score(test, predicted, average="macro"),
        "log_loss": log_loss(test, np.clip(chances, 1e-6, 1), labels=fitted.classes_),
    }
    if len(labels) == 2:
        found["roc_auc"] = roc_auc_score(test == fitted.classes_[1], chances[:, 1])
    return {name: float(value) for name, value in found.items()}


def score_numbers(predicted: np.ndarray, train: np.ndarray, test: np.ndarray) -> dict[str, float]:
    """R²; its guess is the training rows' mean."""
    error = mean_squared_error(test, predicted)
    guess = mean_squared_error(test, np.full(len(test), train.mean()))
    return {
        "r2": float(r2_score(test, predicted)),
        "skill": float(1 - error / guess),
        "mae": float(mean_absolute_error(test, predicted)),
        "rmse": float(np.sqrt(error)),
    }


def score_forecast(predicted: np.ndarray, test: np.ndarray, last_seen: np.ndarray) -> dict[str, float]:
    """1 - MAE / MAE of repeating the last value."""
    error = mean_absolute_error(test, predicted)
    skill = float(1 - error / max(mean_absolute_error(test, last_seen), 1e-12))
    return {
        "mae_skill": skill,
        "skill": skill,
        "mae": float(error),
        "rmse": float(np.sqrt(mean_squared_error(test, predicted))),
    }


def held_out_curve(fitted: Any) -> tuple[str, tuple[tuple[int, float], ...]]:
    """A boosted model's loss by round on the set it was watched on, at most 20 points; others have none."""
    results = getattr(fitted, "evals_result_", None)
    if not results:
        return "", ()
    watched, losses = next(iter(results.items()))
    loss, values = next(iter(losses.items()))
    rounds = sorted({int(place) for place in np.linspace(0, len(values) - 1, CURVE_POINTS)})
    return f"{watched}_{loss}", tuple((place + 1, float(f"{values[place]:.5g}")) for place in rounds)
