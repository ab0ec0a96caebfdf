"""Nobody is told more than the narrowest honest estimate: of his class alone, else pooled and called so, else nothing."""

import random
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from apps.recommendations.answers import followup
from apps.recommendations.models import Advice, ImpactModel, ImpactScore, WhatIf
from apps.recommendations.training import run, what_if
from apps.recommendations.work import leases
from apps.registry.models import Artifact, Usage
from apps.tenants.models import Tenant
from apps.tracking.models import Project, Run
from tests.docs.blocks import blocks
from tests.factories.learning import BEGAN, make_artifacts, make_runs, past_project

# How many projects there are of each class. Twelve are looked at alone, fewer are not.
SIZES = {"classification": 14, "regression": 14, "forecasting": 4}
# The first helps, and is used in classification alone, as class weights are; the second in regression and classification.
# The last is used in classification, and by two regression projects, too few for an estimate of that class.
ONLY = {0: {"classification"}, 1: {"classification", "regression"}, 4: {"classification"}}
CLASSES = (*SIZES, "vision")


def train_now() -> None:
    asked, _ = leases.ask(why="asked", force=True)
    assert leases.take(asked.pk, "test") is not None
    run.run(asked, "test")


@pytest.fixture
def artifacts(acme: Any) -> list[Artifact]:
    """A tenant of three classes, of which one is small, with an open project of each class, one of which nobody knows."""
    draw = random.Random(3)  # noqa: S311
    made, versions = make_artifacts(5, "class")
    ended = [past_project(k, 50, 50 + draw.gauss(0, 9), draw=draw, prefix="class") for k in range(sum(SIZES.values()))]
    names = [name for name, count in SIZES.items() for _ in range(count)]
    draw.shuffle(names)  # so that the backtest, which looks at the latest, meets every class
    for project, name in zip(ended, names, strict=True):
        project.problem_class = name
    Project.objects.bulk_create(ended)
    make_runs(ended, versions, 8, draw=draw, only=ONLY)
    few = Run.objects.filter(experiment__project__in=[one for one in ended if one.problem_class == "regression"][:2])
    Usage.objects.bulk_create(
        Usage(version=versions[4], project_id=run.experiment.project_id, run=run, observed=Usage.Observed.TAG, at=BEGAN)
        for run in few.filter(name__in=["run-0", "run-1", "run-2"]).select_related("experiment")
    )
    for name in CLASSES:
        Project.objects.create(
            slug=f"open-{name}", name=name, problem_class=name, starts_at=datetime(2025, 1, 1, tzinfo=UTC)
        )
    train_now()
    return made


def used_in(artifact: str, problem_class: str) -> bool:
    """Whether a project of the past of this class used it: asked of the usages themselves."""
    past = Usage.objects.filter(version__artifact__name=artifact, project__problem_class=problem_class)
    return past.exclude(project__success=None).exists()


def own_score(artifact: str, problem_class: str) -> ImpactScore | None:
    model = ImpactModel.objects.serving()
    assert model is not None
    return model.scores.filter(artifact__name=artifact, problem_class=problem_class).first()


def is_honest(artifact: str, problem_class: str, number: float | None, *, pooled: bool) -> bool:
    """Whether a number may be shown to a project of this class, and is called what it is."""
    own = own_score(artifact, problem_class)
    if own is not None:
        return (number, pooled) == (own.effect, False)
    if not used_in(artifact, problem_class):
        return number is None
    whole = own_score(artifact, "")
    assert whole is not None
    return (number, pooled) == (whole.effect, True)


