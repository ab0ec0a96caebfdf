"""Effects between runs of one project: its level cancels, its history does not unless it is told."""

from dataclasses import replace

import numpy as np
import pytest

from apps.recommendations.estimators.run_impact import RunData, estimate_run_impact
from tests.factories.simulated import workshop


def test_the_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    held = []
    for seed in range(6):
        made = workshop(30, 12, 6, seed=seed)
        result = estimate_run_impact(made.data)
        held += [effect.lo <= truth <= effect.hi for effect, truth in zip(result.effects, made.truth, strict=True)]
    assert 0.8 <= np.mean(held) <= 1.0


def test_a_project_level_and_scale_cancel() -> None:
    made = workshop(24, 10, 4, seed=1).data
    moved = np.array(
        [
            3 * value + 100 if owner.endswith("3") else value
            for value, owner in zip(made.outcome, made.projects, strict=True)
        ]
    )
    one, two = estimate_run_impact(made), estimate_run_impact(replace(made, outcome=moved))
    assert [e.effect for e in two.effects] == pytest.approx([e.effect for e in one.effects], abs=1e-6)


def test_a_trend_misleads_unless_the_place_of_the_run_is_recorded() -> None:
    def bias(recorded: bool) -> float:
        apart = []
        for seed in range(4):
            made = workshop(40, 10, 6, seed=seed, trend=3.0, recorded=recorded)
            result = estimate_run_impact(made.data)
            apart += [effect.effect - truth for effect, truth in zip(result.effects, made.truth, strict=True)][1::2]
        return float(np.mean(apart))

    assert bias(recorded=False) > 0.1
    assert abs(bias(recorded=True)) < 0.06


def test_too_few_projects_are_refused_with_what_is_missing() -> None:
    result = estimate_run_impact(workshop(6, 10, 4, seed=1).data)
    assert result.verdict.is_refused
    assert result.verdict.needs[0].have == 6
    assert all(effect.effect is None for effect in result.effects)


def test_projects_with_few_runs_do_not_count() -> None:
    assert estimate_run_impact(workshop(40, 3, 4, seed=1).data).verdict.needs[0].have == 0


def test_an_artifact_that_few_projects_compare_is_refused_alone() -> None:
    made = workshop(30, 10, 4, seed=2).data
    usage = made.usage.copy()
    usage[50:, 1] = 1.0
    effects = estimate_run_impact(replace(made, usage=usage)).effects
    assert effects[1].verdict.code == "arm_too_small"
    assert [effect.verdict.is_refused for effect in effects] == [False, True, False, False]


def test_repeated_runs_do_not_shrink_the_intervals() -> None:
    made = workshop(30, 10, 4, seed=3).data
    twice = np.concatenate([np.arange(300), np.arange(300)])
    doubled = RunData(
        tuple(f"{made.keys[row]} copy {copy}" for copy, row in enumerate(twice)),
        tuple(made.projects[row] for row in twice),
        made.outcome[twice],
        made.usage[twice],
        made.artifacts,
        made.covariates.take(twice),
    )
    for one, two in zip(estimate_run_impact(made).effects, estimate_run_impact(doubled).effects, strict=True):
        assert two.hi - two.lo > 0.9 * (one.hi - one.lo)


def test_the_order_of_runs_changes_nothing() -> None:
    made = workshop(20, 8, 4, seed=4).data
    rows = np.random.default_rng(0).permutation(160)
    shuffled = RunData(
        tuple(made.keys[row] for row in rows),
        tuple(made.projects[row] for row in rows),
        made.outcome[rows],
        made.usage[rows],
        made.artifacts,
        made.covariates.take(rows),
    )
    assert estimate_run_impact(shuffled) == estimate_run_impact(made)
