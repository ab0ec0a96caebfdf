"""Recommendations room: what to expect of a project, with an honest interval. Pure.

    forecast = train_forecast(ForecastData(keys, groups, target, planned, covariates, unit="person-hours"))
    forecast.verdict                                     may it speak; forecast.basis: model, plan or median
    predict(forecast, table, planned=None)               one Prediction a row
    contributions(forecast, table, planned=None)         why, by TreeSHAP; on request only
    forecast.to_json() / forecast_from_json(stored)      the model text is checked against its sha256

Time, cost and effort are learnt on the log scale, points and people as they are. A forecast that does
not beat the median out of fold shows the median's range and says so; one that does not beat the
human's plan shows the plan.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

import numpy as np

from apps.recommendations.estimators import minimum_data
from apps.recommendations.estimators.boosting import digest, from_text, to_text
from apps.recommendations.estimators.data import ForecastData
from apps.recommendations.estimators.folds import capped_rows, group_codes
from apps.recommendations.estimators.learners import FeatureMap, Ridge, fit_boosted, fit_features, fit_ridges
from apps.recommendations.estimators.stacking import Stack, conformal_reach, cross_fit_stack, mean_error, quantile
from apps.recommendations.estimators.tables import Floats, Table
from apps.recommendations.estimators.verdicts import Verdict, early, worst

MAX_ROWS = 100_000
LOG_FLOOR = 1e-3
PLAN_COLUMN = "planned"
_PLAIN_UNITS = ("points", "people", "share", "rank")
Basis = Literal["model", "plan", "median"]


@dataclass(frozen=True, slots=True)
class Forecast:
    """A trained forecast: everything needed to predict, plain enough to store as JSON.

    errors    out-of-fold mean absolute errors (log scale if is_log) of median, ridge, lightgbm, stack, plan
    below, above   how far the truth lies from the forecast, on the learning scale
    """

    verdict: Verdict
    interval_verdict: Verdict
    unit: str
    is_log: bool
    level: float
    basis: Basis
    rows: int
    groups: int
    errors: dict[str, float]
    explained: float = 0.0
    center: float = 0.0
    below: float = 0.0
    above: float = 0.0
    bounds: tuple[float, float] = (0.0, 0.0)
    mix: tuple[float, float, float] = (1.0, 0.0, 0.0)
    features: FeatureMap | None = None
    ridge: Ridge | None = None
    booster: str = ""
    sha256: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain lists and numbers; the LightGBM text under "booster" with its sha256."""
        plain = {name: getattr(self, name) for name in _PLAIN}
        ridge = self.ridge and {
            "weights": self.ridge.weights.tolist(),
            "centers": self.ridge.centers.tolist(),
            "intercept": self.ridge.intercept,
        }
        verdicts = {name: getattr(self, name).to_json() for name in ("verdict", "interval_verdict")}
        return {**plain, **verdicts, "features": self.features and self.features.to_json(), "ridge": ridge}


_MADE = ("verdict", "interval_verdict", "features", "ridge")
_PLAIN = tuple(one.name for one in fields(Forecast) if one.name not in _MADE)


