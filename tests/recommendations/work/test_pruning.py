"""What is kept of old trainings: what serves, a way back, and the record of what was claimed."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db.models import F
from django.utils import timezone

from apps.recommendations.models import Advice, Forecast, ImpactModel, ImpactScore, Training
from apps.recommendations.training import run
from apps.recommendations.work import leases, promotion, pruning
from apps.tenants.models import Tenant
from apps.tracking.models import Project
from maestro.database.session import connection
from maestro.errors import Conflict
from maestro.principals import Actor
from tests.factories.learning import make_past


def train_now() -> Training:
    asked, _ = leases.ask(why="asked", force=True)
    assert leases.take(asked.pk, "test") is not None
    run.run(Training.objects.get(pk=asked.pk), "test")
    return Training.objects.get(pk=asked.pk)


def age(days: float) -> None:
    """Let every training be older."""
    Training.objects.update(created_at=F("created_at") - timedelta(days=days))


def prune(**options: Any) -> dict[str, int]:
    return pruning.prune(timezone.now(), **options)


def states() -> dict[Any, str]:
    """Model -> its state."""
    return dict(ImpactModel.objects.values_list("pk", "state"))


def test_pruning_deletes_what_no_page_no_rollback_and_no_evidence_needs(
    acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_past(110)
    project = Project.objects.create(slug="open", name="Open", problem_class="classification", complexity=40)
    trainings = [train_now() for _ in range(4)]
    age(90)
    monkeypatch.setattr(pruning, "KEEP_BACK", 1)
    # One claim of the first training has met its outcome.
    settled = Forecast.objects.get(project=project, target="success", model__training=trainings[0])
    Forecast.objects.filter(pk=settled.pk).update(actual=50, settled_at=timezone.now())
    serving = set(ImpactModel.objects.champions().values_list("pk", flat=True))
    way_back = set(ImpactModel.objects.filter(training=trainings[2], state="retired").values_list("pk", flat=True))
    assert way_back
    gone = prune(keep_trainings=1)
    assert all(gone[kind] > 0 for kind in ("forecasts", "scores", "texts", "models")), gone
    left = states()
    assert serving | way_back <= set(left)
    assert set(ImpactModel.objects.champions().values_list("pk", flat=True)) == serving
    # What the first two trainings made went with its scores, texts and forecasts, but for the settled claim's model.
    old = ImpactModel.objects.filter(training__in=trainings[:2])
    assert list(old.values_list("pk", flat=True)) == [settled.model_id]
    kept = old.get()
    assert (kept.model_text, len(kept.model_sha256)) == ("", 64)
    assert list(Forecast.objects.filter(model=kept).values_list("actual", flat=True)) == [50.0]
    assert not ImpactScore.objects.filter(model__in=old).exists()
    assert not Advice.objects.filter(model__in=old).exists()
    assert set(Training.objects.values_list("pk", flat=True)) == {one.pk for one in (trainings[0], *trainings[2:])}
    assert set(prune(keep_trainings=1).values()) == {0}
    assert states() == left


def test_a_rollback_works_after_pruning_as_far_as_models_were_kept(
    acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_past(110)
    trainings = [train_now() for _ in range(3)]
    age(90)
    monkeypatch.setattr(pruning, "KEEP_BACK", 1)
    prune(keep_trainings=1)
    at = timezone.now()
    back = promotion.roll_back(trainings[2], by=Actor("ada"), at=at)
    assert {model.training_id for model in back} == {trainings[1].pk}
    assert all(promotion.unseal(model) for model in back)
    assert ImpactScore.objects.filter(model=ImpactModel.objects.serving()).exists()
    # What was rolled back to serves, so the next night leaves it alone.
    prune(keep_trainings=1)
    assert set(ImpactModel.objects.champions().values_list("training", flat=True)) == {trainings[1].pk}
    assert ImpactScore.objects.filter(model=ImpactModel.objects.serving()).exists()
    with pytest.raises(Conflict, match="no earlier model"):
        promotion.roll_back(trainings[1], by=Actor("ada"), at=at)


def test_the_models_that_a_rollback_may_need_are_kept_however_old(acme: Tenant) -> None:
    make_past(110)
    trainings = [train_now() for _ in range(3)]
    age(900)
    gone = prune(keep_trainings=1)
    assert (gone["scores"], gone["forecasts"], gone["trainings"]) == (0, 0, 0)
    retired = ImpactModel.objects.filter(state="retired")
    assert retired.count() == 2 * ImpactModel.objects.champions().count()
    assert not retired.filter(model_text="").exists()
    for k in (2, 1):
        back = promotion.roll_back(trainings[k], by=Actor("ada"), at=timezone.now())
        assert {model.training_id for model in back} == {trainings[k - 1].pk}


def test_the_command_prunes_or_only_says_what_it_would(committed: Tenant, capsys: pytest.CaptureFixture[str]) -> None:
    make_past(20)
    for _ in range(3):
        train_now()
    age(90)
    count = ImpactModel.objects.count()
    words = ("prune_learnings", "--tenant", committed.slug, "--keep", "1", "--output", "json")
    call_command(*words, "--dry-run")
    would = json.loads(capsys.readouterr().out)
    connection.set_tenant(committed)
    assert (would["dry_run"], ImpactModel.objects.count()) == (True, count)
    call_command(*words)
    did = json.loads(capsys.readouterr().out)
    connection.set_tenant(committed)
    assert did == would | {"dry_run": False}
    assert ImpactModel.objects.count() == count - did["models"] < count
