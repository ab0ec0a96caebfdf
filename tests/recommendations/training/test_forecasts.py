"""Forecasts, advice and what came of both, on a database."""

import random
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from apps.recommendations.answers import calibration, followup
from apps.recommendations.estimators.ranking import METHODS
from apps.recommendations.models import Advice, Forecast, ImpactModel, Training, WhatIf
from apps.recommendations.training import latecomers, run, what_if
from apps.recommendations.work import leases
from apps.registry.models import Usage
from apps.tenants.models import Tenant
from apps.tracking.models import Project
from tests.factories.learning import make_past, make_runs

LATER = datetime(2025, 1, 15, tzinfo=UTC)


def train_now() -> Training:
    asked, _ = leases.ask(why="asked", force=True)
    assert leases.take(asked.pk, "test") is not None
    run.run(Training.objects.get(pk=asked.pk), "test")
    return Training.objects.get(pk=asked.pk)


def open_project(**fields: Any) -> Project:
    """A project that has begun and not ended."""
    known = {"problem_class": "classification", "complexity": 80, "team_size": 4, "planned_duration_days": 90}
    return Project.objects.create(slug="open", name="Open", starts_at=LATER, **(known | fields))


def test_an_open_project_gets_forecasts_with_intervals_reasons_and_refusals(
    acme: Tenant, api: Callable[..., Client]
) -> None:
    make_past(120)
    project = open_project()
    train_now()
    body = api(acme, "viewer").get(f"/api/v1/projects/{project.pk}/forecasts/").json()
    by_target = {one["target"]: one for one in body["results"]}
    success, duration, cost = by_target["success"], by_target["duration"], by_target["cost"]
    assert success["low"] < success["value"] < success["high"]
    assert 20 < success["value"] < 70
    assert (success["unit"], success["level"]) == ("points", 0.8)
    assert success["contributions"][0]["covariate"] in ("complexity", "planned_duration_days")
    assert duration["low"] <= duration["value"] <= duration["high"]
    assert duration["planned"] == 90
    assert (cost["status"], cost["code"]) == ("refused", "too_few_outcomes")
    assert cost["value"] is None
    assert cost["low"] is None
    assert cost["needs"][0]["at_least"] == 20


def test_forecasts_before_any_training_are_refused(acme: Tenant, api: Callable[..., Client]) -> None:
    project = open_project()
    body = api(acme, "viewer").get(f"/api/v1/projects/{project.pk}/forecasts/").json()
    assert (body["status"], body["results"]) == ("refused", [])
    assert body["needs"] == [{"what": "projects with this outcome", "have": 0.0, "at_least": 20.0}]


def test_a_forecast_model_keeps_its_backtest_and_the_digest_of_its_text(acme: Tenant) -> None:
    make_past(120)
    train_now()
    model = ImpactModel.objects.champions().get(target="success")
    assert model.figures["holdout"]["tested_projects"] >= 10
    assert model.figures["holdout"]["error_ratio"] < 1
    assert 0 <= model.figures["holdout"]["coverage"] <= 1
    assert len(model.model_sha256) == 64


def test_a_forecast_is_compared_with_what_happened_and_corrected_with_it(acme: Tenant) -> None:
    make_past(60)
    project = open_project()
    train_now()
    Project.objects.filter(pk=project.pk).update(success=44, actual_duration_days=100)
    assert followup.settle_forecasts(timezone.now()) == 2
    assert Forecast.objects.get(project=project, target="success").actual == 44
    Project.objects.filter(pk=project.pk).update(success=55)
    assert followup.changed_outcomes() == 1
    followup.settle_forecasts(timezone.now())
    assert Forecast.objects.get(project=project, target="success").actual == 55


def test_calibration_of_few_forecasts_is_refused_and_of_enough_is_a_share(
    acme: Tenant, api: Callable[..., Client]
) -> None:
    body = api(acme, "viewer").get("/api/v1/calibration/").json()
    assert all(one["status"] == "refused" and one["coverage"] is None for one in body["forecasts"])
    past = make_past(30)
    train_now()
    model = ImpactModel.objects.get(target="success")
    Forecast.objects.bulk_create(
        Forecast(
            model=model,
            project=one,
            target="success",
            unit="points",
            level=0.8,
            status="ok",
            p10=0,
            p50=50,
            p90=100 if k < 15 else 0,
            actual=one.success,
            settled_at=timezone.now(),
            made_at=timezone.now(),
        )
        for k, one in enumerate(past.projects[:20])
    )
    (found,) = calibration.calibration(["success"])
    assert (found.n, found.coverage, found.drifted) == (20, 0.75, False)


