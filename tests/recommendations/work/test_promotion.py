"""Which model serves: a new one is compared with the one before on projects that neither was trained on."""

import random
from datetime import UTC, datetime

import pytest

from apps.recommendations.models import Forecast, ImpactModel, Training
from apps.recommendations.training import run
from apps.recommendations.work import leases
from apps.tracking.models import Project
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
def test_models_renew_once_more_projects_have_ended(acme, later):
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


def test_a_model_that_foresees_what_neither_has_seen_worse_does_not_serve(acme):
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


def test_a_model_of_fewer_projects_does_not_serve_where_the_two_cannot_be_compared(acme):
    past = make_past(60)
    first = train_now()
    hide(past.projects[40:])
    second = train_now()
    rejected = second.models.get(target="success")
    assert (rejected.state, rejected.rows) == ("rejected", 40)
    assert "rests on 40 rows, the model that serves on 60" in rejected.reason
    assert champion("success").training_id == first.pk


def test_a_champion_that_says_not_what_it_was_trained_on_is_replaced(acme):
    past = make_past(60)
    train_now()
    ImpactModel.objects.champions().filter(target="success").update(model_text="{}")
    Project.objects.filter(pk=past.projects[0].pk).update(success=past.projects[0].success + 1)
    second = train_now()
    assert champion("success").training_id == second.pk