@dataclass(frozen=True, slots=True)
class Prediction:
    """One forecast in its unit. value is None if refused, lo and hi if the interval is."""

    value: float | None
    lo: float | None
    hi: float | None
    basis: Basis
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one covariate adds to a forecast; on the log scale if the forecast is (exp gives a factor)."""

    covariate: str
    amount: float


def forecast_from_json(stored: Mapping[str, Any]) -> Forecast:
    """The forecast that `to_json` wrote. Raises ValueError if the model text was changed."""
    if digest(stored["booster"]) != stored["sha256"]:
        raise ValueError("the stored model text does not match its sha256")
    plain = {name: stored[name] for name in _PLAIN} | {"bounds": tuple(stored["bounds"]), "mix": tuple(stored["mix"])}
    kept = stored["ridge"]
    ridge = kept and Ridge(np.array(kept["weights"]), np.array(kept["centers"]), kept["intercept"])
    features = stored["features"] and FeatureMap.from_json(stored["features"])
    return Forecast(
        Verdict.from_json(stored["verdict"]),
        Verdict.from_json(stored["interval_verdict"]),
        **plain,
        features=features,
        ridge=ridge,
    )


def train_forecast(data: ForecastData, *, level: float = 0.8, seed: int = 0, failed: str = "") -> Forecast:
    """Train on the rows whose target is known. Odd data are refused, never an exception.

    failed   why no model may speak, by a backtest say: the median's range is shown under that reason
    """
    is_log = not data.unit.startswith(_PLAIN_UNITS)
    rows = capped_rows(data.keys, data.groups, np.isfinite(data.target), most=MAX_ROWS)
    groups = tuple(data.groups[row] for row in rows)
    codes, count = group_codes(groups) if groups else (np.zeros(0, dtype=np.int64), 0)
    target = _learning_scale(data.target[rows], is_log)
    shell = Forecast(
        minimum_data.forecast(count),
        minimum_data.interval(count, level),
        data.unit,
        is_log,
        level,
        "median",
        len(rows),
        count,
        {},
        sha256=digest(""),
    )
    if shell.verdict.is_refused:
        return shell
    weights = 1.0 / np.bincount(codes)[codes]
    if failed:
        return _on_median(_bounded(shell, target, weights), target, weights, failed)
    planned = None if data.planned is None else data.planned[rows]
    table = _with_plan(data.covariates.take(rows), planned)
    stack = cross_fit_stack(table, target, groups, codes=codes, weights=weights, seed=seed)
    based = _based(shell, stack, target, weights, planned=planned)
    if based.basis == "model":
        return _fitted(based, stack, table, target, codes=codes, seed=seed)
    return based


def _based(shell: Forecast, stack: Stack, target: Floats, weights: Floats, *, planned: Floats | None) -> Forecast:
    """Choose what to show by out-of-fold error, with the reach of its interval."""
    shell = _bounded(shell, target, weights)
    spread = float(np.average((target - np.average(target, weights=weights)) ** 2, weights=weights))
    missed = float(np.average((target - stack.mixed) ** 2, weights=weights))
    common = replace(shell, errors=stack.errors, explained=1 - missed / spread if spread > 0 else 0.0)
    plan = None if planned is None else _learning_scale(planned, shell.is_log)
    if plan is not None and _plan_is_better(common, stack, plan, target, weights):
        return _on_plan(common, plan, target, weights)
    if not stack.errors["stack"] < stack.errors["median"] * (1 - 1e-9):
        return _on_median(
            common,
            target,
            weights,
            "Nothing known beforehand forecasts better than the median of past projects: this is their range.",
        )
    below, above = conformal_reach(target - stack.mixed, weights, shell.groups, level=shell.level)
    return replace(common, basis="model", below=below, above=above, mix=stack.mix)


def _bounded(shell: Forecast, target: Floats, weights: Floats) -> Forecast:
    """The middle of what was seen, and how far a forecast may lie outside of it."""
    margin = max(1.0, float(np.ptp(target)) * 0.25) if shell.is_log else float(np.ptp(target)) * 0.25
    bounds = (float(target.min()) - margin, float(target.max()) + margin)
    return replace(shell, center=quantile(target, weights, 0.5), bounds=bounds)


def _on_median(shell: Forecast, target: Floats, weights: Floats, reason: str) -> Forecast:
    below, above = conformal_reach(target - shell.center, weights, shell.groups, level=shell.level)
    said = early("not_better_than_median", reason)
    return replace(shell, basis="median", below=below, above=above, verdict=worst(said, shell.verdict))


def _plan_is_better(shell: Forecast, stack: Stack, plan: Floats, target: Floats, weights: Floats) -> bool:
    known = np.isfinite(plan)
    if known.sum() < minimum_data.FORECAST_OUTCOMES:
        return False
    shell.errors["plan"] = mean_error(target[known], plan[known], weights[known])
    ours = mean_error(target[known], stack.mixed[known], weights[known])
    return shell.errors["plan"] <= ours


def _on_plan(shell: Forecast, plan: Floats, target: Floats, weights: Floats) -> Forecast:
    known = np.isfinite(plan)
    below, above = conformal_reach((target - plan)[known], weights[known], shell.groups, level=shell.level)
    said = early(
        "plan_is_better", "Past plans were nearer than any model: this is the plan, with how far plans were off."
    )
    return replace(shell, basis="plan", below=below, above=above, verdict=worst(said, shell.verdict))


def _fitted(shell: Forecast, stack: Stack, table: Table, target: Floats, *, codes: Any, seed: int) -> Forecast:
    training = fit_features(table, target, codes)
    ridge = fit_ridges(training.linear, target)[stack.ridge]
    text = to_text(fit_boosted(training.trees, target, seed=seed)) if stack.mix[2] > 0 else ""
    return replace(shell, features=training.features, ridge=ridge, booster=text, sha256=digest(text))


def predict(forecast: Forecast, table: Table, *, planned: Floats | None = None) -> tuple[Prediction, ...]:
    """One Prediction a row, in the forecast's unit."""
    if forecast.verdict.is_refused:
        return (Prediction(None, None, None, forecast.basis, forecast.verdict),) * table.rows
    middle = _middle(forecast, table, planned)
    return tuple(_prediction(forecast, float(value)) for value in middle)


