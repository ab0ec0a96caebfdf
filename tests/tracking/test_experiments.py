"""Experiments through the MLflow door."""

from collections.abc import Callable

import pytest

from apps.tracking.models import Experiment, Project, Run
from tests.factories.door import Door


def test_an_experiment_is_read_back_as_it_was_made(door: Door) -> None:
    identity = door.post("experiments/create", {"name": "Ünï ✓", "tags": [{"key": "a/b", "value": "x\n\t"}]})[
        "experiment_id"
    ]
    found = door.get("experiments/get", experiment_id=identity)["experiment"]
    assert found == door.get("experiments/get-by-name", experiment_name="Ünï ✓")["experiment"]
    assert found["artifact_location"] == f"mlflow-artifacts:/{identity}"
    assert found["tags"] == [{"key": "a/b", "value": "x\n\t"}]
    assert found["lifecycle_stage"] == "active"
    assert found["last_update_time"] >= found["creation_time"] > 0


def test_experiment_zero_is_there(door: Door) -> None:
    assert door.get("experiments/get", experiment_id="0")["experiment"]["name"] == "Default"


def test_a_name_is_taken_even_by_a_deleted_experiment(door: Door) -> None:
    identity = door.experiment("taken")
    door.post("experiments/delete", {"experiment_id": identity})
    status, answer = door.send("experiments/create", {"name": "taken"})
    assert (status, answer["error_code"]) == (400, "RESOURCE_ALREADY_EXISTS")
    other = door.experiment("Taken")
    status, answer = door.send("experiments/update", {"experiment_id": other, "new_name": "taken"})
    assert (status, answer["error_code"]) == (400, "RESOURCE_ALREADY_EXISTS")


def test_deleting_takes_runs_along_and_restoring_brings_back_only_those(door: Door) -> None:
    identity = door.experiment("cascade")
    kept, thrown = door.run(identity), door.run(identity)
    door.post("runs/delete", {"run_id": thrown})
    Run.objects.filter(pk=thrown).update(deleted_ms=5)
    door.post("experiments/delete", {"experiment_id": identity})
    assert door.get("runs/get", run_id=kept)["run"]["info"]["lifecycle_stage"] == "deleted"
    door.post("experiments/restore", {"experiment_id": identity})
    assert door.get("runs/get", run_id=kept)["run"]["info"]["lifecycle_stage"] == "active"
    assert door.get("runs/get", run_id=thrown)["run"]["info"]["lifecycle_stage"] == "deleted"


