"""Which model serves: a new one is compared with the one before on projects that neither was trained on."""

import random
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from apps.recommendations.models import Forecast, ImpactModel, Training
from apps.recommendations.training import contests, run
from apps.recommendations.training.holdout import Losses
from apps.recommendations.training.impact import Judged
from apps.recommendations.work import leases, promotion
from apps.tenants.models import Tenant
from apps.tracking.models import Project
from maestro.principals import Actor
from tests.factories.learning import make_past

NO_OUTCOME = {"success": None, "outcome_source": "", "outcome_set_at": None, "outcome_set_by": ""}


def train_now() -> Training:
    asked, _ = leases.ask(why="asked")
    assert leases.take(asked.pk, "test") is not None
    run.run(Training.objects.get(pk=asked.pk), "test")
    return Training.objects.get(pk=asked.pk)


def hide(projects: list[Project]) -> None:
    """Let their outcome be unknown as yet."""
    ids = [one.pk for one in projects]
    Project.objects.filter(pk__in=ids).update(**NO_OUTCOME, actual_duration_days=None)


def tell(projects: list[Project]) -> None:
    """Let their outcome become known."""
    names = [*NO_OUTCOME, "actual_duration_days"]
    Project.objects.bulk_update(projects, names)


def champion(target: str) -> ImpactModel:
    return ImpactModel.objects.champions().get(target=target)


@pytest.mark.parametrize("later", [5, 25])
def test_models_renew_once_more_projects_have_ended(acme: Tenant, later: int) -> None:
    past = make_past(110 + later)
    Project.objects.create(slug="open", name="Open", starts_at=datetime(2025, 1, 15, tzinfo=UTC), complexity=50)
    hide(past.projects[110:])
    first = train_now()
    assert {champion(target).training_id for target in ("impact", "success", "duration")} == {first.pk}
    tell(past.projects[110:])
    second = train_now()
    for target in ("impact", "success", "duration"):
        served = champion(target)
        assert served.training_id == second.pk, served
        # Five are too few to compare on; twenty-five, which neither has seen, are enough.
        assert ("champion_error_ratio" in served.figures["holdout"]) is (later == 25)
        assert served.figures["holdout"]["tested_projects"] >= 10
    assert Forecast.objects.filter(project__slug="open", model__training=second, target="success").exists()


def test_a_model_that_foresees_what_neither_has_seen_worse_does_not_serve(acme: Tenant) -> None:
    past = make_past(125)
    hide(past.projects[60:])
    first = train_now()
    # Somebody mixes up the outcomes of old projects; then more of them end as they always did.
    right = [one.success for one in past.projects[:60]]
    for one, wrong in zip(past.projects[:60], random.Random(4).sample(right, 60), strict=True):  # noqa: S311
        one.success = wrong
    tell(past.projects[:85])
    second = train_now()
    rejected = second.models.get(target="success")
    assert rejected.state == "rejected"
    assert "neither has seen worse than the model that serves" in rejected.reason
    holdout = rejected.figures["holdout"]
    assert holdout["champion_error_ratio"] < holdout["error_ratio"]
    assert holdout["tested_projects"] == 25
    assert champion("success").training_id == first.pk
    # The durations were not touched, so these do renew.
    assert champion("duration").training_id == second.pk


def test_a_model_of_fewer_projects_does_not_serve_where_the_two_cannot_be_compared(acme: Tenant) -> None:
    past = make_past(60)
    first = train_now()
    hide(past.projects[40:])
    second = train_now()
    rejected = second.models.get(target="success")
    assert (rejected.state, rejected.rows) == ("rejected", 40)
    assert "rests on 40 rows, the model that serves on 60" in rejected.reason
    assert champion("success").training_id == first.pk


def test_a_champion_that_says_not_what_it_was_trained_on_is_replaced(acme: Tenant) -> None:
    past = make_past(60)
    train_now()
    ImpactModel.objects.champions().filter(target="success").update(model_text="{}")
    Project.objects.filter(pk=past.projects[0].pk).update(success=past.projects[0].success + 1)
    second = train_now()
    assert champion("success").training_id == second.pk


def overturn(projects: list[Project], factor: float) -> None:
    """Let success follow from complexity in the other direction."""
    for one in projects:
        one.success = 60 + factor * ((one.complexity or 0) - 50)
    Project.objects.bulk_update(projects, ["success"])


def test_a_unit_that_foresees_worse_than_no_effect_makes_no_claim_anywhere(
    acme: Tenant, api: Callable[..., Client]
) -> None:
    past = make_past(140)
    # What went with success before the last quarter goes with failure in it.
    used = {one.project_id for one in past.versions[0].usages.all()}
    for one in past.projects[112:]:
        one.success = 5 if one.pk in used else 95
    Project.objects.bulk_update(past.projects, ["success"])
    train_now()
    model = ImpactModel.objects.serving("impact", "project")
    figure = f"{model.figures['holdout']['error_ratio']:.3f} × that of assuming that no artifact matters"
    shown = api(acme, "viewer").get("/api/v1/impact/?unit=project").json()
    assert (shown["status"], shown["code"]) == ("refused", "no_claim")
    assert figure in shown["reason"]
    assert [one for one in shown["results"] if one["effect"] is not None or one["raw_effect"] is not None] == []
    fresh = Project.objects.create(slug="fresh", name="Fresh", problem_class="regression")
    items = api(acme, "viewer").get(f"/api/v1/projects/{fresh.slug}/advice/").json()["items"]
    assert [one for one in items if one["gain"] is not None] == []
    User.objects.create_superuser("ada", "ada@example.org", "a long test passphrase")
    client = Client(headers={"host": f"{acme.slug}.localhost"})
    client.force_login(User.objects.get(username="ada"))
    page = client.get("/admin/impact/?unit=project").content.decode()
    assert "No claim by this unit" in page
    assert figure in page