def test_advice_is_stored_for_open_projects_and_notes_whether_it_was_followed(acme: Tenant) -> None:
    past = make_past(120)
    project = open_project()
    train_now()
    advised = Advice.objects.get(project=project, artifact=past.artifacts[0])
    assert (advised.rank, advised.basis) == (1, "impact")
    assert advised.low < advised.gain < advised.high
    assert set(advised.evidence) <= {str(one.pk) for one in past.projects}
    version = past.versions[0]
    Usage.objects.create(version=version, project=project, observed="api", at=timezone.now() + timedelta(seconds=1))
    Project.objects.filter(pk=project.pk).update(success=70)
    followup.follow_advice(timezone.now())
    advised.refresh_from_db()
    assert (advised.was_followed, advised.outcome) == (True, 70)
    others = Advice.objects.filter(project=project, kind="artifact").exclude(pk=advised.pk)
    assert all(other.was_followed is False for other in others)


def test_a_ranked_catalogue_serves_where_impact_refuses(acme: Tenant, api: Callable[..., Client]) -> None:
    past = make_past(8, artifacts=6, runs=8)
    project = open_project(goal_metric="accuracy")
    train_now()
    assert ImpactModel.objects.serving().state == "refused"
    body = api(acme, "viewer").get(f"/api/v1/projects/{project.pk}/advice/").json()
    assert (body["status"], body["basis"]) == ("early", "mean_rank")
    first = body["items"][0]
    assert first["artifact"]["id"] == str(past.artifacts[0].pk)
    assert first["gain"] is None
    assert 50 < first["standing"] <= 100
    assert "interval" in first["reasons"][0]


def test_team_size_is_a_range_or_a_refusal_never_a_number(acme: Tenant, api: Callable[..., Client]) -> None:
    make_past(60)
    project = open_project()
    train_now()
    team = api(acme, "viewer").get(f"/api/v1/projects/{project.pk}/advice/").json()["team_size"]
    if team["status"] == "refused":
        assert (team["low"], team["high"], team["evidence"]) == (None, None, [])
        assert team["needs"]
    else:
        assert team["low"] <= team["high"]


def test_a_project_that_does_not_exist_is_forecast_from_its_facts(acme: Tenant) -> None:
    make_past(120)
    train_now()
    easy = WhatIf.objects.create(facts={"complexity": 5, "planned_duration_days": 60, "dataset_facts": {"rows": 900}})
    hard = WhatIf.objects.create(facts={"complexity": 95, "problem_class": "classification"})
    for one in (easy, hard):
        what_if.answer(one, at=LATER)
    said = {one.pk: {each["target"]: each for each in one.answer["results"]} for one in (easy, hard)}
    assert said[easy.pk]["success"]["value"] > said[hard.pk]["success"]["value"] + 5
    assert said[easy.pk]["cost"]["status"] == "refused"
    assert said[easy.pk]["cost"]["value"] is None
    assert easy.state == "done"


def test_a_question_before_any_training_is_answered_with_refusals(acme: Tenant) -> None:
    question = WhatIf.objects.create(facts={})
    what_if.answer(question, at=LATER)
    assert {one["status"] for one in question.answer["results"]} == {"refused"}
    assert {one["value"] for one in question.answer["results"]} == {None}


def test_asking_a_question_answers_202_with_its_address(acme: Tenant, api: Callable[..., Client]) -> None:
    client = api(acme, "viewer")
    answer = client.post("/api/v1/forecasts/", data={"complexity": 40}, content_type="application/json")
    assert answer.status_code == 202
    shown = client.get(answer["Location"].split("localhost", 1)[1]).json()
    assert (shown["state"], shown["facts"]) == ("waiting", {"complexity": 40})