def _middle(forecast: Forecast, table: Table, planned: Floats | None) -> Floats:
    """Forecasts on the learning scale."""
    if forecast.basis == "plan":
        plan = _learning_scale(np.full(table.rows, np.nan) if planned is None else planned, forecast.is_log)
        return np.where(np.isfinite(plan), plan, forecast.center)
    if forecast.basis == "median" or forecast.features is None or forecast.ridge is None:
        return np.full(table.rows, forecast.center)
    read = _with_plan(table, planned)
    median, ridge, boosted = forecast.mix
    out = median * forecast.center + ridge * forecast.ridge.predict(forecast.features.linear(read))
    if boosted > 0 and table.rows:
        model = from_text(forecast.booster, sha256=forecast.sha256)
        out = out + boosted * np.asarray(model.predict(forecast.features.trees(read)))
    return np.asarray(np.clip(out, *forecast.bounds))


def _prediction(forecast: Forecast, middle: float) -> Prediction:
    value = _unit_scale(middle, forecast)
    if forecast.interval_verdict.is_refused:
        return Prediction(value, None, None, forecast.basis, forecast.verdict)
    lo = min(value, _unit_scale(middle + forecast.below, forecast))
    hi = max(value, _unit_scale(middle + forecast.above, forecast))
    return Prediction(value, lo, hi, forecast.basis, forecast.verdict)


def contributions(
    forecast: Forecast, table: Table, *, planned: Floats | None = None
) -> tuple[tuple[Contribution, ...], ...]:
    """Why each row's forecast differs from the average, strongest first; empty unless basis is "model".

    TreeSHAP for LightGBM's part, weight times deviation for the ridge's, joined by table column.
    """
    features, ridge = forecast.features, forecast.ridge
    if forecast.basis != "model" or features is None or ridge is None or not table.rows:
        return ((),) * table.rows
    read = _with_plan(table, planned)
    amounts = _by_source(
        (features.linear(read) - ridge.centers) * ridge.weights * forecast.mix[1], features.linear_sources, {}
    )
    if forecast.mix[2] > 0:
        model = from_text(forecast.booster, sha256=forecast.sha256)
        parts = np.asarray(model.predict(features.trees(read), pred_contrib=True))[:, :-1] * forecast.mix[2]
        amounts = _by_source(parts, features.tree_sources, amounts)
    return tuple(
        _strongest({name: float(values[row]) for name, values in amounts.items()}) for row in range(table.rows)
    )


def _by_source(parts: Floats, sources: tuple[str, ...], amounts: dict[str, Floats]) -> dict[str, Floats]:
    out = dict(amounts)
    for column, source in enumerate(sources):
        out[source] = out.get(source, np.zeros(len(parts))) + parts[:, column]
    return out


def _strongest(amounts: dict[str, float]) -> tuple[Contribution, ...]:
    ordered = sorted(amounts, key=lambda name: (-abs(amounts[name]), name))
    return tuple(Contribution(name, amounts[name]) for name in ordered if amounts[name] != 0)


def _with_plan(table: Table, planned: Floats | None) -> Table:
    return table if planned is None else table.with_column(PLAN_COLUMN, planned)


def _learning_scale(values: Floats, is_log: bool) -> Floats:
    if not is_log:
        return np.clip(values, -1e15, 1e15)
    return np.log(np.clip(values, LOG_FLOOR, 1e15))


def _unit_scale(value: float, forecast: Forecast) -> float:
    if forecast.is_log:
        return float(np.exp(min(value, 700.0)))
    return float(np.clip(value, 0.0, 100.0)) if forecast.unit.startswith("points") else value
