"""Runs move to another experiment with everything that says where they belong."""

import uuid

import pytest
from django.apps import apps
from django.db import models

from apps.registry.models import Artifact, ArtifactVersion, LoggedModel, Usage
from apps.tenants.access.models import AuditEvent
from apps.tracking.models import Dataset, Experiment, LatestMetric, Run, RunInput, Trace
from apps.tracking.runs import folding, moves
from maestro.clock import now_ms
from maestro.errors import Conflict, Forbidden, NotFound
from tests.factories.door import Door
from tests.factories.many_runs import anyone, found, make_experiment, make_runs


def ids(runs: list[str]) -> list[uuid.UUID]:
    return sorted(uuid.UUID(run) for run in runs)


def test_a_moved_run_is_found_in_its_new_experiment_by_every_question(door: Door) -> None:
    old, new = make_experiment("old"), make_experiment("new", "churn")
    runs = make_runs(door, old, 3)
    folding.fold_quiet(now_ms() + 60_000)
    before = {run: (door.data(run), door.points(run, "auc")) for run in runs}
    assert moves.move(ids(runs[:2]), new.pk, anyone()) == 2
    assert found(door, old) == [runs[2]]
    assert found(door, new) == runs[1::-1]
    assert found(door, new, order_by=["metrics.auc DESC"]) == runs[1::-1]
    assert found(door, new, filter="metrics.auc > 0.05 AND dataset.name = 'd'") == [runs[1]]
    assert found(door, old, filter="metrics.auc < 0.15") == []
    assert {run: (door.data(run), door.points(run, "auc")) for run in runs} == before
    info = door.get("runs/get", run_id=runs[0])["run"]["info"]
    assert info["experiment_id"] == str(new.pk)
    assert info["artifact_uri"].startswith(f"mlflow-artifacts:/{new.pk}/")


def test_datasets_go_along_and_stay_for_those_who_read_them_there(door: Door) -> None:
    old, new = make_experiment("old"), make_experiment("new")
    runs = make_runs(door, old, 2)
    moves.move(ids(runs[:1]), new.pk, anyone())
    assert set(Dataset.objects.values_list("experiment_id", "name")) == {(old.pk, "d"), (new.pk, "d")}
    moves.move(ids(runs[1:]), new.pk, anyone())
    assert list(Dataset.objects.values_list("experiment_id", "name")) == [(new.pk, "d")]
    assert RunInput.objects.filter(dataset__experiment=new).count() == 2


def test_a_move_is_all_or_nothing(door: Door) -> None:
    old, new = make_experiment("old"), make_experiment("new")
    runs = make_runs(door, old, 2)
    door.post("runs/delete", {"run_id": runs[1]})
    with pytest.raises(Conflict, match="in the trash"):
        moves.move(ids(runs), new.pk, anyone())
    assert set(Run.objects.values_list("experiment_id", flat=True)) == {old.pk}
    assert set(LatestMetric.objects.values_list("experiment_id", flat=True)) == {old.pk}


def test_there_is_nowhere_to_move_to_but_an_active_experiment(door: Door) -> None:
    old, gone = make_experiment("old"), make_experiment("gone")
    (run,) = make_runs(door, old, 1)
    Experiment.objects.filter(pk=gone.pk).update(deleted_ms=1)
    with pytest.raises(Conflict, match="in the trash"):
        moves.move(ids([run]), gone.pk, anyone())
    with pytest.raises(NotFound):
        moves.move(ids([run]), 2**40, anyone())
    with pytest.raises(Forbidden, match="one project"):
        moves.move(ids([run]), old.pk, anyone(is_bound=True))
    assert moves.move(ids([run]), old.pk, anyone()) == 0


def test_logged_models_and_usages_follow_their_run(door: Door) -> None:
    old, new = make_experiment("old"), make_experiment("new", "churn")
    (run,) = make_runs(door, old, 1)
    model = LoggedModel.objects.create(experiment=old, run_id=run, name="m", created_ms=1, updated_ms=1)
    artifact = Artifact.objects.create(name="encoder", kind="feature_pipeline", created_ms=1, updated_ms=1)
    version = ArtifactVersion.objects.create(
        artifact=artifact, number=1, state="ready", digest="0" * 64, created_ms=1, updated_ms=1
    )
    Usage.objects.create(version=version, project=old.project, run_id=run, observed="tag", at="2026-01-01T00:00:00Z")
    moves.move(ids([run]), new.pk, anyone())
    model.refresh_from_db()
    assert model.experiment_id == new.pk
    assert list(Usage.objects.values_list("project_id", "run_id")) == [(new.project_id, uuid.UUID(run))]


def test_a_model_whose_files_would_be_lost_from_sight_stays_with_its_run(door: Door) -> None:
    old, new = make_experiment("old"), make_experiment("new")
    Experiment.objects.filter(pk=old.pk).update(location="s3://theirs/x")
    (run,) = make_runs(door, old, 1)
    before = door.get("runs/get", run_id=run)["run"]["info"]["artifact_uri"]
    model = LoggedModel.objects.create(experiment=old, run_id=run, name="m", created_ms=1, updated_ms=1)
    with pytest.raises(Conflict, match="elsewhere"):
        moves.move(ids([run]), new.pk, anyone())
    model.delete()
    moves.move(ids([run]), new.pk, anyone())
    assert door.get("runs/get", run_id=run)["run"]["info"]["artifact_uri"] == before


def test_traces_go_with_the_run_that_they_were_recorded_in(door: Door) -> None:
    old, new = make_experiment("old"), make_experiment("new")
    runs = make_runs(door, old, 2)
    for name, linked in (("of-it", runs), ("of-the-other", runs[::-1]), ("of-none", [])):
        Trace.objects.create(id=f"tr-{name}", experiment=old, request_ms=1, run_ids=linked)
    moves.move(ids(runs[:1]), new.pk, anyone())
    assert set(Trace.objects.values_list("id", "experiment_id")) == {
        ("tr-of-it", new.pk),
        ("tr-of-the-other", old.pk),
        ("tr-of-none", old.pk),
    }
    Experiment.objects.filter(pk=old.pk).update(location="s3://theirs/x")
    with pytest.raises(Conflict, match="traces"):
        moves.move(ids(runs[1:]), new.pk, anyone())


def test_the_log_says_what_went_from_where_to_where(door: Door) -> None:
    one, two, new = make_experiment("one"), make_experiment("two"), make_experiment("new", "churn")
    runs = make_runs(door, one, 2) + make_runs(door, two, 1)
    moves.move(ids(runs), new.pk, anyone())
    events = AuditEvent.objects.filter(action="run.move").order_by("before__experiment")
    assert [(e.before, e.object_id) for e in events] == [
        ({"experiment": one.pk}, "2 runs"),
        ({"experiment": two.pk}, runs[2]),
    ]
    assert events[0].after["runs"] == sorted(runs[:2])
    assert events[0].after["project"] == str(new.project_id)


def test_every_table_that_names_a_run_and_an_experiment_is_known_to_moving() -> None:
    both = {
        model.__name__
        for model in apps.get_models()
        if {Run, Experiment}
        <= {field.related_model for field in model._meta.fields if isinstance(field, models.ForeignKey)}
    }
    assert both == {"LatestMetric", "LoggedModel"}