@pytest.mark.parametrize(
    "body",
    [
        {"complexity": 0},
        {"complexity": "high"},
        {"problem_class": "magic"},
        {"dataset_facts": {"rows": [1]}},
        {"dataset_facts": {str(k): k for k in range(61)}},
        {"planned_cost": -1},
        {"starts_at": "soon"},
        {"success": 90},
    ],
)
def test_a_bad_question_is_400_and_kept_nowhere(acme: Tenant, api: Callable[..., Client], body: dict[str, Any]) -> None:
    answer = api(acme, "viewer").post("/api/v1/forecasts/", data=body, content_type="application/json")
    assert answer.status_code == 400
    assert not WhatIf.objects.exists()


def test_runs_of_a_fresh_project_move_its_advice(acme: Tenant) -> None:
    past = make_past(45, artifacts=12, runs=12)
    project = open_project(goal_metric="accuracy")
    make_runs([project], past.versions[:2], 4, draw=random.Random(3))  # noqa: S311
    train_now()
    ranking = ImpactModel.objects.get(target="ranking")
    assert ranking.state == "champion"
    assert set(ranking.figures["quality"]) == set(METHODS)
    advised = set(Advice.objects.filter(project=project, kind="artifact").values_list("artifact", flat=True))
    used = set(Usage.objects.filter(project=project).values_list("version__artifact", flat=True))
    assert not advised & used


def test_a_project_younger_than_the_training_is_forecast_by_a_worker_when_asked(
    acme: Tenant, api: Callable[..., Client]
) -> None:
    make_past(60)
    train_now()
    project = open_project()
    client = api(acme, "viewer")
    first = client.get(f"/api/v1/projects/{project.pk}/forecasts/").json()
    assert (first["status"], first["code"], first["results"]) == ("refused", "pending", [])
    assert latecomers.foresee(at=LATER) == 2
    assert latecomers.foresee(at=LATER) == 0
    second = client.get(f"/api/v1/projects/{project.pk}/forecasts/").json()
    assert {one["target"] for one in second["results"]} == {"success", "duration"}
    assert second["results"][0]["value"] is not None


def test_short_projects_are_forecast_in_days_all_the_same(acme: Tenant) -> None:
    past = make_past(60)
    for k, one in enumerate(past.projects):
        Project.objects.filter(pk=one.pk).update(actual_duration_days=(k + 5) / 86_400, planned_duration_days=None)
    project = open_project(planned_duration_days=None)
    train_now()
    said = Forecast.objects.get(project=project, target="duration")
    assert 1 / 86_400 < said.p10 < said.p50 < said.p90 < 1000 / 86_400


def test_a_plan_beyond_the_history_is_named_in_forecasts_and_what_if_by_api_and_page(
    acme: Tenant, api: Callable[..., Client]
) -> None:
    past = make_past(60)
    for k, one in enumerate(past.projects):
        Project.objects.filter(pk=one.pk).update(actual_duration_days=(k + 5) / 86_400, planned_duration_days=None)
    project = open_project(planned_duration_days=30, complexity=50, problem_class="vision")
    train_now()
    body = api(acme, "viewer").get(f"/api/v1/projects/{project.pk}/forecasts/").json()
    (duration,) = [one for one in body["results"] if one["target"] == "duration"]
    assert (duration["status"], duration["pooled"]) == ("early", True)
    assert [one["fact"] for one in duration["outside"]] == ["planned_duration_days"]
    words = "planned duration 30 days (seen: 5 seconds to 1.07 minutes)"
    assert words in duration["reason"]
    assert "0 of the 60 projects behind it are vision projects" in duration["reason"]
    asked = WhatIf.objects.create(facts={"planned_duration_days": 30, "problem_class": "regression"})
    what_if.answer(asked, at=timezone.now())
    (said,) = [one for one in asked.answer["results"] if one["target"] == "duration"]
    assert words in said["reason"]
    assert (said["outside"][0]["value"], said["pooled"]) == (30, False)
    User.objects.create_superuser("ada", "ada@example.org", "a long test passphrase")
    client = Client(headers={"host": f"{acme.slug}.localhost"})
    client.force_login(User.objects.get(username="ada"))
    for page in (f"/admin/tracking/project/{project.pk}/change/", f"/admin/what-if/{asked.pk}/"):
        shown = " ".join(client.get(page).content.decode().split())
        assert words in shown
        assert re.search(r"80 % interval [\d.]+ seconds to [\d.]+ (seconds|minutes)", shown)
