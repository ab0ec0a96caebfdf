"""Runs through the MLflow door."""

from typing import Any

import pytest

from apps.tracking.models import Run
from tests.factories.door import Door


def test_a_run_is_read_back_as_it_was_begun(door: Door) -> None:
    run = door.post("runs/create", {"experiment_id": "0", "user_id": "u", "run_name": "n", "start_time": 5})["run"]
    assert run["info"] | {"run_id": "", "run_uuid": "", "artifact_uri": ""} == {
        "run_id": "",
        "run_uuid": "",
        "artifact_uri": "",
        "run_name": "n",
        "experiment_id": "0",
        "user_id": "u",
        "status": "RUNNING",
        "start_time": 5,
        "lifecycle_stage": "active",
    }
    assert len(run["info"]["run_id"]) == 32
    assert run == door.get("runs/get", run_id=run["info"]["run_id"])["run"]


def test_a_run_without_a_name_gets_one_and_the_tag_mirrors_it(door: Door) -> None:
    run = door.run()
    name = door.get("runs/get", run_uuid=run)["run"]["info"]["run_name"]
    assert name
    assert door.data(run)["tags"] == {"mlflow.runName": name}


@pytest.mark.parametrize("how", ["update", "set-tag", "log-batch"])
def test_name_and_tag_change_together(door: Door, how: str) -> None:
    run = door.run(run_name="before")
    tag = {"key": "mlflow.runName", "value": "after"}
    bodies: dict[str, dict[str, Any]] = {"update": {"run_name": "after"}, "set-tag": tag, "log-batch": {"tags": [tag]}}
    door.post(f"runs/{how}", {"run_id": run, **bodies[how]})
    assert door.get("runs/get", run_id=run)["run"]["info"]["run_name"] == "after"
    assert door.data(run)["tags"]["mlflow.runName"] == "after"


