"""Effects over finished projects: the truth is known, so are the ways to be wrong."""

from dataclasses import replace

import numpy as np
import pytest

from apps.recommendations.estimators.data import ImpactData
from apps.recommendations.estimators.impact import ImpactResult, estimate_impact
from apps.recommendations.estimators.tables import Floats, table_from_columns
from tests.factories.simulated import Tenant, tenant

SEEDS = (1, 2, 3, 4)


def shown(result: ImpactResult) -> tuple[Floats, Floats, Floats]:
    assert all(effect.effect is not None for effect in result.effects)
    triples = [(effect.effect, effect.lo, effect.hi) for effect in result.effects]
    return tuple(np.array(triples, dtype=float).T)  # type: ignore[return-value]


@pytest.fixture(scope="module")
def estimated() -> list[tuple[Tenant, ImpactResult]]:
    return [(made, estimate_impact(made.data)) for made in (tenant(320, 12, seed=seed) for seed in SEEDS)]


def test_the_intervals_hold_the_truth_about_as_often_as_they_say(estimated: list[tuple[Tenant, ImpactResult]]) -> None:
    held = [(lo <= made.truth) & (made.truth <= hi) for made, result in estimated for _, lo, hi in [shown(result)]]
    assert 0.8 <= np.mean(held) <= 1.0


def test_adjusting_and_shrinking_beats_the_raw_difference(estimated: list[tuple[Tenant, ImpactResult]]) -> None:
    for made, result in estimated:
        effect, _, _ = shown(result)
        raw = np.array([one.raw for one in result.effects], dtype=float)
        assert np.mean((effect - made.truth) ** 2) < 0.6 * np.mean((raw - made.truth) ** 2)


def test_a_claim_seldom_has_the_wrong_sign(estimated: list[tuple[Tenant, ImpactResult]]) -> None:
    signs = [
        np.sign(effect[(lo > 0) | (hi < 0)]) * np.sign(made.truth[(lo > 0) | (hi < 0)])
        for made, result in estimated
        for effect, lo, hi in [shown(result)]
    ]
    assert np.mean(np.concatenate(signs) < 0) <= 0.02


def test_a_hidden_cause_biases_and_its_strength_is_told() -> None:
    made = tenant(320, 12, seed=5, hidden=True)
    result = estimate_impact(made.data)
    known, _, _ = shown(estimate_impact(tenant(320, 12, seed=5).data))
    hidden, _, _ = shown(result)
    assert np.mean((hidden - made.truth) ** 2) > np.mean((known - made.truth) ** 2)
    claims = [effect for effect in result.effects if effect.lo is not None and effect.lo > 0]
    assert claims
    assert all(0 < effect.to_unsure < effect.to_zero < 1 for effect in claims)  # type: ignore[operator]


def test_a_curved_cause_is_seen_from_four_hundred_projects_on() -> None:
    made = tenant(401, 2, seed=6, curved=True)
    result = estimate_impact(made.data)
    assert result.outcome_learner in {"quadratic", "boosted", "mean"}
    effect, _, _ = shown(result)
    raw = np.array([one.raw for one in result.effects], dtype=float)
    assert np.abs(effect - made.truth).mean() < 0.5 * np.abs(raw - made.truth).mean()


def test_the_influences_name_what_drives_the_use() -> None:
    made = tenant(320, 12, seed=8)
    names = {effect.influences[0].covariate for effect in estimate_impact(made.data).effects}
    assert "team_past_success" in names


def test_fewer_than_a_hundred_projects_are_refused_with_what_is_missing() -> None:
    result = estimate_impact(tenant(99, 6, seed=1).data)
    assert result.verdict.code == "too_few_projects"
    assert (result.verdict.needs[0].have, result.verdict.needs[0].at_least) == (99, 100)
    assert all(effect.verdict.is_refused and effect.effect is None and effect.lo is None for effect in result.effects)


def test_fewer_than_three_projects_an_artifact_are_refused() -> None:
    result = estimate_impact(tenant(110, 40, seed=1).data)
    assert result.verdict.code == "too_few_projects_per_artifact"


