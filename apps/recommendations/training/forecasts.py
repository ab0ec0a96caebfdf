"""The recommendations room: forecasts and the ranking, found from the History. Loads LightGBM: never in a web process."""

import math
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import numpy as np

from apps.recommendations.estimators.forecasting import (
    Forecast,
    Prediction,
    contributions,
    forecast_from_json,
    predict,
    train_forecast,
)
from apps.recommendations.estimators.ranking import Ranker, RankingData, train_ranker
from apps.recommendations.estimators.scope import scope_of
from apps.recommendations.estimators.tables import Floats, table_from_rows
from apps.recommendations.past.arrays import PLAN_COLUMNS, forecast_covariates, forecast_data, in_unit, plans_of
from apps.recommendations.past.history import TARGETS, History, ProjectRow
from apps.recommendations.training.holdout import NO_RIVAL, Losses, Rival, split
from apps.recommendations.training.impact import Judged, Meter, elapsed_ms, ids_of

LEVEL = 0.8
MOST_OPEN = 500
TOP_REASONS = 8
BASELINE = "the median of earlier projects"
FAILED = (
    "In the backtest the model's error on later projects was {:.3f} × that of the median of earlier ones: this is the "
    "range of past projects."
)


@dataclass(frozen=True, slots=True)
class ForecastFinding:
    """What can be said of one target, and what it says of each open project.

    failed   the error ratio of a model that foresaw later projects worse than the median did, and so gave way to it
    """

    target: str
    forecast: Forecast
    judged: Judged | None
    why_not_judged: str
    covered: float | None
    fit_ms: int
    rows: tuple[ProjectRow, ...]
    predictions: tuple[Prediction, ...]
    reasons: tuple[tuple[dict[str, Any], ...], ...]
    projects: tuple[UUID, ...] = ()
    failed: float | None = None
    scope: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The model as text, with the projects it was trained on and how far these reach."""
        projects = [str(one) for one in self.projects]
        return self.forecast.to_json() | {"projects": projects, "scope": dict(self.scope)}


@dataclass(frozen=True, slots=True)
class RankingFinding:
    """Which artifacts do well, project by project.

    classes   problem class -> how many ranked projects are of it
    users     artifact -> the same, of those that used it
    """

    ranker: Ranker
    fit_ms: int
    classes: Mapping[str, int] = field(default_factory=dict)
    users: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    def is_pooled(self, problem_class: str) -> bool:
        """Say whether a standing rests on other classes than a project's own."""
        return set(self.classes) != {problem_class}

    def speaks_of(self, artifact: str, problem_class: str) -> bool:
        """Say whether projects of a class used an artifact: else its standing is other people's."""
        return bool(self.users.get(artifact, {}).get(problem_class))


def find_forecasts(
    history: History, *, seed: int, meter: Meter, rivals: Mapping[str, Rival] | None = None
) -> list[ForecastFinding]:
    """Success, duration, cost and effort."""
    serving = rivals or {}
    return [find_forecast(history, one, seed=seed, meter=meter, rival=serving.get(one, NO_RIVAL)) for one in TARGETS]


def find_forecast(history: History, target: str, *, seed: int, meter: Meter, rival: Rival) -> ForecastFinding:
    """One target: trained on all, judged by time, asked for every open project.

    A model that foresaw later projects worse than the median did gives way to the range of past projects.
    """
    started = time.perf_counter()
    meter.part(1.0, f"forecast of {target}")
    data = forecast_data(history.projects, target)
    forecast = train_forecast(data, level=LEVEL, seed=seed)
    known = [row for row in history.projects if row.actual[target] is not None]
    judged, covered, why = judge_forecast((known, rival), target, forecast, seed=seed)
    failed = judged.losses.ratio if judged and judged.losses.lose and forecast.basis != "median" else None
    if failed is not None:
        forecast = train_forecast(data, level=LEVEL, seed=seed, failed=FAILED.format(failed))
        judged, covered, why = judge_forecast((known, rival), target, forecast, seed=seed)
    open_rows = history.open[:MOST_OPEN]
    predictions, reasons = ask(forecast, open_rows, target)
    return ForecastFinding(
        target,
        forecast,
        judged,
        why,
        covered,
        elapsed_ms(started),
        open_rows,
        predictions,
        reasons,
        ids_of(known),
        failed,
        scope_of([row.known for row in known], came_of(known), [row.problem_class for row in known]),
    )


def ask(
    forecast: Forecast, rows: Sequence[ProjectRow], target: str
) -> tuple[tuple[Prediction, ...], tuple[tuple[dict[str, Any], ...], ...]]:
    """What a forecast says of some projects, and why."""
    table = forecast_covariates(rows, target)
    planned = plans_of(rows, target)
    predictions = tuple(in_unit(one, target) for one in predict(forecast, table, planned=planned))
    if forecast.verdict.is_refused or not rows:
        return predictions, ((),) * len(rows)
    why = contributions(forecast, table, planned=planned)
    return predictions, tuple(tuple(told(forecast, one) for one in row[:TOP_REASONS]) for row in why)