@pytest.mark.parametrize("call", ["delete", "restore"])
def test_deleting_twice_and_restoring_an_active_one_are_not_found(door: Door, call: str) -> None:
    identity = door.experiment("twice")
    if call == "delete":
        door.post("experiments/delete", {"experiment_id": identity})
    status, answer = door.send(f"experiments/{call}", {"experiment_id": identity})
    assert (status, answer["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")


def test_a_deleted_experiment_takes_no_runs_tags_or_names(door: Door) -> None:
    identity = door.experiment("gone")
    door.post("experiments/delete", {"experiment_id": identity})
    assert door.send("runs/create", {"experiment_id": identity})[1]["error_code"] == "INVALID_PARAMETER_VALUE"
    tag = {"experiment_id": identity, "key": "a", "value": "b"}
    assert door.send("experiments/set-experiment-tag", tag)[1]["error_code"] == "INVALID_PARAMETER_VALUE"
    status, _ = door.send("experiments/update", {"experiment_id": identity, "new_name": "other"})
    assert 400 <= status < 500


def test_tags_are_set_over_and_deleted_once(door: Door) -> None:
    identity = door.experiment("tags")
    for value in ("one", "two"):
        door.post("experiments/set-experiment-tag", {"experiment_id": identity, "key": "k", "value": value})
    assert door.get("experiments/get", experiment_id=identity)["experiment"]["tags"] == [{"key": "k", "value": "two"}]
    door.post("experiments/delete-experiment-tag", {"experiment_id": identity, "key": "k"})
    status, _ = door.send("experiments/delete-experiment-tag", {"experiment_id": identity, "key": "k"})
    assert status == 404


@pytest.mark.parametrize("location", ["runs:/x", "file:///etc", "/var/x", "mlflow-artifacts:/../x", "http://x/y"])
def test_a_location_that_is_no_bucket_is_refused(door: Door, location: str) -> None:
    status, answer = door.send("experiments/create", {"name": "bad", "artifact_location": location})
    assert status == 400
    assert "artifact_location" in answer["message"]
    assert not Experiment.objects.filter(name="bad").exists()


def test_runs_of_an_experiment_in_a_bucket_live_there(door: Door) -> None:
    identity = door.post("experiments/create", {"name": "s3", "artifact_location": "s3://mine/x/"})["experiment_id"]
    info = door.post("runs/create", {"experiment_id": identity})["run"]["info"]
    assert info["artifact_uri"] == f"s3://mine/x/{info['run_id']}/artifacts"


def test_a_tag_puts_an_experiment_into_a_project_and_moves_it(door: Door) -> None:
    churn, fraud = (Project.objects.create(slug=slug, name=slug) for slug in ("churn", "fraud"))
    tag = {"key": "maestro.project", "value": "churn"}
    identity = door.post("experiments/create", {"name": "e", "tags": [tag]})["experiment_id"]
    assert Experiment.objects.get(pk=identity).project == churn
    move = {"experiment_id": identity, "key": "maestro.project", "value": str(fraud.pk)}
    door.post("experiments/set-experiment-tag", move)
    assert Experiment.objects.get(pk=identity).project == fraud
    assert door.send("experiments/create", {"name": "f", "tags": [tag | {"value": "nowhere"}]})[0] == 400
    assert not Experiment.objects.filter(name="f").exists()


def test_a_key_of_one_project_sees_and_writes_only_there(door_of: Callable[..., Door]) -> None:
    everywhere = door_of()
    project = Project.objects.create(slug="mine", name="mine")
    mine = door_of(project_id=project.pk)
    theirs = everywhere.experiment("theirs")
    their_run = everywhere.run(theirs)
    own = mine.experiment("own")
    assert Experiment.objects.get(pk=own).project == project
    run = mine.run(own)
    assert mine.get("runs/get", run_id=run)["run"]["info"]["experiment_id"] == own
    metric = {"run_id": their_run, "key": "a", "value": 1, "timestamp": 1}
    refusals = [
        mine.look("experiments/get", experiment_id=theirs),
        mine.look("experiments/get-by-name", experiment_name="theirs"),
        mine.look("runs/get", run_id=their_run),
        mine.look("metrics/get-history", run_id=their_run, metric_key="a"),
        mine.send("runs/create", {"experiment_id": theirs}),
        mine.send("runs/log-metric", metric),
        mine.send("runs/update", {"run_id": their_run, "status": "FINISHED"}),
        mine.send("runs/delete", {"run_id": their_run}),
        mine.send("experiments/delete", {"experiment_id": theirs}),
    ]
    assert {(status, answer["error_code"]) for status, answer in refusals} == {(404, "RESOURCE_DOES_NOT_EXIST")}
    assert mine.post("runs/search", {"experiment_ids": [theirs, own]})["runs"][0]["info"]["run_id"] == run
    assert [e["name"] for e in mine.post("experiments/search", {"max_results": 10})["experiments"]] == ["own"]
    assert everywhere.data(their_run)["metrics"] == {}


def test_a_viewer_looks_and_does_not_write(door_of: Callable[..., Door]) -> None:
    viewer = door_of("viewer")
    assert viewer.look("experiments/get", experiment_id="0")[0] == 200
    assert viewer.send("runs/search", {"experiment_ids": ["0"]})[0] == 200
    status, answer = viewer.send("runs/create", {"experiment_id": "0"})
    assert (status, answer["error_code"]) == (403, "PERMISSION_DENIED")


def test_a_name_that_lies_in_the_trash_says_so(door: Door) -> None:
    identity = door.experiment("old")
    other = door.experiment("other")
    door.post("experiments/delete", {"experiment_id": identity})
    for path, body in (
        ("experiments/create", {"name": "old"}),
        ("experiments/update", {"experiment_id": other, "new_name": "old"}),
    ):
        status, answer = door.send(path, body)
        assert (status, answer["error_code"]) == (400, "RESOURCE_ALREADY_EXISTS")
        assert answer["message"].startswith("Experiment(name=old) already exists.")
        assert f"in the trash as experiment {identity}" in answer["message"]
    assert "trash" not in door.send("experiments/create", {"name": "other"})[1]["message"]


def test_no_run_comes_back_to_an_experiment_in_the_trash(door: Door) -> None:
    identity = door.experiment("gone")
    run = door.run(identity)
    door.post("experiments/delete", {"experiment_id": identity})
    status, answer = door.send("runs/restore", {"run_id": run})
    assert (status, answer["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert "'active' state" in answer["message"]
    assert door.get("runs/get", run_id=run)["run"]["info"]["lifecycle_stage"] == "deleted"
    door.post("experiments/restore", {"experiment_id": identity})
    assert door.get("runs/get", run_id=run)["run"]["info"]["lifecycle_stage"] == "active"
    door.post("runs/restore", {"run_id": run})