def test_two_names_at_odds_are_refused(door: Door) -> None:
    tag = {"key": "mlflow.runName", "value": "b"}
    status, answer = door.send("runs/create", {"experiment_id": "0", "run_name": "a", "tags": [tag]})
    assert (status, answer["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert not Run.objects.exists()


def test_a_run_ends_and_an_empty_name_changes_nothing(door: Door) -> None:
    run = door.run(run_name="n")
    body = {"run_id": run, "status": "FINISHED", "end_time": "7", "run_name": ""}
    info = door.post("runs/update", body)["run_info"]
    assert (info["status"], info["end_time"], info["run_name"]) == ("FINISHED", 7, "n")
    assert door.post("runs/update", {"run_id": run, "status": 4})["run_info"]["status"] == "FAILED"


def test_a_deleted_run_is_readable_and_refuses_every_write(door: Door) -> None:
    run = door.run()
    door.post("runs/log-parameter", {"run_id": run, "key": "p", "value": "1"})
    for _ in range(2):
        door.post("runs/delete", {"run_id": run})
    assert door.get("runs/get", run_id=run)["run"]["info"]["lifecycle_stage"] == "deleted"
    writes: dict[str, dict[str, Any]] = {
        "runs/log-metric": {"key": "a", "value": 1, "timestamp": 1},
        "runs/log-parameter": {"key": "q", "value": "1"},
        "runs/set-tag": {"key": "t", "value": "1"},
        "runs/delete-tag": {"key": "mlflow.runName"},
        "runs/log-batch": {"metrics": [{"key": "a", "value": 1, "timestamp": 1}]},
        "runs/update": {"status": "FINISHED"},
        "runs/log-inputs": {"datasets": [{"dataset": {"name": "d", "digest": "x"}}]},
        "runs/log-model": {"model_json": '{"artifact_path": "m", "utc_time_created": "x", "flavors": {}}'},
    }
    for path, body in writes.items():
        status, answer = door.send(path, {"run_id": run, **body})
        assert (status, answer["error_code"]) == (400, "INVALID_PARAMETER_VALUE"), path
        assert "deleted" in answer["message"]
    for _ in range(2):
        door.post("runs/restore", {"run_id": run})
    assert door.data(run)["params"] == {"p": "1"}
    assert door.data(run)["metrics"] == {}


@pytest.mark.parametrize("run", ["0" * 32, "x", "../etc", "", "0" * 31 + "g", "é" * 32])
def test_an_unknown_run_is_not_found(door: Door, run: str) -> None:
    status, answer = door.look("runs/get", run_id=run)
    wanted = (404, "RESOURCE_DOES_NOT_EXIST") if run else (400, "INVALID_PARAMETER_VALUE")
    assert (status, answer["error_code"]) == wanted
    body = {"run_id": run, "key": "a", "value": 1, "timestamp": 1}
    assert door.send("runs/log-metric", body)[0] == wanted[0]


def test_params_never_change(door: Door) -> None:
    run = door.run()
    for _ in range(2):
        door.post("runs/log-parameter", {"run_id": run, "key": "lr", "value": "0.1"})
    status, answer = door.send("runs/log-parameter", {"run_id": run, "key": "lr", "value": "0.2"})
    assert (status, answer["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert "lr" in answer["message"]
    assert "0.1" in answer["message"]
    batch = {"run_id": run, "params": [{"key": "new", "value": "1"}, {"key": "lr", "value": "0.2"}]}
    assert door.send("runs/log-batch", batch)[0] == 400
    assert door.data(run)["params"] == {"lr": "0.1"}


def test_long_values_are_cut_as_the_original_does(door: Door) -> None:
    run = door.run()
    door.post("runs/log-parameter", {"run_id": run, "key": "p", "value": "x" * 7000})
    door.post("runs/set-tag", {"run_id": run, "key": "t", "value": "é" * 9000})
    assert len(door.data(run)["params"]["p"]) == 6000
    assert len(door.data(run)["tags"]["t"]) == 8000


def test_deleting_a_tag_that_is_not_there_is_not_found(door: Door) -> None:
    run = door.run()
    door.post("runs/set-tag", {"run_id": run, "key": "t", "value": ""})
    assert door.data(run)["tags"]["t"] == ""
    door.post("runs/delete-tag", {"run_id": run, "key": "t"})
    assert door.send("runs/delete-tag", {"run_id": run, "key": "t"})[0] == 404


def test_a_lost_run_looks_running_and_comes_back_when_it_writes(door: Door) -> None:
    run = door.run()
    Run.objects.filter(pk=run).update(status=Run.Status.LOST)
    assert door.get("runs/get", run_id=run)["run"]["info"]["status"] == "RUNNING"
    door.post("runs/log-metric", {"run_id": run, "key": "a", "value": 1, "timestamp": 1})
    assert Run.objects.get(pk=run).status == Run.Status.RUNNING


def test_inputs_are_noted_once_and_shown(door: Door) -> None:
    run = door.run(door.experiment("data"))
    dataset = {"name": "d", "digest": "x", "source_type": "local", "source": "s", "schema": "{}"}
    tags = [{"key": "mlflow.data.context", "value": "training"}]
    for _ in range(2):
        door.post("runs/log-inputs", {"run_id": run, "datasets": [{"dataset": dataset, "tags": tags}]})
    door.post("runs/log-inputs", {"run_id": run, "models": [{"model_id": "m-1"}]})
    inputs = door.get("runs/get", run_id=run)["run"]["inputs"]
    assert inputs["dataset_inputs"] == [{"tags": tags, "dataset": dataset}]
    assert inputs["model_inputs"] == [{"model_id": "m-1"}]


def test_the_history_of_models_is_appended_to(door: Door) -> None:
    run = door.run()
    for name in ("a", "b"):
        model = f'{{"artifact_path": "{name}", "utc_time_created": "x", "flavors": {{}}}}'
        door.post("runs/log-model", {"run_id": run, "model_json": model})
    assert '"artifact_path":"a"' in door.data(run)["tags"]["mlflow.log-model.history"]
    assert '"artifact_path":"b"' in door.data(run)["tags"]["mlflow.log-model.history"]
    assert door.send("runs/log-model", {"run_id": run, "model_json": "{"})[0] == 400