def test_a_refusal_of_the_class_wins_over_the_estimate_of_all(
    acme: Tenant, api: Callable[..., Client], artifacts: list[Artifact]
) -> None:
    weights = artifacts[0].name
    pooled, refused = own_score(weights, ""), own_score(weights, "regression")
    assert pooled is not None
    assert pooled.low is not None
    assert pooled.low > 0
    assert pooled.used_by_class == {"classification": 14}
    assert refused is not None
    assert refused.status == "refused"
    told = {
        name: [
            item["artifact"]["name"]
            for item in api(acme, "viewer").get(f"/api/v1/projects/open-{name}/advice/").json()["items"]
        ]
        for name in CLASSES
    }
    assert told["classification"][0] == weights
    assert all(weights not in told[name] for name in ("regression", "forecasting", "vision"))
    assert told["vision"] == []
    nothing = api(acme, "viewer").get("/api/v1/projects/open-vision/advice/").json()
    assert (nothing["status"], nothing["code"]) == ("refused", "class_too_small")
    assert nothing["needs"] == [{"what": "vision projects", "have": 0.0, "at_least": 12.0}]


def test_no_advice_says_more_than_the_narrowest_estimate(
    acme: Tenant, api: Callable[..., Client], artifacts: list[Artifact]
) -> None:
    followup.record_advice(timezone.now())
    seen = 0
    for project in Project.objects.exclude(slug="default"):
        body = api(acme, "viewer").get(f"/api/v1/projects/{project.slug}/advice/").json()
        for item in body["items"]:
            name, kind = item["artifact"]["name"], project.problem_class
            assert item["gain"] is not None or used_in(name, kind)
            assert item["gain"] is None or is_honest(name, kind, item["gain"], pooled=item["pooled"]), (project, item)
            words = " ".join(item["reasons"])
            assert ("Pooled: " in words) is (item["pooled"] and item["gain"] is not None)
            assert "pooled" in words or item["standing"] is None
            assert item["status"] == "early" or not item["pooled"]
            seen += 1
    assert seen > len(SIZES)
    assert Advice.objects.filter(kind="artifact", pooled=True, project__problem_class="forecasting").exists()


def test_advice_ordered_by_standing_names_nothing_that_the_class_never_used(
    acme: Tenant, api: Callable[..., Client], artifacts: list[Artifact]
) -> None:
    ImpactModel.objects.filter(target="impact").delete()
    Advice.objects.all().delete()
    for name in CLASSES:
        body = api(acme, "viewer").get(f"/api/v1/projects/open-{name}/advice/").json()
        names = [item["artifact"]["name"] for item in body["items"] if item["standing"] is not None]
        assert bool(names) is (name != "vision")
        assert all(used_in(one, name) for one in names)
        assert all(item["pooled"] for item in body["items"] if item["standing"] is not None)


def test_a_question_is_told_the_narrowest_estimate_of_each_artifact(acme: Tenant, artifacts: list[Artifact]) -> None:
    for name in CLASSES:
        question = WhatIf.objects.create(facts={"problem_class": name, "artifacts": [one.name for one in artifacts]})
        what_if.answer(question, at=timezone.now())
        for said in question.answer["artifacts"]:
            assert is_honest(said["artifact"], name, said["effect"], pooled=said["pooled"]), (name, said)
            assert (said["status"] == "refused") is (said["effect"] is None)
            few = (name, said["artifact"]) == ("regression", artifacts[4].name)
            assert not few or (said["code"], used_in(artifacts[4].name, name)) == ("arm_too_small", True)
            assert said["reason"] or said["effect"] is not None
    unsaid = WhatIf.objects.create(facts={"artifacts": [artifacts[0].name]})
    what_if.answer(unsaid, at=timezone.now())
    assert unsaid.answer["artifacts"][0]["pooled"] is True
    assert "the class is not known" in unsaid.answer["artifacts"][0]["reason"]


def test_impact_of_a_class_that_was_not_looked_at_alone_is_refused(
    acme: Tenant, api: Callable[..., Client], artifacts: list[Artifact]
) -> None:
    client = api(acme, "viewer")
    small = client.get("/api/v1/impact/?problem_class=forecasting").json()
    assert (small["status"], small["code"], small["results"]) == ("refused", "class_too_small", [])
    assert small["needs"] == [{"what": "forecasting projects", "have": 4.0, "at_least": 12.0}]
    assert client.get("/api/v1/impact/?problem_class=regression").json()["status"] != "refused"
    whole = client.get("/api/v1/impact/").json()["results"]
    assert all(one["pooled"] is (one["effect"] is not None) for one in whole)


