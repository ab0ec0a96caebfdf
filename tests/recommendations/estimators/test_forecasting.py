"""Forecasts: nearer than the median, intervals that hold new projects, and plain refusals."""

import json
from dataclasses import replace

import numpy as np
import pytest

from apps.recommendations.estimators.data import ForecastData
from apps.recommendations.estimators.forecasting import (
    Forecast,
    contributions,
    forecast_from_json,
    predict,
    train_forecast,
)
from apps.recommendations.estimators.tables import Table, table_from_columns


def work(projects: int, *, seed: int, useful: bool = True, planned: float | None = None) -> ForecastData:
    """Effort follows size and language; `planned` is how far off (log scale) the human's estimate is."""
    draw = np.random.default_rng(seed)
    size, language = np.exp(draw.normal(4, 1, projects)), draw.integers(0, 4, projects)
    log_effort = draw.normal(5, 1, projects)
    if useful:
        log_effort = 1 + 0.9 * np.log(size) + np.array([0, 0.3, -0.4, 0.2])[language] + draw.normal(0, 0.4, projects)
    plan = None if planned is None else np.exp(log_effort + draw.normal(0, planned, projects))
    names = np.array(["go", "java", "python", "sql"])[language].tolist()
    table = table_from_columns({"size": size, "language": names}, rows=projects)
    keys = tuple(f"project {row:04d}" for row in range(projects))
    return ForecastData(keys, keys, np.exp(log_effort), plan, table, "person-hours")


def split(data: ForecastData, known: int) -> tuple[ForecastData, Table, np.ndarray]:
    first, rest = np.arange(known), np.arange(known, len(data.keys))
    planned = None if data.planned is None else data.planned[:known]
    train = ForecastData(
        data.keys[:known], data.groups[:known], data.target[:known], planned, data.covariates.take(first), data.unit
    )
    return train, data.covariates.take(rest), data.target[rest]


@pytest.fixture(scope="module")
def trained() -> Forecast:
    return train_forecast(work(120, seed=1))


def test_a_forecast_is_nearer_than_the_median_and_its_interval_holds() -> None:
    held = []
    for seed in range(5):
        train, table, actual = split(work(270, seed=seed), 70)
        forecast = train_forecast(train)
        shown = predict(forecast, table)
        value, lo, hi = (np.array([getattr(one, name) for one in shown]) for name in ("value", "lo", "hi"))
        missed = np.abs(np.log(value / actual)).mean()
        assert missed < 0.6 * np.abs(np.log(np.median(train.target) / actual)).mean()
        assert forecast.basis == "model"
        held.append(((lo <= actual) & (actual <= hi)).mean())
    assert 0.75 <= np.mean(held) <= 0.9


def test_runs_of_one_project_are_left_out_together() -> None:
    draw = np.random.default_rng(3)
    levels = draw.normal(0, 10, 60)
    owner = np.repeat(np.arange(60), 10)
    target = 50 + levels[owner] + draw.normal(0, 1, 600)
    table = table_from_columns({"fingerprint": levels[owner].round(1) * 0 + owner}, rows=600)
    keys = tuple(f"run {row:04d}" for row in range(600))
    groups = tuple(f"project {p:02d}" for p in owner)
    forecast = train_forecast(ForecastData(keys, groups, target, None, table, "points 0-100"))
    shown = predict(forecast, table_from_columns({"fingerprint": [200.0]}, rows=1))[0]
    assert shown.hi - shown.lo > 15


def test_the_plan_as_a_feature_helps() -> None:
    plain = train_forecast(work(120, seed=4))
    planned = train_forecast(work(120, seed=4, planned=0.3))
    assert planned.errors["stack"] < 0.8 * plain.errors["stack"]


def test_a_plan_that_no_model_beats_is_shown() -> None:
    data = work(60, seed=5, useful=False, planned=0.01)
    forecast = train_forecast(data)
    shown = predict(forecast, data.covariates.take(np.arange(1)), planned=np.array([123.0]))[0]
    assert (forecast.basis, forecast.verdict.code) == ("plan", "plan_is_better")
    assert shown.value == pytest.approx(123.0)


def test_what_cannot_be_forecast_shows_the_range_of_the_median_and_says_so() -> None:
    data = work(60, seed=6, useful=False)
    constant = replace(data, covariates=table_from_columns({"size": np.ones(60)}, rows=60))
    forecast = train_forecast(constant)
    shown = predict(forecast, constant.covariates.take(np.arange(1)))[0]
    assert (forecast.basis, forecast.verdict.code) == ("median", "not_better_than_median")
    assert shown.value == pytest.approx(np.sort(data.target)[29])
    assert shown.lo < shown.value < shown.hi


def test_fewer_than_twenty_outcomes_are_refused_with_what_is_missing() -> None:
    data = work(30, seed=7)
    target = data.target.copy()
    target[19:] = np.nan
    forecast = train_forecast(replace(data, target=target))
    assert (forecast.verdict.code, forecast.verdict.needs[0].have) == ("too_few_outcomes", 19)
    assert {one.value for one in predict(forecast, data.covariates)} == {None}


def test_a_ninety_percent_interval_needs_forty_projects() -> None:
    data = work(39, seed=8)
    shown = predict(train_forecast(data, level=0.9), data.covariates)[0]
    assert shown.value is not None
    assert (shown.lo, shown.hi) == (None, None)
    assert predict(train_forecast(data, level=0.8), data.covariates)[0].lo is not None


def test_up_to_eighty_outcomes_is_early() -> None:
    assert train_forecast(work(80, seed=9)).verdict.status == "early"
    assert train_forecast(work(81, seed=9)).verdict.status == "ok"


def test_contributions_add_up_to_the_distance_between_two_forecasts(trained: Forecast) -> None:
    table = work(120, seed=1).covariates.take(np.array([0, 1]))
    one, two = (sum(part.amount for part in parts) for parts in contributions(trained, table))
    first, second = predict(trained, table)
    assert one - two == pytest.approx(np.log(first.value / second.value), abs=1e-6)
    assert {part.covariate for part in contributions(trained, table)[0]} == {"size", "language"}


def test_a_stored_forecast_predicts_the_same_and_refuses_another_model_text(trained: Forecast) -> None:
    stored = json.loads(json.dumps(trained.to_json()))
    table = work(5, seed=10).covariates
    assert predict(forecast_from_json(stored), table) == predict(trained, table)
    stored["booster"] += " "
    with pytest.raises(ValueError, match="sha256"):
        forecast_from_json(stored)


def test_a_training_repeats_bit_for_bit_in_any_order_of_rows(trained: Forecast) -> None:
    data = work(120, seed=1)
    rows = np.random.default_rng(0).permutation(120)
    keys = tuple(data.keys[row] for row in rows)
    shuffled = ForecastData(keys, keys, data.target[rows], None, data.covariates.take(rows), data.unit)
    assert json.dumps(train_forecast(shuffled).to_json()) == json.dumps(trained.to_json())


def test_unknown_levels_missing_columns_and_monsters_still_give_a_number(trained: Forecast) -> None:
    odd = table_from_columns({"size": [1e300, -5.0, float("inf"), None], "language": ["cobol", "", None, "go"]}, rows=4)
    for table in (odd, odd.without(["size"]), table_from_columns({}, rows=4)):
        for shown in predict(trained, table):
            assert np.isfinite([shown.value, shown.lo, shown.hi]).all()
            assert shown.lo <= shown.value <= shown.hi
