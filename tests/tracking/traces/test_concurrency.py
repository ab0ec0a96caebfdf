"""Writers of one trace and one evaluation dataset at once, on a real server: nothing is lost, nothing is doubled."""

import json
import threading
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from apps.tenants.models import Tenant
from apps.tracking.models import Assessment, EvaluationDataset, EvaluationRecord, Trace
from tests.factories.traces import V3, trace
from tests.patience import ANSWER_SECONDS
from tests.web import WebServer

WRITERS = 16
Send = Callable[..., list[tuple[int, dict[str, Any]]]]


@pytest.fixture
def together(committed: Tenant, web: WebServer, key_for: Callable[..., str]) -> Send:
    """Send bodies at once, each from a thread of its own."""
    headers = {"Authorization": f"Bearer {key_for(committed)}", "Content-Type": "application/json"}

    def one(method: str, path: str, body: Any) -> tuple[int, dict[str, Any]]:
        request = urllib.request.Request(web.url + path, json.dumps(body).encode(), headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as refusal:
            return refusal.code, json.loads(refusal.read())

    def send(method: str, path: str, bodies: list[Any]) -> list[tuple[int, dict[str, Any]]]:
        answers: list[Any] = [None] * len(bodies)
        gate = threading.Barrier(len(bodies))

        def work(index: int) -> None:
            gate.wait()
            answers[index] = one(method, path, bodies[index])

        threads = [threading.Thread(target=work, args=(index,)) for index in range(len(bodies))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return answers

    return send


def statuses(answers: list[tuple[int, dict[str, Any]]]) -> set[int]:
    return {status for status, _ in answers}


def test_one_trace_told_and_noted_by_many_is_one_trace_with_all_notes(together: Send) -> None:
    said = {"assessment_name": "a", "feedback": {"value": 1}, "create_time": "2026-01-01T00:00:00Z"}
    told = [trace("tr-1", tags={f"told{i}": "1"}, assessments=[said]) for i in range(WRITERS)]
    assert statuses(together("POST", V3 + "traces", told)) == {200}
    notes = [{"key": f"note{i}", "value": "1"} for i in range(WRITERS)]
    assert statuses(together("PATCH", "/api/2.0/mlflow/traces/tr-1/tags", notes)) == {200}
    assert set(Trace.objects.get().tags) == {f"{kind}{i}" for kind in ("told", "note") for i in range(WRITERS)}
    assert Assessment.objects.count() == 1


def test_an_id_of_an_assessment_is_taken_once(together: Send) -> None:
    assert statuses(together("POST", V3 + "traces", [trace("tr-1")])) == {200}
    given = {"assessment_name": "a", "feedback": {"value": 1}, "assessment_id": "mine"}
    answers = together("POST", V3 + "traces/tr-1/assessments", [{"assessment": given}] * WRITERS)
    assert Counter(status for status, _ in answers) == {200: 1, 400: WRITERS - 1}
    assert Assessment.objects.count() == 1


def test_the_same_records_put_by_many_are_stored_once_and_counted_right(together: Send) -> None:
    made = together("POST", V3 + "datasets/create", [{"name": "faq"}])[0][1]["dataset"]["dataset_id"]
    records = json.dumps([{"inputs": {"q": i}} for i in range(20)])
    answers = together("POST", f"{V3}datasets/{made}/records", [{"records": records}] * WRITERS)
    assert statuses(answers) == {200}
    assert sum(answer["inserted_count"] for _, answer in answers) == 20
    assert (EvaluationRecord.objects.count(), EvaluationDataset.objects.get().record_count) == (20, 20)
