"""Whatever a tenant's data look like, the answer is a refusal or finite numbers: never an exception or NaN."""

import math
from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.recommendations.estimators.data import ForecastData, ImpactData
from apps.recommendations.estimators.forecasting import contributions, predict, train_forecast
from apps.recommendations.estimators.impact import estimate_impact
from apps.recommendations.estimators.ranking import RankingData, rank, train_ranker
from apps.recommendations.estimators.run_impact import RunData, estimate_run_impact
from apps.recommendations.estimators.tables import table_from_columns
from apps.recommendations.estimators.team_size import TeamData, recommend_team

ODD_NUMBERS = st.sampled_from([0.0, 1.0, -1.0, 50.0, 1e-300, 1e300, -1e300, math.nan, math.inf, -math.inf])
CELLS = st.sampled_from(
    [None, "", "NaN", "inf", 0, 3.5, True, "a", "b", "2024-02-30", "2024-02-29", "{}", '{"k": [1]}']
)
FEW = settings(max_examples=20, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def columns(draw: st.DrawFn, rows: int) -> dict[str, list[object]]:
    """Some columns: of anything, constant, empty, or of plain noise."""
    seed = draw(st.integers(0, 9))
    noise = np.random.default_rng(seed).normal(size=rows).tolist()
    kinds = {
        "noise": noise,
        "constant": [7] * rows,
        "empty": [None] * rows,
        "name": [f"id {row}" for row in range(rows)],
        "any": [draw(CELLS) for _ in range(5)] * (rows // 5 + 1),
    }
    chosen = draw(st.sets(st.sampled_from(sorted(kinds))))
    return {name: kinds[name][:rows] for name in sorted(chosen)}


@st.composite
def outcomes(draw: st.DrawFn, rows: int) -> np.ndarray:
    """Outcomes: noise with odd values strewn in, one constant, or all missing."""
    kind = draw(st.sampled_from(["noise", "constant", "missing", "odd"]))
    values = np.random.default_rng(draw(st.integers(0, 9))).normal(50, 10, rows)
    if kind == "constant":
        return np.full(rows, draw(ODD_NUMBERS))
    if kind == "missing":
        return np.full(rows, np.nan)
    if kind == "odd":
        values[:: draw(st.integers(2, 7))] = draw(ODD_NUMBERS)
    return values


@st.composite
def uses(draw: st.DrawFn, rows: int, artifacts: int) -> np.ndarray:
    """Uses: by chance, with all, no or copied columns."""
    usage = (np.random.default_rng(draw(st.integers(0, 9))).random((rows, artifacts)) < 0.4).astype(float)
    for column in range(artifacts):
        kind = draw(st.sampled_from(["chance", "chance", "all", "none", "copied", "nan"]))
        usage[:, column] = {"all": 1.0, "none": 0.0, "nan": np.nan}.get(
            kind, usage[:, 0 if kind == "copied" else column]
        )
    return usage


def are_finite(numbers: Iterable[float | None]) -> bool:
    return all(number is None or math.isfinite(number) for number in numbers)


def names(prefix: str, count: int) -> tuple[str, ...]:
    return tuple(f"{prefix} {number:04d}" for number in range(count))


@FEW
@given(st.data(), st.sampled_from([0, 1, 110]), st.integers(0, 4), st.sampled_from(["each", "one", "many"]))
def test_impact(data: st.DataObject, rows: int, artifacts: int, teams: str) -> None:
    keys = names("project", rows)
    clusters = {"each": keys, "one": ("team",) * rows, "many": tuple(f"team {row % 11}" for row in range(rows))}[teams]
    made = ImpactData(
        keys,
        clusters,
        data.draw(outcomes(rows)),
        data.draw(uses(rows, artifacts)),
        names("artifact", artifacts),
        table_from_columns(data.draw(columns(rows)), rows=rows),
    )
    result = estimate_impact(made)
    assert len(result.effects) == artifacts
    for effect in result.effects:
        assert effect.verdict.is_refused == (effect.effect is None)
        assert are_finite([effect.raw, effect.effect, effect.lo, effect.hi, effect.to_zero, effect.to_unsure])
        assert are_finite([effect.deviation, effect.overlap, result.outcome_explained, result.prior_deviation])
        assert effect.effect is None or effect.lo <= effect.effect <= effect.hi


@FEW
@given(st.data(), st.sampled_from([0, 1, 120]), st.integers(0, 3), st.sampled_from([1, 14, 120]))
def test_run_impact(data: st.DataObject, rows: int, artifacts: int, projects: int) -> None:
    owners = tuple(f"project {row % projects}" for row in range(rows))
    made = RunData(
        names("run", rows),
        owners,
        data.draw(outcomes(rows)),
        data.draw(uses(rows, artifacts)),
        names("artifact", artifacts),
        table_from_columns(data.draw(columns(rows)), rows=rows),
    )
    for effect in estimate_run_impact(made).effects:
        assert effect.verdict.is_refused == (effect.effect is None)
        assert are_finite([effect.raw, effect.effect, effect.lo, effect.hi])


@FEW
@given(st.data(), st.sampled_from([0, 19, 45]), st.sampled_from(["days", "points 0-100", "people"]), st.booleans())
def test_forecast(data: st.DataObject, rows: int, unit: str, has_plan: bool) -> None:
    keys = names("project", rows)
    table = table_from_columns(data.draw(columns(rows)), rows=rows)
    planned = data.draw(outcomes(rows)) if has_plan else None
    forecast = train_forecast(ForecastData(keys, keys, data.draw(outcomes(rows)), planned, table, unit))
    for shown in predict(forecast, table, planned=planned):
        assert forecast.verdict.is_refused == (shown.value is None)
        assert are_finite([shown.value, shown.lo, shown.hi])
    assert all(are_finite(part.amount for part in parts) for parts in contributions(forecast, table, planned=planned))


@FEW
@given(st.data(), st.sampled_from([0, 1, 6, 45]), st.integers(1, 5))
def test_ranking(data: st.DataObject, projects: int, artifacts: int) -> None:
    owners = tuple(f"project {row // artifacts}" for row in range(projects * artifacts))
    used = names("artifact", artifacts) * projects
    facts = table_from_columns(data.draw(columns(artifacts)), rows=artifacts)
    outcome = data.draw(outcomes(len(owners)))
    ranker = train_ranker(RankingData(owners, used, outcome, names("artifact", artifacts), ("f",) * artifacts, facts))
    seen = {"artifact 0000": data.draw(ODD_NUMBERS), "unheard of": 1.0}
    ranking = rank(ranker, seen)
    assert ranking.verdict.is_refused == (ranking.advice == ())
    for advice in ranking.advice:
        assert are_finite([advice.standing, advice.lo, advice.hi, advice.gain, advice.score])


@FEW
@given(st.data(), st.sampled_from([0, 5, 60]))
def test_team_range(data: st.DataObject, rows: int) -> None:
    table = table_from_columns(data.draw(columns(rows)), rows=rows)
    made = TeamData(names("project", rows), data.draw(outcomes(rows)), data.draw(outcomes(rows)), table)
    for team in recommend_team(made, table):
        assert team.verdict.is_refused == (team.lo is None)
        assert are_finite([team.lo, team.hi, team.explained])


def test_a_team_range_follows_size_where_size_matters() -> None:
    draw = np.random.default_rng(1)
    size = draw.uniform(1, 100, 80)
    table = table_from_columns({"size": size}, rows=80)
    made = TeamData(names("project", 80), np.round(2 + size / 10), draw.uniform(50, 90, 80), table)
    small, large = recommend_team(made, table_from_columns({"size": [5.0, 95.0]}, rows=2))
    assert small.hi < large.lo
    assert len(small.similar) == 15


def test_a_team_range_is_refused_where_nothing_tells_of_it() -> None:
    draw = np.random.default_rng(2)
    table = table_from_columns({"size": draw.normal(size=80)}, rows=80)
    made = TeamData(names("project", 80), draw.integers(2, 20, 80).astype(float), draw.uniform(50, 90, 80), table)
    team = recommend_team(made, table.take(np.arange(1)))[0]
    assert team.verdict.code == "not_predictable"
    assert team.lo is None


@pytest.mark.parametrize("rows", [100_000, pytest.param(300_000, marks=pytest.mark.slow)])
def test_many_runs_give_the_effects(rows: int) -> None:
    draw = np.random.default_rng(3)
    owners = tuple(f"project {row % 50:02d}" for row in range(rows))
    usage = (draw.random((rows, 2)) < 0.3).astype(float)
    outcome = usage @ np.array([0.5, -0.5]) + draw.normal(size=rows)
    made = RunData(
        tuple(f"{row:07d}" for row in range(rows)),
        owners,
        outcome,
        usage,
        names("artifact", 2),
        table_from_columns({"place": np.arange(rows, dtype=float)}, rows=rows),
    )
    effects = [effect.effect for effect in estimate_run_impact(made).effects]
    assert effects == pytest.approx([0.475, -0.475], abs=0.03)
