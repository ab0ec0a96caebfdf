"""Ranking: what did well elsewhere, then what goes with the runs seen here."""

from dataclasses import replace

import numpy as np
import pytest

from apps.recommendations.estimators.ranking import METHODS, RankingData, ndcg, rank, train_ranker
from apps.recommendations.estimators.tables import table_from_columns


def history(projects: int, *, seed: int, artifacts: int = 20, each: int = 20) -> RankingData:
    """Two kinds of project like opposite families of artifact; levels and scales differ wildly."""
    draw = np.random.default_rng(seed)
    family = np.arange(artifacts) % 4
    owners, used, outcome = [], [], []
    for p in range(projects):
        taste = (1 if p % 2 else -1) * np.array([1.0, 0.3, -0.3, -1.0])[family]
        value = draw.normal(0, 50) + np.exp(draw.normal()) * (
            taste + 0.2 * (family == 1) + draw.normal(0, 0.3, artifacts)
        )
        chosen = np.sort(draw.choice(artifacts, each, replace=False))
        owners += [f"project {p:03d}"] * each
        used += [f"artifact {k:02d}" for k in chosen]
        outcome += value[chosen].tolist()
    names = tuple(f"artifact {k:02d}" for k in range(artifacts))
    facts = table_from_columns({"depth": (np.arange(artifacts) // 4).astype(float)}, rows=artifacts)
    return RankingData(tuple(owners), tuple(used), np.array(outcome), names, tuple(f"f{k}" for k in family), facts)


def test_runs_seen_on_the_project_change_the_advice() -> None:
    ranker = train_ranker(history(50, seed=1))
    likes_first = rank(ranker, {"artifact 00": 9.0, "artifact 03": 1.0, "artifact 01": 6.0})
    likes_last = rank(ranker, {"artifact 00": 1.0, "artifact 03": 9.0, "artifact 02": 6.0})
    assert ranker.basis == "model"
    assert {advice.artifact[-2:] for advice in likes_first.advice[:4]} <= {"00", "04", "08", "12", "16"}
    assert {advice.artifact[-2:] for advice in likes_last.advice[:4]} <= {"03", "07", "11", "15", "19"}


def test_the_choice_between_methods_is_recorded_with_its_figures() -> None:
    quality = train_ranker(history(50, seed=1)).quality
    assert set(quality) == set(METHODS)
    assert quality["model"] > quality["mean_rank"] + 0.1


def test_without_seen_runs_the_order_is_the_mean_rank_unless_sharing_wins_clearly() -> None:
    ranker = train_ranker(history(50, seed=1))
    gap = np.array(ranker.judged["cold_shared_mean"]) - np.array(ranker.judged["cold_mean_rank"])
    clearly = gap.mean() > 2 * gap.std(ddof=1) / np.sqrt(len(gap))
    assert (ranker.cold == "shared_mean") == bool(clearly)
    plain = replace(ranker, cold="mean_rank", basis="mean_rank")
    forced = [one.artifact for one in rank(replace(ranker, cold="mean_rank"), {}).advice]
    assert forced == [one.artifact for one in rank(plain, {}).advice]


def test_the_mean_rank_is_shrunk_as_far_as_artifacts_are_alike() -> None:
    data = history(30, seed=4)
    noise = np.random.default_rng(1).normal(size=len(data.outcome))
    alike = train_ranker(replace(data, outcome=noise))
    apart = train_ranker(replace(data, outcome=np.array([float(name[-2:]) for name in data.artifacts]) + noise))
    widest = [max(abs(one.score) for one in rank(ranker, {}).advice) for ranker in (alike, apart)]
    assert widest[0] < 0.35
    assert widest[1] > 1.2


def test_up_to_forty_projects_go_by_mean_rank_alone() -> None:
    ranker = train_ranker(history(40, seed=2))
    assert (ranker.basis, ranker.verdict.status) == ("mean_rank", "early")
    seen = {"artifact 00": 9.0, "artifact 03": 1.0}
    assert rank(ranker, seen).advice == rank(ranker, {}).advice


def test_the_model_is_not_shown_where_it_does_not_win() -> None:
    data = history(60, seed=3)
    noise = np.random.default_rng(0).normal(size=len(data.outcome))
    better = np.array([int(name[-2:]) for name in data.artifacts]) * 10.0
    ranker = train_ranker(replace(data, outcome=better + noise * 0.001))
    assert ranker.quality["mean_rank"] == pytest.approx(1.0, abs=0.02)
    assert ranker.basis == "mean_rank"


def test_fewer_than_five_projects_are_refused_without_a_score() -> None:
    ranking = rank(train_ranker(history(4, seed=4)), {})
    assert (ranking.verdict.code, ranking.verdict.needs[0].have) == ("too_few_projects", 4)
    assert ranking.advice == ()


def test_how_often_an_artifact_is_used_says_nothing_of_its_quality() -> None:
    data = history(50, seed=5)
    repeated = RankingData(
        data.projects + data.projects[:200],
        data.artifacts + data.artifacts[:200],
        np.concatenate([data.outcome, data.outcome[:200]]),
        data.catalogue,
        data.families,
        data.facts,
    )
    assert rank(train_ranker(repeated), {}).advice == rank(train_ranker(data), {}).advice


def test_an_artifact_never_used_is_judged_by_its_like_and_says_so() -> None:
    data = history(50, seed=6)
    more = replace(
        data,
        catalogue=(*data.catalogue, "artifact new"),
        families=(*data.families, "f0"),
        facts=table_from_columns({"depth": [*data.facts.columns["depth"].tolist(), 2.0]}, rows=21),
    )
    seen = {"artifact 00": 9.0, "artifact 03": 1.0, "artifact 01": 6.0}
    ranking = rank(train_ranker(more), seen)
    found = next(advice for advice in ranking.advice if advice.artifact == "artifact new")
    assert found.used == 0
    assert "never used" in found.reason
    assert found.standing > 60


def test_the_order_of_usages_and_of_the_catalogue_changes_nothing() -> None:
    data = history(20, seed=7, each=10)
    rows, order = np.random.default_rng(1).permutation(200), np.random.default_rng(2).permutation(20)
    shuffled = RankingData(
        tuple(data.projects[row] for row in rows),
        tuple(data.artifacts[row] for row in rows),
        data.outcome[rows],
        tuple(data.catalogue[k] for k in order),
        tuple(data.families[k] for k in order),
        data.facts.take(order),
    )
    assert rank(train_ranker(shuffled), {}) == rank(train_ranker(data), {})


def test_standing_lies_in_its_interval_and_in_percent() -> None:
    for advice in rank(train_ranker(history(50, seed=8)), {"artifact 02": 1.0, "artifact 03": 2.0}).advice:
        assert 0 <= advice.lo <= advice.standing <= advice.hi <= 100


def test_ndcg_is_one_for_the_true_order_and_none_where_all_are_alike() -> None:
    outcome = np.arange(10.0)
    assert ndcg(outcome, outcome) == pytest.approx(1.0)
    assert ndcg(outcome, -outcome) == pytest.approx(0.0)
    assert ndcg(np.ones(10), outcome) is None