def test_pages_say_pooled_where_a_number_is(acme: Tenant, artifacts: list[Artifact]) -> None:
    User.objects.create_superuser("ada", "ada@example.org", "a long test passphrase")
    client = Client(headers={"host": f"{acme.slug}.localhost"})
    client.force_login(User.objects.get(username="ada"))
    weights = artifacts[0].name
    home = client.get("/admin/").content.decode()
    assert "Pooled over all problem classes" in home
    assert f"{weights} was used in classification alone" in home
    assert "Pooled over all problem classes" in client.get("/admin/impact/").content.decode()
    assert "too few to be looked at alone" in client.get("/admin/impact/?class=forecasting").content.decode()
    card = client.get(f"/admin/registry/artifact/{artifacts[0].pk}/change/").content.decode()
    assert "pooled over all classes, used in classification alone" in card
    for name in CLASSES:
        project = Project.objects.get(slug=f"open-{name}")
        page = client.get(f"/admin/tracking/project/{project.pk}/change/").content.decode()
        assert (weights in page) is (name == "classification")
        assert ("Pooled: estimated over all problem classes" in page) is (name == "forecasting")


def test_advice_to_a_project_as_one_of_another_class_does_not_hold(
    acme: Tenant, api: Callable[..., Client], artifacts: list[Artifact]
) -> None:
    Project.objects.filter(slug="open-classification").update(problem_class="regression")
    body = api(acme, "viewer").get("/api/v1/projects/open-classification/advice/").json()
    assert artifacts[0].name not in [item["artifact"]["name"] for item in body["items"]]


def test_a_model_that_did_not_keep_where_artifacts_were_used_says_nothing_of_a_small_class(
    acme: Tenant, api: Callable[..., Client], artifacts: list[Artifact]
) -> None:
    ImpactScore.objects.update(used_by_class=None)
    Advice.objects.all().delete()
    body = api(acme, "viewer").get("/api/v1/projects/open-forecasting/advice/").json()
    assert [item for item in body["items"] if item["gain"] is not None] == []


def test_where_there_is_but_one_class_its_estimates_are_its_own(
    acme: Tenant, api: Callable[..., Client], artifacts: list[Artifact]
) -> None:
    Project.objects.update(problem_class="vision")
    train_now()
    body = api(acme, "viewer").get("/api/v1/projects/open-vision/advice/").json()
    assert body["items"]
    assert not any(item["pooled"] for item in body["items"])
    assert api(acme, "viewer").get("/api/v1/impact/?problem_class=vision").json()["results"]


def gate(body: bytes) -> "subprocess.CompletedProcess[str]":
    """Run the gate of docs/learning.md on an answer."""
    (block,) = [one for one in blocks() if one.page == "docs/learning.md" and "missed" in one.text]
    code = block.text.partition("python3 -c '")[2].rpartition("'")[0]
    return subprocess.run(
        [sys.executable, "-c", code], input=body.decode(), capture_output=True, text=True, check=False
    )


def test_the_gate_of_the_page_fails_a_project_for_what_its_own_class_shows_alone(
    acme: Tenant, api: Callable[..., Client], artifacts: list[Artifact]
) -> None:
    client, fails = api(acme, "viewer"), {}
    for name in CLASSES:
        fails[name] = gate(client.get(f"/api/v1/projects/open-{name}/advice/").content)
    assert fails["classification"].returncode == 1
    assert artifacts[0].name in fails["classification"].stderr
    assert all(artifacts[0].name not in fails[name].stderr for name in CLASSES if name != "classification")
    assert [fails[name].returncode for name in ("regression", "forecasting", "vision")] == [0, 0, 0]
