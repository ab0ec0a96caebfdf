"""Which params go with a metric: what is found where the truth is known, what is refused, what is not told apart."""

import numpy as np
import pytest

from apps.recommendations.estimators.importance import ParamData, Weighed, over_folds, split_of, weigh
from apps.recommendations.estimators.minimum_data import IMPORTANCE_RUNS
from apps.recommendations.estimators.tables import table_from_columns


def data(runs: int, strength: float, *, seed: int = 1, twin: bool = False) -> ParamData:
    """Runs whose metric follows the learning rate and the optimiser by so much, and three params that do nothing."""
    draw = np.random.default_rng(seed)
    rate = draw.uniform(-4, -1, runs)
    optimiser = draw.choice(["adam", "sgd", "rms"], runs)
    signal = -1.2 * (rate + 2.5) ** 2 + (optimiser == "adam")
    metric = np.sqrt(strength) * (signal - signal.mean()) / signal.std() + np.sqrt(1 - strength) * draw.normal(
        size=runs
    )
    columns = {
        "rate": [str(10**value) for value in rate],
        "optimiser": optimiser.tolist(),
        "seed": [str(value) for value in draw.integers(0, 10_000, runs)],
        "depth": [str(value) for value in draw.integers(1, 9, runs)],
        "folder": [f"/runs/{k}" for k in range(runs)],
        "constant": ["1"] * runs,
    }
    if twin:
        columns["log_rate"] = [str(value) for value in rate]
    return ParamData(tuple(f"r{k:04d}" for k in range(runs)), table_from_columns(columns, rows=runs), metric)


def names(found: Weighed) -> list[str]:
    return [" = ".join(weight.params) for weight in found.weights]


def test_what_moves_the_metric_comes_first_and_what_does_not_is_not_clear() -> None:
    found = weigh(data(120, 0.9))
    assert found.verdict.status == "ok"
    assert found.skill is not None
    assert found.skill.low > 0.4
    assert names(found)[:2] == ["rate", "optimiser"]
    assert [weight.is_clear for weight in found.weights] == [True, True, False, False]
    assert found.unused == ("constant", "folder")
    assert found.weights[0].runs == found.runs == 120


def test_where_params_say_nothing_no_weight_is_given() -> None:
    found = weigh(data(60, 0.0))
    assert (found.verdict.status, found.verdict.code, found.weights) == ("refused", "no_better_than_mean", ())
    assert "no better than the mean" in found.verdict.reason


def test_below_thirty_usable_runs_it_is_refused_with_the_number() -> None:
    found = weigh(data(IMPORTANCE_RUNS - 18, 0.9))
    assert (found.verdict.code, found.verdict.reason) == ("too_few_runs", "Too few runs: 12 of 30.")
    assert (found.skill, found.weights) == (None, ())
    full = data(40, 0.9)
    bare = table_from_columns(
        {name: [*column[:12], *[None] * 28] for name, column in full.params.columns.items()}, rows=40
    )
    assert weigh(ParamData(full.keys, bare, full.metric)).verdict.reason == "Too few runs: 12 of 30."


def test_params_that_cannot_be_told_apart_are_weighed_as_one() -> None:
    assert names(weigh(data(60, 0.9, twin=True)))[0] == "log_rate = rate"


def test_params_of_other_values_in_each_run_are_not_the_same_for_that() -> None:
    x = np.array([[1.0, 3.0, 3.0], [2.0, 1.0, 2.0], [3.0, 2.0, 1.0]])
    splits = [split_of(x[:, [k]]) for k in range(3)]
    assert splits[0] == splits[2] != splits[1]
    flags = np.array([[1.0, 5.0], [np.nan, 7.0], [1.0, 5.0]])
    assert split_of(flags[:, [0]]) == split_of(flags[:, [1]])


def test_one_diverged_run_decides_nothing_and_the_same_runs_say_the_same() -> None:
    plain = data(80, 0.9)
    metric = plain.metric.copy()
    metric[7] = -1e300
    odd = ParamData(plain.keys, plain.params, metric)
    found = weigh(odd)
    assert names(found)[:2] == ["rate", "optimiser"]
    assert weigh(odd) == found


def test_a_metric_that_never_changes_and_params_that_never_change_are_refused() -> None:
    plain = data(40, 0.9)
    assert weigh(ParamData(plain.keys, plain.params, np.ones(40))).verdict.code == "metric_all_alike"
    same = table_from_columns({"a": ["1"] * 40}, rows=40)
    assert weigh(ParamData(plain.keys, same, plain.metric)).verdict.code == "too_few_runs"


def test_an_interval_over_folds_is_wider_than_that_of_independent_values() -> None:
    values = np.array([0.1, 0.3, 0.2, 0.4, 0.25])
    found = over_folds(values)
    assert found.low < values.mean() - 1.2 * values.std(ddof=1) / np.sqrt(5)
    assert found.value == pytest.approx(0.25)