def told(forecast: Forecast, one: Any) -> dict[str, Any]:
    """One contribution; on the log scale it is told as a factor too."""
    amount = {"covariate": one.covariate, "amount": round(one.amount, 6)}
    return amount | ({"factor": round(math.exp(min(one.amount, 50.0)), 6)} if forecast.is_log else {})


def judge_forecast(
    contest: tuple[Sequence[ProjectRow], Rival], target: str, forecast: Forecast, *, seed: int
) -> tuple[Judged | None, float | None, str]:
    """Train on the earlier projects, forecast the later ones; the baseline is the earlier median."""
    earlier, later, rival = split(*contest)
    if forecast.verdict.is_refused or not later:
        return None, None, "there are too few projects to hold some back"
    data = forecast_data(earlier, target)
    plainly = train_forecast(data, level=LEVEL, seed=seed, failed=BASELINE)
    before = plainly if forecast.basis == "median" else train_forecast(data, level=LEVEL, seed=seed)
    if before.verdict.is_refused:
        return None, None, f"before the tested quarter: {before.verdict.reason}"
    median = float(predictions_of(plainly, later, target)[0].value or 0.0)

    def judge(stored: Mapping[str, Any]) -> Losses:
        return forecast_losses(forecast_from_json(stored), later, target, median=median)

    actual = forecast_data(later, target).target.tolist()
    inside = [
        one.lo <= value <= one.hi
        for one, value in zip(predictions_of(before, later, target), actual, strict=True)
        if one.lo is not None and one.hi is not None
    ]
    covered = float(np.mean(inside)) if inside else None
    losses = forecast_losses(before, later, target, median=median)
    return Judged(losses, judge, len(earlier), len(later), rival, frozenset(ids_of(later))), covered, ""


def came_of(rows: Sequence[ProjectRow]) -> dict[str, list[float | None]]:
    """A plan's name -> what such things came to in past projects."""
    return {column: [row.actual[target] for row in rows] for target, column in PLAN_COLUMNS.items()}


def predictions_of(forecast: Forecast, rows: Sequence[ProjectRow], target: str) -> tuple[Prediction, ...]:
    """What a forecast says of some projects, in the estimators' unit."""
    return predict(forecast, forecast_covariates(rows, target), planned=plans_of(rows, target))


def forecast_losses(forecast: Forecast, rows: Sequence[ProjectRow], target: str, *, median: float) -> Losses:
    """Absolute errors, on the log scale for time, money and effort."""
    actual = forecast_data(rows, target).target
    said = np.array([math.nan if one.value is None else one.value for one in predictions_of(forecast, rows, target)])
    said = np.where(np.isfinite(said), said, median)
    is_log = forecast.is_log
    return Losses(
        np.abs(scaled(said, is_log) - scaled(actual, is_log)),
        np.abs(scaled(np.full(len(rows), median), is_log) - scaled(actual, is_log)),
    )


def scaled(values: Floats, is_log: bool) -> Floats:
    """Points as they are; time, money and effort as logarithms."""
    return np.log(np.maximum(values, 1e-3)) if is_log else values


def find_ranking(history: History, *, seed: int, meter: Meter) -> RankingFinding:
    """Rank artifacts by the runs that used them, within each project."""
    started = time.perf_counter()
    meter.part(1.0, "ranking of artifacts")
    uses = [(run.slug, str(artifact), run.value) for run in history.runs for artifact in sorted(run.used)]
    data = RankingData(
        projects=tuple(project for project, _, _ in uses),
        artifacts=tuple(artifact for _, artifact, _ in uses),
        outcome=np.array([value for _, _, value in uses], dtype=np.float64),
        catalogue=tuple(str(one.id) for one in history.artifacts),
        families=tuple(one.kind for one in history.artifacts),
        facts=table_from_rows([{"kind": one.kind} for one in history.artifacts]),
    )
    classes, users = users_by_class(history)
    return RankingFinding(train_ranker(data, seed=seed), elapsed_ms(started), classes, users)


def users_by_class(history: History) -> tuple[dict[str, int], dict[str, dict[str, int]]]:
    """How many projects with runs there are of each problem class; and of those, how many used each artifact."""
    classes = {row.id: row.problem_class for row in history.projects}
    projects = {run.project for run in history.runs if run.used}
    pairs = {(str(artifact), run.project) for run in history.runs for artifact in run.used}
    users: dict[str, Counter[str]] = {}
    for artifact, project in pairs:
        users.setdefault(artifact, Counter())[classes[project]] += 1
    plain = {name: dict(sorted(counts.items())) for name, counts in sorted(users.items())}
    return dict(sorted(Counter(classes[project] for project in projects).items())), plain


def seen_of(history: History, project: ProjectRow) -> dict[str, float]:
    """The mean goal metric of a project's runs that used each artifact."""
    met: dict[str, list[float]] = {}
    for run in history.runs:
        if run.project == project.id:
            for artifact in run.used:
                met.setdefault(str(artifact), []).append(run.value)
    return {name: float(np.mean(sorted(values))) for name, values in met.items()}
