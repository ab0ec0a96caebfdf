"""Runs that are moved while the stock client, or many writers, go on with them."""

import json
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import pytest
from django.db.models import F

from apps.tenants.models import Tenant
from apps.tracking.models import LatestMetric, Run, RunInput
from tests.factories.clients import raw, use_client
from tests.web import WebServer


@pytest.fixture
def key(committed: Tenant, key_for: Callable[..., str]) -> str:
    """A contributor of a fresh tenant."""
    return key_for(committed)


def move(web: WebServer, key: str, runs: list[str], target: str) -> Any:
    return raw(web, key, "POST", "/api/v1/runs/move/", {"runs": runs, "experiment": int(target)})


def test_the_stock_client_goes_on_with_a_run_that_was_moved(
    web: WebServer, key: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    client = use_client(monkeypatch, web, key)
    old, new = client.create_experiment("old"), client.create_experiment("new")
    with mlflow.start_run(experiment_id=old) as active:
        run = active.info.run_id
        for step in range(12):
            mlflow.log_metric("loss", 1 / (step + 1), step=step)
        mlflow.log_param("depth", 3)
        mlflow.log_text("before", "notes/before.txt")
        status, _, content = move(web, key, [run], new)
        assert status == 200, content
        # The client still holds the address of before.
        mlflow.log_text("after", "notes/after.txt")
        mlflow.log_metric("loss", 0.01, step=12)
        old_uri = active.info.artifact_uri
    assert client.search_runs([old]) == []
    (found,) = client.search_runs([new], "metrics.loss < 0.02 AND params.depth = '3'")
    assert (found.info.run_id, found.info.status) == (run, "FINISHED")
    assert found.info.artifact_uri.startswith(f"mlflow-artifacts:/{new}/")
    assert [file.path for file in client.list_artifacts(run, "notes")] == ["notes/after.txt", "notes/before.txt"]
    assert Path(client.download_artifacts(run, "notes/after.txt", str(tmp_path))).read_text() == "after"
    assert mlflow.artifacts.load_text(f"{old_uri}/notes/before.txt") == "before"
    assert [point.step for point in client.get_metric_history(run, "loss")] == list(range(13))


def test_writers_never_leave_a_value_in_the_experiment_that_a_run_has_left(
    committed: Tenant, web: WebServer, key: str
) -> None:
    def send(path: str, body: Any) -> tuple[int, bytes]:
        status, _, content = raw(web, key, "POST", f"/api/2.0/mlflow/{path}", body)
        return status, content

    made = [raw(web, key, "POST", "/api/v1/experiments/", {"name": name})[2] for name in ("one", "two")]
    numbers = [str(json.loads(content)["id"]) for content in made]
    began = [send("runs/create", {"experiment_id": numbers[0]})[1] for _ in range(6)]
    runs = [json.loads(content)["run"]["info"]["run_id"] for content in began]
    answers: list[int] = []
    ended = threading.Event()

    def write(run: str) -> None:
        turn = 0
        while not ended.is_set():
            turn += 1
            metrics = [{"key": f"m{turn}-{k}", "value": turn, "timestamp": turn, "step": 0} for k in range(10)]
            answers.append(send("runs/log-batch", {"run_id": run, "metrics": metrics})[0])
            inputs = [{"dataset": {"name": f"d{turn}", "digest": "x"}}]
            answers.append(send("runs/log-inputs", {"run_id": run, "datasets": inputs})[0])

    writers = [threading.Thread(target=write, args=(run,)) for run in runs]
    for writer in writers:
        writer.start()
    moves = [move(web, key, runs, numbers[(turn + 1) % 2])[0] for turn in range(15)]
    ended.set()
    for writer in writers:
        writer.join()
    assert Counter(moves) == {200: 15}
    assert set(answers) == {200}
    assert set(Run.objects.values_list("experiment_id", flat=True)) == {int(numbers[1])}
    assert LatestMetric.objects.count() == answers.count(200) // 2 * 10
    assert not LatestMetric.objects.exclude(experiment_id=F("run__experiment_id")).exists()
    assert not RunInput.objects.exclude(dataset__experiment_id=F("run__experiment_id")).exists()
