"""Into the trash, out of it, and away for ever: the same rules and the same events at every door."""

import json
from collections.abc import Callable

import pytest
from django.test import Client

from apps.tenants.access.models import AuditEvent
from apps.tenants.models import Tenant
from apps.tracking.models import Experiment, LifeRule, Run
from apps.tracking.retention import pruning
from tests.factories.door import Door
from tests.factories.many_runs import make_experiment, make_runs

DAY = 24 * 3_600_000
BULK, PAGE = "/api/v1/runs/bulk/", "/admin/runs/act/"


def at_mlflow(door: Door, client: Client, person: Client, act: str, run: str) -> int:
    status, _ = door.send({"trash": "runs/delete", "restore": "runs/restore"}[act], {"run_id": run})
    return status


def at_rest(door: Door, client: Client, person: Client, act: str, run: str) -> int:
    return client.post(BULK, json.dumps({"action": act, "runs": [run]}), content_type="application/json").status_code


def at_pages(door: Door, client: Client, person: Client, act: str, run: str) -> int:
    status = person.post(PAGE, {"do": act, "which": "chosen", "run": [run]}).status_code
    return 200 if status == 302 else status


DOORS = pytest.mark.parametrize("knock", [at_mlflow, at_rest, at_pages])
Knock = Callable[[Door, Client, Client, str, str], int]


@DOORS
def test_every_door_says_the_same_of_a_run_that_goes_and_comes_back(
    acme: Tenant, door: Door, api: Callable[..., Client], person: Callable[[str], Client], knock: Knock
) -> None:
    (run,) = make_runs(door, make_experiment("one"), 1)
    client, somebody = api(acme, "contributor"), person("contributor")
    assert [knock(door, client, somebody, act, run) for act in ("trash", "trash", "restore", "restore")] == [200] * 4
    told = list(AuditEvent.objects.filter(object_id=run).order_by("at").values_list("action", "after"))
    assert told == [("run.trash", {"runs": [run]}), ("run.restore", {"runs": [run]})]


@DOORS
def test_no_door_brings_a_run_back_into_an_experiment_in_the_trash(
    acme: Tenant, door: Door, api: Callable[..., Client], person: Callable[[str], Client], knock: Knock
) -> None:
    home = make_experiment("one")
    (run,) = make_runs(door, home, 1)
    door.post("experiments/delete", {"experiment_id": str(home.pk)})
    assert knock(door, api(acme, "contributor"), person("contributor"), "restore", run) == (
        400 if knock is at_mlflow else 409
    )
    assert Run.objects.get(pk=run).deleted_ms is not None
    door.post("experiments/restore", {"experiment_id": str(home.pk)})
    assert Run.objects.get(pk=run).deleted_ms is None


def test_what_goes_by_itself_is_told_by_the_same_words(door: Door) -> None:
    home = make_experiment("one")
    (run,) = make_runs(door, home, 1)
    LifeRule.objects.create(trash_days=5, keep_runs_days=5)
    Run.objects.filter(pk=run).update(status="FINISHED", end_ms=1, last_write_ms=1)
    Experiment.objects.filter(pk=home.pk).update(deleted_ms=1)
    assert pruning.expire(10 * DAY) == 1
    assert pruning.prune(20 * DAY) == 1
    assert pruning.prune_experiments(20 * DAY) == 1
    told = AuditEvent.objects.filter(actor="task:retention").order_by("at").values_list("action", "object_id")
    assert list(told) == [("run.trash", run), ("run.destroy", run), ("experiment.destroy", str(home.pk))]


def test_a_name_that_changes_is_one_event_at_every_door(acme: Tenant, door: Door, api: Callable[..., Client]) -> None:
    (run,) = make_runs(door, make_experiment("one"), 1)
    door.post("runs/update", {"run_id": run, "run_name": "two", "status": "FINISHED", "end_time": 5_000})
    body = json.dumps({"name": "three", "status": "FAILED"})
    answer = api(acme, "contributor").patch(f"/api/v1/runs/{run}/", body, content_type="application/json")
    assert (answer.json()["name"], answer.json()["status"]) == ("three", "FAILED")
    told = AuditEvent.objects.filter(object_id=run).order_by("at").values_list("action", "before")
    # What a run says of its own end is no event; what somebody says of it is.
    assert list(told) == [
        ("run.rename", {"name": "run-0"}),
        ("run.rename", {"name": "two"}),
        ("run.change", {"status": "FINISHED", "end_ms": 5_000}),
    ]


def test_each_door_words_a_refusal_itself(acme: Tenant, door: Door, api: Callable[..., Client]) -> None:
    door.experiment("taken")
    client, nowhere = api(acme, "contributor"), "0" * 32
    body = json.dumps({"name": "taken"})
    taken = client.post("/api/v1/experiments/", body, content_type="application/json").json()
    assert taken["code"] == "already_exists"
    assert taken["detail"] == "there is an experiment named 'taken' already"
    status, said = door.send("experiments/create", {"name": "taken"})
    assert (status, said["error_code"]) == (400, "RESOURCE_ALREADY_EXISTS")
    assert said["message"] == "Experiment(name=taken) already exists."
    assert client.get(f"/api/v1/runs/{nowhere}/").json()["detail"] == f"there is no run {nowhere}"
    assert door.look("runs/get", run_id=nowhere)[1]["message"] == f"Run with id={nowhere} not found"
    (run,) = make_runs(door, "0", 1)
    door.post("runs/delete", {"run_id": run})
    status, said = door.send("runs/log-metric", {"run_id": run, "key": "a", "value": 1, "timestamp": 1})
    assert (status, said["message"]) == (400, f"The run {run} must be in the 'active' state. Current state is deleted.")
    patched = client.patch(f"/api/v1/runs/{run}/", json.dumps({"name": "x"}), content_type="application/json").json()
    assert (patched["code"], patched["detail"]) == ("run_is_deleted", f"the run {run} is in the trash")
