"""maestro-ci: runs compared for a pull request, advice, and runs sent that were logged while no server was there."""

from collections.abc import Callable
from pathlib import Path

import mlflow
import pytest
from django.test import Client

from apps.tenants.models import Tenant
from apps.tracking.models import Project, Run
from tests.factories.door import Door
from tests.registry.client.conftest import Ci, others, told


@pytest.fixture
def door(committed: Tenant, api: Callable[..., Client]) -> Door:
    return Door(api(committed))


def log(door: Door, run: str, **values: float) -> None:
    for key, value in values.items():
        door.post("runs/log-metric", {"run_id": run, "key": key, "value": value, "timestamp": 1, "step": 0})


def test_two_runs_are_compared_as_markdown(ci: Ci, door: Door) -> None:
    before, now = door.run(), door.run()
    log(door, before, auc=0.8, old=1.0)
    log(door, now, auc=0.9)
    door.post("runs/update", {"run_id": now, "run_name": "a|b <script>"})
    for run, rate in ((before, "0.1"), (now, "1e-1")):
        door.post("runs/log-parameter", {"run_id": run, "key": "rate", "value": rate})
    done = ci("report", now, "--against", before)
    assert done.returncode == 0, done.stderr
    assert "| auc | 0.8 | 0.9 | +0.1 (+12.5%) |" in done.stdout
    assert "| old | 1 | – | – |" in done.stdout
    assert "| rate | 0.1 | 1e-1 |" in done.stdout
    assert "a\\|b \\<script\\>" in done.stdout
    only = told(ci("report", now, "--against", before, "--metric", "auc", "--output", "json"))
    assert [row["metric"] for row in only["metrics"]] == ["auc"]
    assert ci("report", now, "--against", "0" * 32).returncode == 4


def test_advice_says_what_is_missing(ci: Ci, committed: Tenant) -> None:
    Project.objects.create(slug="churn", name="Churn")
    done = ci("advice", "churn")
    assert (done.returncode, "no advice" in done.stderr) == (0, True), done.stderr
    assert told(ci("advice", "churn", "--output", "json"))["status"] == "refused"


@pytest.mark.parametrize("python", [None, *others()])
def test_runs_logged_off_line_arrive_whole_and_once(
    ci: Ci, committed: Tenant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, python: str | None
) -> None:
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    local = mlflow.MlflowClient(f"file:{tmp_path / 'mlruns'}")
    experiment = local.create_experiment("kept: here")
    run = local.create_run(experiment, run_name="it's off: line").info.run_id
    for step in range(1200):
        local.log_metric(run, "loss", 1 / (step + 1), timestamp=1_000 + step, step=step)
    for step, value in enumerate((float("nan"), float("-inf"))):
        local.log_metric(run, "odd/one", value, timestamp=5, step=step)
    local.log_param(run, "rate", "1e-3")
    local.log_text(run, "hello", "notes/95%.txt")
    local.set_terminated(run, "FAILED", end_time=9_000)
    with_python = {"python": python} if python else {}
    assert told(ci("sync", "mlruns", "--dry-run", "--output", "json", **with_python)) == {"sent": 1, "known": 0}
    assert told(ci("sync", "mlruns", "--output", "json", **with_python)) == {"sent": 1, "known": 0}
    assert told(ci("sync", "mlruns", "--output", "json", **with_python)) == {"sent": 0, "known": 1}
    (made,) = Run.objects.active().filter(experiment__name="kept: here")
    assert (made.name, made.status, made.end_ms) == ("it's off: line", "FAILED", 9_000)
    assert {param.key: param.value for param in made.params.all()} == {"rate": "1e-3"}
    assert [file.path for file in made.files.all()] == ["notes/95%.txt"]
    latest = {row.key.name: row for row in made.latest.select_related("key")}
    assert (latest["loss"].step, latest["odd/one"].value) == (1199, float("-inf"))


def test_a_run_that_was_sent_in_part_is_sent_anew(
    ci: Ci, committed: Tenant, door: Door, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    local = mlflow.MlflowClient(f"file:{tmp_path / 'mlruns'}")
    run = local.create_run(local.create_experiment("kept")).info.run_id
    local.log_metric(run, "loss", 1.0)
    local.set_terminated(run)
    experiment = door.post("experiments/create", {"name": "kept"})["experiment_id"]
    tags = [{"key": "maestro.offline", "value": run}]
    door.post("runs/create", {"experiment_id": experiment, "tags": tags, "start_time": 1})
    assert told(ci("sync", "mlruns", "--output", "json"))["sent"] == 1
    (made,) = Run.objects.active().filter(experiment__name="kept")
    assert made.latest.count() == 1
