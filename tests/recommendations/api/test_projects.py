"""The REST door of what was learnt: shapes, refusals without numbers, rights, bad input."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from apps.recommendations.answers import advice
from apps.recommendations.models import ImpactModel, Training
from apps.recommendations.training import run as training_run
from apps.recommendations.work import leases, promotion
from apps.tenants.access.models import AuditEvent
from apps.tenants.models import Tenant
from apps.tracking.models import Project
from tests.factories.learning import make_past

NUMBERS = ("effect", "low", "high", "raw_effect", "adjusted_effect", "gain", "value", "p10", "p50", "p90")


def train_now() -> Training:
    asked, _ = leases.ask(why="asked", force=True)
    assert leases.take(asked.pk, "test") is not None
    training_run.run(Training.objects.get(pk=asked.pk), "test")
    return Training.objects.get(pk=asked.pk)


def numbers_in(document: Any) -> list[Any]:
    """Every estimate anywhere in an answer."""
    if isinstance(document, dict):
        own = [value for name, value in document.items() if name in NUMBERS and value is not None]
        return own + [found for value in document.values() for found in numbers_in(value)]
    if isinstance(document, list):
        return [found for value in document for found in numbers_in(value)]
    return []


def test_advice_before_any_training_is_a_refusal_that_names_what_is_missing(
    acme: Tenant, api: Callable[..., Client]
) -> None:
    project = Project.objects.create(slug="fresh", name="Fresh")
    answer = api(acme, "viewer").get(f"/api/v1/projects/{project.slug}/advice/")
    assert answer.status_code == 200
    body = answer.json()
    assert (body["status"], body["code"], body["items"]) == ("refused", "not_trained", [])
    assert {"what": "finished projects with an outcome", "have": 0.0, "at_least": 100.0} in body["needs"]
    assert numbers_in(body) == []


def test_impact_of_too_few_projects_is_refused_without_any_number(acme: Tenant, api: Callable[..., Client]) -> None:
    make_past(41)
    train_now()
    body = api(acme, "viewer").get("/api/v1/impact/?unit=project").json()
    assert (body["status"], body["code"]) == ("refused", "too_few_projects")
    assert body["needs"] == [{"what": "finished projects with an outcome", "have": 41.0, "at_least": 100.0}]
    assert len(body["results"]) == 4
    assert numbers_in(body) == []


def test_impact_lists_scores_strongest_first_with_interval_n_and_the_raw_difference(
    acme: Tenant, api: Callable[..., Client]
) -> None:
    past = make_past(150)
    train_now()
    body = api(acme, "viewer").get("/api/v1/impact/").json()
    assert (body["status"], body["unit"], body["projects"]) == ("early", "project", 150)
    first = body["results"][0]
    assert first["artifact"]["id"] == str(past.artifacts[0].pk)
    assert first["low"] < first["effect"] < first["high"]
    assert first["n_used"] + first["n_unused"] == 150
    assert first["raw_effect"] is not None
    assert len(first["evidence"]) == min(50, first["n_used"])
    effects = [one["effect"] for one in body["results"] if one["effect"] is not None]
    assert effects == sorted(effects, reverse=True)
    assert "cause" in body["wording"]


def test_impact_pages_are_cut_and_continued(acme: Tenant, api: Callable[..., Client]) -> None:
    make_past(20)
    train_now()
    client = api(acme, "viewer")
    first = client.get("/api/v1/impact/?unit=project&limit=3").json()
    second = client.get(first["next"].split("localhost", 1)[1]).json()
    assert (len(first["results"]), len(second["results"]), second["next"]) == (3, 1, None)


@pytest.mark.parametrize("query", ["unit=team", "problem_class=magic", "limit=0", "limit=x", "cursor=abc"])
def test_a_bad_query_is_400(acme: Tenant, api: Callable[..., Client], query: str) -> None:
    answer = api(acme, "viewer").get(f"/api/v1/impact/?{query}")
    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"


def test_advice_leaves_out_what_the_project_uses_and_what_does_not_help(
    acme: Tenant, api: Callable[..., Client]
) -> None:
    past = make_past(150)
    train_now()
    fresh = Project.objects.create(slug="fresh", name="Fresh", problem_class="classification")
    body = api(acme, "viewer").get(f"/api/v1/projects/{fresh.pk}/advice/").json()
    assert body["status"] in ("ok", "early")
    assert body["items"][0]["artifact"]["id"] == str(past.artifacts[0].pk)
    assert any("associated with" in reason for reason in body["items"][0]["reasons"])
    past.versions[0].usages.create(project=fresh, observed="api", at=timezone.now())
    again = api(acme, "viewer").get(f"/api/v1/projects/{fresh.pk}/advice/").json()
    assert str(past.artifacts[0].pk) not in [item["artifact"]["id"] for item in again["items"]]


def test_a_key_of_one_project_sees_its_advice_and_no_other_project(acme: Tenant, api: Callable[..., Client]) -> None:
    make_past(120)
    train_now()
    mine = Project.objects.create(slug="mine", name="Mine", problem_class="regression")
    client = api(acme, "contributor", project_id=mine.pk)
    body = client.get("/api/v1/projects/mine/advice/").json()
    assert body["items"]
    assert all(item["evidence"] == [] for item in body["items"])
    assert client.get("/api/v1/projects/past-0001/advice/").status_code == 404
    assert client.get("/api/v1/impact/").status_code == 403
    assert client.post("/api/v1/trainings/").status_code == 403


def test_another_tenant_s_project_is_not_there(
    acme: Tenant, globex: Tenant, api: Callable[..., Client]
) -> None:  # stands in the other tenant
    theirs = Project.objects.create(slug="theirs", name="Theirs")
    for path in ("advice", "forecasts"):
        assert api(acme, "admin").get(f"/api/v1/projects/{theirs.pk}/{path}/").status_code == 404


def test_asking_for_a_training_answers_202_with_its_address_and_joins_an_open_one(
    acme: Tenant, api: Callable[..., Client]
) -> None:
    client = api(acme, "contributor")
    first = client.post("/api/v1/trainings/", data={"force": True}, content_type="application/json")
    second = client.post("/api/v1/trainings/", data={}, content_type="application/json")
    assert (first.status_code, second.status_code) == (202, 202)
    assert first["Location"].endswith(f"/api/v1/trainings/{first.json()['id']}/")
    assert first.json()["id"] == second.json()["id"]
    shown = client.get(f"/api/v1/trainings/{first.json()['id']}/").json()
    assert (shown["state"], shown["percent"], shown["force"]) == ("waiting", 0, True)
    assert AuditEvent.objects.filter(action="training.ask").count() == 1


@pytest.mark.parametrize("body", [{"force": "yes"}, {"seed": -1}, {"seed": 1.5}, {"speed": 3}, {"force": None}])
def test_a_bad_training_is_400_and_makes_nothing(
    acme: Tenant, api: Callable[..., Client], body: dict[str, Any]
) -> None:
    answer = api(acme, "contributor").post("/api/v1/trainings/", data=body, content_type="application/json")
    assert answer.status_code == 400
    assert not Training.objects.exists()


def test_a_viewer_may_not_train_and_a_contributor_may_not_roll_back(acme: Tenant, api: Callable[..., Client]) -> None:
    assert api(acme, "viewer").post("/api/v1/trainings/").status_code == 403
    made, _ = leases.ask(why="asked")
    assert api(acme, "contributor").post(f"/api/v1/trainings/{made.pk}/rollback/").status_code == 403


def test_a_rollback_puts_the_model_before_back_into_service(acme: Tenant, api: Callable[..., Client]) -> None:
    make_past(110)
    first = train_now()
    Project.objects.filter(slug="past-0003").update(success=50)
    second = train_now()
    champions = ImpactModel.objects.champions().filter(target="impact", unit="project")
    assert champions.get().training == second
    answer = api(acme, "approver").post(f"/api/v1/trainings/{second.pk}/rollback/")
    assert answer.status_code == 200
    assert champions.get().training == first
    assert ImpactModel.objects.get(training=second, target="impact", unit="project").reason.startswith("rolled back by")
    assert api(acme, "approver").post(f"/api/v1/trainings/{second.pk}/rollback/").status_code == 409


def test_a_changed_model_text_is_refused_before_it_is_read(acme: Tenant) -> None:
    make_past(110)
    train_now()
    model = ImpactModel.objects.champions().get(target="impact", unit="project")
    assert promotion.unseal(model)["unit"] == "project"
    model.model_text = model.model_text.replace("project", "projekt", 1)
    with pytest.raises(promotion.Conflict, match="sha256"):
        promotion.unseal(model)


def test_an_outcome_is_derived_by_the_rule_and_a_person_is_not_overruled(
    acme: Tenant, api: Callable[..., Client]
) -> None:
    past = make_past(1, runs=4)
    project = past.projects[0]
    Project.objects.filter(pk=project.pk).update(success=None, outcome_source="", goal_worst=0.5, goal_best=1.0)
    client = api(acme, "contributor")
    body = client.post(f"/api/v1/projects/{project.slug}/outcome/derive/").json()
    best = max(run.latest.get().value for one in project.experiments.all() for run in one.runs.all())
    assert body["success"] == pytest.approx(100 * (best - 0.5) / 0.5, abs=1e-3)
    assert "accuracy" in body["rule"]
    Project.objects.filter(pk=project.pk).update(outcome_source="person", success=3)
    assert client.post(f"/api/v1/projects/{project.slug}/outcome/derive/").status_code == 409
    assert Project.objects.get(pk=project.pk).success == 3


def test_a_project_without_a_goal_can_t_be_judged_by_the_rule(acme: Tenant, api: Callable[..., Client]) -> None:
    Project.objects.create(slug="aimless", name="Aimless")
    answer = api(acme, "contributor").post("/api/v1/projects/aimless/outcome/derive/")
    assert (answer.status_code, answer.json()["code"]) == (409, "no_goal")


@pytest.mark.slow
def test_the_web_server_never_loads_lightgbm(test_environment: dict[str, str]) -> None:
    code = "import config.wsgi, sys, json; print(json.dumps(sorted(n for n in sys.modules if n.split('.')[0] in %r)))"
    heavy = ("lightgbm", "scipy", "sklearn", "pandas")
    done = subprocess.run(
        [sys.executable, "-c", code % (heavy,)],
        env=os.environ | test_environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == []


def test_advice_of_a_project_takes_few_queries(
    acme: Tenant, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    make_past(110)
    train_now()
    fresh = Project.objects.create(slug="fresh", name="Fresh", problem_class="regression")
    with django_assert_max_num_queries(4):
        answer = advice.advice_for(fresh, reach=None)
    assert answer.items
