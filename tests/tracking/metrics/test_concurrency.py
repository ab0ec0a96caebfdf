"""Thirty-two writers at once, on a real server: nothing is lost, nothing is doubled, one first write wins."""

import json
import threading
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from apps.tenants.models import Tenant
from apps.tracking.models import Experiment, LatestMetric, MetricKey, MetricPoint, Param
from tests.patience import ANSWER_SECONDS
from tests.web import WebServer

WRITERS = 32


class Writers:
    """Threads that send their requests together."""

    def __init__(self, url: str, key: str) -> None:
        self.url, self.key = url + "/api/2.0/mlflow/", key

    def send(self, path: str, body: Any) -> tuple[int, dict[str, Any]]:
        """POST one body."""
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        request = urllib.request.Request(self.url + path, json.dumps(body).encode(), headers)
        try:
            with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as refusal:
            return refusal.code, json.loads(refusal.read())

    def together(self, path: str, bodies: list[Any]) -> list[tuple[int, dict[str, Any]]]:
        """POST all bodies at once."""
        answers: list[Any] = [None] * len(bodies)
        start = threading.Barrier(len(bodies))

        def one(index: int) -> None:
            start.wait()
            answers[index] = self.send(path, bodies[index])

        threads = [threading.Thread(target=one, args=(index,)) for index in range(len(bodies))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return answers


@pytest.fixture
def writers(committed: Tenant, web: WebServer, key_for: Callable[..., str]) -> Writers:
    """Writers into a tenant of their own."""
    return Writers(web.url, key_for(committed))


def begin(writers: Writers) -> str:
    """Begin a run."""
    status, answer = writers.send("runs/create", {"experiment_id": "0"})
    assert status == 200
    return str(answer["run"]["info"]["run_id"])


def test_writers_of_one_metric_lose_nothing_and_the_latest_is_the_greatest(writers: Writers) -> None:
    run = begin(writers)
    bodies = [{"run_id": run, "key": "a", "value": i, "timestamp": 1, "step": i} for i in range(WRITERS)]
    answers = writers.together("runs/log-metric", bodies) + writers.together("runs/log-metric", bodies[::-1])
    assert {status for status, _ in answers} == {200}
    assert MetricPoint.objects.count() == WRITERS
    assert LatestMetric.objects.get().value == WRITERS - 1
    assert MetricKey.objects.filter(name="a").count() == 1


def test_batches_with_new_names_in_any_order_all_arrive(writers: Writers) -> None:
    run = begin(writers)
    names = [f"m{i}" for i in range(20)]
    bodies = []
    for writer in range(WRITERS):
        turned = names[writer % 20 :] + names[: writer % 20]
        metrics = [{"key": name, "value": writer, "timestamp": writer, "step": 0} for name in turned]
        bodies.append({"run_id": run, "metrics": metrics, "tags": [{"key": "t", "value": str(writer)}]})
    answers = writers.together("runs/log-batch", bodies)
    assert Counter(status for status, _ in answers) == {200: WRITERS}
    assert MetricPoint.objects.count() == WRITERS * 20
    assert set(LatestMetric.objects.values_list("timestamp_ms", flat=True)) == {WRITERS - 1}


def test_of_many_first_values_of_a_param_one_wins_and_all_others_are_told(writers: Writers) -> None:
    run = begin(writers)
    bodies = [
        {
            "run_id": run,
            "params": [{"key": "p", "value": str(i)}],
            "metrics": [{"key": f"of-{i}", "value": 1, "timestamp": 1}],
        }
        for i in range(WRITERS)
    ]
    answers = writers.together("runs/log-batch", bodies)
    won = [index for index, (status, _) in enumerate(answers) if status == 200]
    assert len(won) == 1
    assert {a["error_code"] for s, a in answers if s != 200} == {"INVALID_PARAMETER_VALUE"}
    assert Param.objects.get().value == str(won[0])
    assert list(MetricPoint.objects.values_list("key__name", flat=True)) == [f"of-{won[0]}"]


def test_one_name_makes_one_experiment(writers: Writers) -> None:
    answers = writers.together("experiments/create", [{"name": "same"}] * WRITERS)
    assert Counter(status for status, _ in answers) == {200: 1, 400: WRITERS - 1}
    assert {a["error_code"] for s, a in answers if s == 400} == {"RESOURCE_ALREADY_EXISTS"}
    assert Experiment.objects.filter(name="same").count() == 1


def test_deleting_while_writing_leaves_no_half_batch(writers: Writers) -> None:
    run = begin(writers)
    points = [{"key": f"m{k}", "value": 1, "timestamp": 1, "step": s} for k in range(3) for s in range(3)]
    answers: list[Any] = []
    bodies = [{"run_id": run, "metrics": [p | {"timestamp": w} for p in points]} for w in range(16)]
    eraser = threading.Thread(target=lambda: answers.append(writers.send("runs/delete", {"run_id": run})))
    eraser.start()
    written = writers.together("runs/log-batch", bodies)
    eraser.join()
    assert answers[0][0] == 200
    assert {status for status, _ in written} <= {200, 400}
    kept = Counter(MetricPoint.objects.values_list("timestamp_ms", flat=True))
    assert set(kept.values()) <= {9}
    assert len(kept) == sum(1 for status, _ in written if status == 200)