def test_a_champion_whose_backtest_was_worse_than_no_effect_stops_serving(acme: Tenant) -> None:
    past = make_past(120)
    first = train_now()
    worse = champion("impact")
    worse.figures["holdout"]["error_ratio"] = 1.06
    worse.save()
    Project.objects.filter(pk=past.projects[0].pk).update(success=past.projects[0].success + 1)
    second = train_now()
    worse.refresh_from_db()
    assert (worse.state, worse.training_id) == ("rejected", first.pk)
    assert "1.060 × the baseline's" in worse.reason
    assert champion("impact").training_id == second.pk
    with pytest.raises(promotion.Conflict, match="no earlier model of impact"):
        promotion.step_back(champion("impact"), by=Actor("system"), at=timezone.now())


def test_no_rollback_brings_back_what_foresaw_worse_than_its_baseline(acme: Tenant) -> None:
    asked, _ = leases.ask(why="asked")
    shared = {"training": asked, "target": "impact", "model_text": "{}"}
    now = timezone.now()
    ImpactModel.objects.create(
        **shared, unit="run", state="retired", retired_at=now, figures={"holdout": {"error_ratio": 1.2}}
    )
    serving = ImpactModel(unit="run", state="champion", target="impact")
    with pytest.raises(promotion.Conflict, match="no earlier model of impact"):
        promotion.step_back(serving, by=Actor("system"), at=now)


def test_a_forecast_that_fails_later_projects_gives_way_to_the_range_of_past_ones(
    acme: Tenant, api: Callable[..., Client]
) -> None:
    past = make_past(100)
    overturn(past.projects[:75], 0.6)
    overturn(past.projects[75:], -0.6)
    Project.objects.create(slug="open", name="Open", starts_at=datetime(2025, 1, 15, tzinfo=UTC), complexity=50)
    train_now()
    serving = champion("success")
    holdout = serving.figures["holdout"]
    assert (serving.figures["basis"], holdout["error_ratio"]) == ("median", 1.0)
    assert holdout["failed_error_ratio"] > 1
    said = api(acme, "viewer").get("/api/v1/projects/open/forecasts/").json()["results"]
    (success,) = [one for one in said if one["target"] == "success"]
    assert (success["status"], success["basis"], success["code"]) == ("early", "median", "not_better_than_median")
    assert f"{holdout['failed_error_ratio']:.3f} ×" in success["reason"]
    assert success["low"] < success["value"] < success["high"]


def one_that_served(losses: float, *, state: str, began: datetime, ended: datetime | None = None) -> ImpactModel:
    """A model whose error on any project is known."""
    asked = Training.objects.create(why="asked", state="done")
    model = ImpactModel(training=asked, target="impact", unit="run", state=state, promoted_at=began, retired_at=ended)
    model.rows, model.figures = 100, {"holdout": {"error_ratio": 0.8}}
    promotion.seal(model, {"loss": losses, "projects": [str(uuid4())]})
    model.save()
    return model


def new_model(losses: float, serving: ImpactModel) -> tuple[ImpactModel, Judged]:
    """A model with its backtest against what serves, on twenty projects that none has seen."""
    asked = Training.objects.create(why="asked", state="done")
    figures: dict[str, Any] = {"holdout": {"error_ratio": losses, "baseline": "nothing"}}
    model = ImpactModel.objects.create(training=asked, target="impact", unit="run", state="rejected", figures=figures)

    def judge(stored: Mapping[str, Any]) -> Losses:
        return Losses(np.full(20, float(stored["loss"])), np.ones(20))

    tested = frozenset(uuid4() for _ in range(20))
    return model, Judged(judge({"loss": losses}), judge, 80, 20, str(serving.pk), tested)


@pytest.mark.parametrize(("days", "serves"), [(20, False), (40, True)])
def test_small_steps_do_not_add_up_within_a_month(acme: Tenant, days: float, serves: bool) -> None:
    now = timezone.now()
    left = now - timedelta(days=days)
    one_that_served(0.80, state="retired", began=now - timedelta(days=60), ended=left)
    serving = one_that_served(0.83, state="champion", began=left)
    # 3.6 % above what serves is within what one step may; 7.5 % above what served a month ago is not.
    model, judged = new_model(0.86, serving)
    contests.settle(model, judged, at=now)
    model.refresh_from_db()
    assert (model.state == "champion") is serves
    assert serves or "step by step" in model.reason
    assert ("month_error_ratio" in model.figures["holdout"]) is not serves


def test_one_small_step_is_none(acme: Tenant) -> None:
    serving = one_that_served(0.80, state="champion", began=timezone.now() - timedelta(days=3))
    model, judged = new_model(0.83, serving)
    contests.settle(model, judged, at=timezone.now())
    model.refresh_from_db()
    assert model.state == "champion"


@pytest.mark.parametrize(("ratio", "state"), [(1.0, "champion"), (1.001, "rejected")])
def test_no_tolerance_holds_against_the_baseline(acme: Tenant, ratio: float, state: str) -> None:
    serving = one_that_served(1.0, state="champion", began=timezone.now() - timedelta(days=3))
    model, judged = new_model(ratio, serving)
    contests.settle(model, judged, at=timezone.now())
    model.refresh_from_db()
    assert model.state == state
    assert (model.code == "no_claim") is (state == "rejected")