def test_an_artifact_with_a_small_arm_is_refused_alone() -> None:
    made = tenant(200, 6, seed=2)
    usage = made.data.usage.copy()
    usage[:, 3] = 0
    usage[:11, 3] = 1
    result = estimate_impact(replace(made.data, usage=usage))
    assert [effect.verdict.code for effect in result.effects][3] == "arm_too_small"
    assert sum(effect.verdict.is_refused for effect in result.effects) == 1


def test_an_artifact_that_covariates_decide_is_refused() -> None:
    made = tenant(200, 6, seed=2)
    usage = made.data.usage.copy()
    usage[:, 2] = [kind == "vision" for kind in made.data.covariates.columns["problem_class"]]
    effect = estimate_impact(replace(made.data, usage=usage)).effects[2]
    assert effect.verdict.code == "no_overlap"
    assert effect.effect is None


def test_artifacts_that_always_come_together_are_refused() -> None:
    made = tenant(200, 6, seed=2)
    usage = made.data.usage.copy()
    usage[:, 1] = usage[:, 0]
    effects = estimate_impact(replace(made.data, usage=usage)).effects
    assert [effect.verdict.code for effect in effects[:2]] == ["always_used_together"] * 2


def test_from_a_hundred_to_three_hundred_projects_is_early() -> None:
    assert estimate_impact(tenant(150, 6, seed=1).data).verdict.status == "early"
    assert estimate_impact(tenant(301, 6, seed=1).data).verdict.status == "ok"


def test_the_order_of_projects_and_artifacts_changes_nothing() -> None:
    made = tenant(150, 6, seed=3).data
    rows, columns = np.random.default_rng(0).permutation(150), np.array([3, 1, 5, 0, 2, 4])
    shuffled = ImpactData(
        tuple(made.keys[row] for row in rows),
        tuple(made.clusters[row] for row in rows),
        made.outcome[rows],
        made.usage[rows][:, columns],
        tuple(made.artifacts[k] for k in columns),
        made.covariates.take(rows),
    )
    assert estimate_impact(shuffled) == estimate_impact(made)


def test_a_training_repeats_bit_for_bit() -> None:
    made = tenant(401, 1, seed=3).data
    assert estimate_impact(made, seed=7) == estimate_impact(made, seed=7)


def test_repeated_rows_of_the_same_cluster_do_not_shrink_the_intervals() -> None:
    made = tenant(150, 6, seed=4).data
    twice = np.concatenate([np.arange(150), np.arange(150)])
    doubled = ImpactData(
        tuple(f"{made.keys[row]} copy {copy}" for copy, row in enumerate(twice)),
        tuple(made.keys[row] for row in twice),
        made.outcome[twice],
        made.usage[twice],
        made.artifacts,
        made.covariates.take(twice),
    )
    for one, two in zip(estimate_impact(made).effects, estimate_impact(doubled).effects, strict=True):
        assert two.deviation == pytest.approx(one.deviation, rel=0.15)
        assert two.hi - two.lo > 0.85 * (one.hi - one.lo)  # type: ignore[operator]


def test_few_teams_adjust_and_many_teams_cluster() -> None:
    made = tenant(160, 4, seed=5).data
    few = replace(made, clusters=tuple(f"team {row % 4}" for row in range(160)))
    many = replace(made, clusters=tuple(f"team {row % 40}" for row in range(160)))
    assert estimate_impact(few).clusters == 160
    assert estimate_impact(many).clusters == 40


def test_no_covariates_at_all_still_gives_numbers() -> None:
    made = tenant(150, 4, seed=6).data
    bare = replace(made, covariates=table_from_columns({}, rows=150))
    assert all(np.isfinite(effect.effect) for effect in estimate_impact(bare).effects)


def test_one_problem_class_can_be_estimated_alone() -> None:
    made = tenant(400, 4, seed=7).data
    visions = np.array([kind == "vision" for kind in made.covariates.columns["problem_class"]])
    result = estimate_impact(made.take(visions))
    assert result.rows == visions.sum()
    assert [effect.effect is not None for effect in result.effects] == [True] * 4
