"""What came of what was said: advice to projects younger than the training, its outcome, and what is kept."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from apps.recommendations.answers import advice, calibration, followup
from apps.recommendations.models import Advice, ImpactModel, Training
from apps.recommendations.training import run
from apps.recommendations.work import leases, pruning
from apps.registry.models import ArtifactVersion, Usage
from apps.tenants.models import Tenant
from apps.tracking.models import Project
from tests.factories.learning import make_artifacts, make_past


def train_now() -> Training:
    asked, _ = leases.ask(why="asked", force=True)
    assert leases.take(asked.pk, "test") is not None
    run.run(Training.objects.get(pk=asked.pk), "test")
    return Training.objects.get(pk=asked.pk)


def fresh(slug: str = "fresh") -> Project:
    return Project.objects.create(slug=slug, name=slug, problem_class="classification")


def use(project: Project, version: ArtifactVersion) -> None:
    Usage.objects.create(project=project, version=version, observed="api", at=timezone.now())


def test_below_five_projects_artifacts_are_listed_by_recency_without_any_number(
    acme: Tenant, api: Callable[..., Client]
) -> None:
    past = make_past(4, artifacts=3, runs=4)
    train_now()
    body = api(acme, "viewer").get(f"/api/v1/projects/{fresh().pk}/advice/").json()
    assert (body["status"], body["basis"], body["unit"]) == ("refused", "recency", "")
    assert body["needs"]
    assert {item["artifact"]["id"] for item in body["items"]} == {str(one.pk) for one in past.artifacts}
    numbers = ("gain", "low", "high", "standing")
    assert all(item[name] is None for item in body["items"] for name in numbers)
    assert all(item["status"] == "refused" for item in body["items"])


def test_recency_puts_the_last_used_first_and_leaves_out_what_is_used_or_another_project_s(acme: Tenant) -> None:
    artifacts, versions = make_artifacts(4, "some")
    project, other = fresh(), fresh("other")
    use(other, versions[2])
    use(project, versions[0])
    artifacts[3].project = other
    artifacts[3].save()
    answer = advice.advice_for(project, reach=None)
    assert [item.artifact_id for item in answer.items] == [artifacts[2].pk, artifacts[1].pk]
    assert answer.basis == "recency"


def test_where_impact_refuses_a_project_younger_than_the_training_is_told_the_mean_ranks(acme: Tenant) -> None:
    past = make_past(8, artifacts=6, runs=8)
    train_now()
    answer = advice.advice_for(fresh(), reach=None)
    assert (answer.status, answer.basis) == ("early", "mean_rank")
    assert answer.items[0].artifact_id == past.artifacts[0].pk
    assert answer.items[0].gain is None
    assert 50 < answer.items[0].standing <= 100


def test_advice_to_a_project_younger_than_the_training_is_kept_and_followed_up(acme: Tenant) -> None:
    past = make_past(110)
    train_now()
    project = fresh()
    use(project, past.versions[0])
    at = timezone.now()
    assert followup.record_advice(at) >= 1
    assert followup.record_advice(at) == 0
    followup.follow_advice(at)
    followed = Advice.objects.get(project=project, artifact=past.artifacts[0])
    assert followed.was_followed is True
    assert followed.gain > 0
    Project.objects.filter(pk=project.pk).update(success=80)
    followup.follow_advice(at)
    followed.refresh_from_db()
    assert followed.outcome == 80


def settle(model: ImpactModel, count: int, *, did: bool, success: float) -> None:
    """Advice that was followed or not in projects that have ended."""
    artifact = make_artifacts(1, f"a{did}{count}")[0][0]
    for k in range(count):
        project = fresh(f"{did}-{count}-{k}".lower())
        Advice.objects.create(
            model=model,
            project=project,
            artifact=artifact,
            rank=1,
            basis="impact",
            status="ok",
            was_followed=did,
            outcome=success + k % 3,
            made_at=timezone.now(),
        )


def test_what_came_of_advice_is_an_association_with_an_interval_or_a_refusal(
    acme: Tenant, api: Callable[..., Client]
) -> None:
    model = ImpactModel.objects.create(training=leases.ask(why="asked")[0], target="impact", state="champion")
    settle(model, 11, did=True, success=70)
    settle(model, 20, did=False, success=60)
    said = calibration.followed()
    assert (said.status, said.advised, said.followed, said.difference) == ("refused", 31, 11, None)
    settle(model, 3, did=True, success=70)
    said = calibration.followed()
    assert said.status == "early"
    assert said.low < 10 < said.high
    assert said.difference == pytest.approx(10, abs=0.2)
    body = api(acme, "viewer").get("/api/v1/calibration/").json()
    assert body["advice"]["difference"] == pytest.approx(said.difference)


def test_the_t_quantile_of_the_interval_is_right() -> None:
    assert calibration.welch_reach([0.0, 1.0] * 6, [0.0, 1.0] * 6) == pytest.approx(
        1.7171 * (0.2727 / 6) ** 0.5, rel=2e-3
    )


def age(days: float) -> None:
    """Let everything be older."""
    Training.objects.update(created_at=timezone.now() - timedelta(days=days))


def test_young_trainings_and_the_last_ones_are_never_pruned(acme: Tenant) -> None:
    make_past(20)
    for _ in range(2):
        train_now()
    assert set(pruning.prune(timezone.now(), keep_trainings=0, days=30).values()) == {0}
    age(90)
    assert set(pruning.prune(timezone.now(), keep_trainings=2, days=30).values()) == {0}
    assert Training.objects.count() == 2
