"""What a client may send that is not what it should be: refused and named, never taken for something else."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from apps.tenants.models import Tenant
from apps.tracking.models import Run

NOT_NUMBERS: tuple[Any, ...] = ({}, "", [], False, "one", 1.5, "1.5", "0x1")
EMPTY: tuple[Any, ...] = (0, {}, [], False)
NOT_TEXT: tuple[Any, ...] = (5, 0, [], {}, True)
TWO, THREE = "/api/2.0/mlflow/", "/api/3.0/mlflow/"


@pytest.fixture
def ask(acme: Tenant, api: Callable[..., Client]) -> Callable[..., tuple[int, Any]]:
    client = api(acme)

    def send(path: str, body: Any, method: str = "POST") -> tuple[int, Any]:
        address = path if path.startswith("/") else TWO + path
        if method == "GET":
            answer = client.get(address, body)
        else:
            answer = client.generic(method, address, json.dumps(body), content_type="application/json")
        return answer.status_code, answer.json()

    return send


@pytest.fixture
def run(ask: Callable[..., Any]) -> str:
    return str(ask("runs/create", {"experiment_id": "0"})[1]["run"]["info"]["run_id"])


@pytest.mark.parametrize("step", NOT_NUMBERS)
def test_a_step_is_a_whole_number_or_absent(step: Any, ask: Callable[..., Any], run: str) -> None:
    point = {"key": "m", "value": 1.0, "timestamp": 1, "step": step}
    for path, body in (
        ("runs/log-metric", point | {"run_id": run}),
        ("runs/log-batch", {"run_id": run, "metrics": [point]}),
        ("runs/outputs", {"run_id": run, "models": [{"model_id": "m-" + "0" * 32, "step": step}]}),
    ):
        status, answer = ask(path, body)
        assert status in (400, 404), answer
        assert status == 400 or path == "runs/outputs", answer
    assert "metrics" not in ask("runs/get", {"run_id": run}, "GET")[1]["run"].get("data", {})


@pytest.mark.parametrize("identity", NOT_TEXT)
def test_a_run_id_that_is_no_text_is_a_bad_parameter(identity: Any, ask: Callable[..., Any]) -> None:
    for path, more in (
        ("runs/log-metric", {"key": "m", "value": 1.0, "timestamp": 1}),
        ("runs/log-batch", {"metrics": []}),
        ("runs/log-parameter", {"key": "p", "value": "1"}),
        ("runs/set-tag", {"key": "t", "value": "1"}),
        ("runs/delete-tag", {"key": "t"}),
        ("runs/update", {"status": "FINISHED"}),
        ("runs/delete", {}),
        ("runs/restore", {}),
        ("runs/log-inputs", {}),
        ("runs/log-model", {"model_json": "{}"}),
        ("runs/outputs", {"models": []}),
        (f"{TWO}traces/link-to-run", {"trace_ids": ["tr-1"]}),
    ):
        status, answer = ask(path, {"run_id": identity} | more)
        assert (status, answer["error_code"]) == (400, "INVALID_PARAMETER_VALUE"), (path, answer)
        assert "run_id" in answer["message"], (path, answer)


def test_text_that_can_be_no_run_is_not_there(ask: Callable[..., Any]) -> None:
    for identity in ("x", "0" * 32, "0" * 31, "../x"):
        status, answer = ask("runs/get", {"run_id": identity}, "GET")
        assert (status, answer["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")
        assert "not found" in answer["message"]


def test_a_start_that_is_given_stays_as_given(ask: Callable[..., Any]) -> None:
    made = ask("runs/create", {"experiment_id": "0", "start_time": 0})[1]["run"]["info"]
    assert made["start_time"] == 0
    assert Run.objects.get(pk=made["run_id"]).start_ms == 0


TRACE = {
    "trace_id": "tr-1",
    "trace_location": {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": "0"}},
    "request_time": "2026-01-31T09:00:00Z",
}
SAID = {"assessment_name": "ok", "feedback": {"value": True}}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("request_time", value) for value in NOT_TEXT),
        *(("execution_duration", value) for value in NOT_TEXT),
        *(("client_request_id", value) for value in NOT_TEXT),
        *(
            ("assessments", [SAID | {name: value}])
            for name in ("assessment_name", "span_id", "create_time", "rationale", "assessment_id", "overrides")
            for value in EMPTY
        ),
    ],
)
def test_no_part_of_a_trace_is_taken_for_nothing(name: str, value: Any, ask: Callable[..., Any]) -> None:
    status, answer = ask(f"{THREE}traces", {"trace": {"trace_info": TRACE | {name: value}}})
    assert (status, answer["error_code"]) == (400, "INVALID_PARAMETER_VALUE"), answer


@pytest.mark.parametrize("name", ["source_type", "source_data"])
@pytest.mark.parametrize("value", [0, [], False, "x"])
def test_no_part_of_a_record_is_taken_for_nothing(name: str, value: Any, ask: Callable[..., Any]) -> None:
    made = ask(f"{THREE}datasets/create", {"name": "d"})[1]["dataset"]["dataset_id"]
    records = json.dumps([{"inputs": {"q": 1}, "source": {name: value}}])
    status, answer = ask(f"{THREE}datasets/{made}/records", {"records": records})
    assert (status, answer["error_code"]) == (400, "INVALID_PARAMETER_VALUE"), answer


@pytest.mark.parametrize("until", [2**53, 2**63 - 1, str(2**62), -1])
def test_traces_are_deleted_up_to_any_time(until: Any, ask: Callable[..., Any]) -> None:
    assert ask(f"{THREE}traces", {"trace": {"trace_info": TRACE}})[0] == 200
    body = {"experiment_id": "0", "max_timestamp_millis": until}
    status, answer = ask(f"{THREE}traces/delete-traces", body)
    assert (status, answer) == (200, {"traces_deleted": 0 if until == -1 else 1})


def test_a_search_of_datasets_names_experiments(ask: Callable[..., Any]) -> None:
    bodies: list[dict[str, Any]] = [{}, {"experiment_ids": []}]
    for body in bodies:
        status, answer = ask("experiments/search-datasets", body)
        assert (status, answer["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
        assert "at least one experiment_id" in answer["message"]
    assert ask("experiments/search-datasets", {"experiment_ids": ["0"]}) == (200, {})


def test_a_list_that_is_too_long_is_counted_and_not_repeated(ask: Callable[..., Any]) -> None:
    for path, body in (
        ("experiments/search-datasets", {"experiment_ids": ["12345"] * 21}),
        ("runs/search", {"experiment_ids": ["12345"] * 10_001}),
        (f"{THREE}traces/batchGetInfos", {"trace_ids": ["tr-12345"] * 1_001}),
    ):
        status, answer = ask(path, body)
        assert status == 400
        assert str(len(next(iter(body.values())))) in answer["message"]
        assert "12345" not in answer["message"]
        assert len(answer["message"]) < 200


def test_histories_of_many_runs_leave_out_those_that_are_not_there(ask: Callable[..., Any], run: str) -> None:
    for step in range(3):
        ask("runs/log-metric", {"run_id": run, "key": "m", "value": 1.0, "timestamp": 1, "step": step})
    nobody = ["0" * 32, "x"]
    for path, name in (
        ("/ajax-api/2.0/mlflow/metrics/get-history-bulk", "run_id"),
        ("metrics/get-history-bulk-interval", "run_ids"),
    ):
        status, answer = ask(path, {name: [run, *nobody], "metric_key": "m"}, "GET")
        assert (status, [row["step"] for row in answer["metrics"]]) == (200, [0, 1, 2]), answer
        assert not ask(path, {name: nobody, "metric_key": "m"}, "GET")[1].get("metrics")
    over = ask("metrics/get-history-bulk", {"run_id": run, "metric_key": "m", "max_results": 99_999}, "GET")
    assert len(over[1]["metrics"]) == 3


# What MLflow 3.17 answers for 11 points and as many of them: the first of each part, and the last.
SAMPLED = {
    1: [10],
    2: [0, 10],
    3: [0, 4, 10],
    4: [0, 3, 6, 10],
    5: [0, 3, 5, 7, 10],
    10: [0, 2, 3, 4, 5, 6, 7, 8, 9, 10],
}


@pytest.mark.parametrize("most", SAMPLED)
@pytest.mark.parametrize("at_once", [True, False])
def test_samples_are_those_of_the_original(most: int, ask: Callable[..., Any], run: str, *, at_once: bool) -> None:
    points = [{"key": "m", "value": step * 1.0, "timestamp": 1, "step": step} for step in range(11)]
    for batch in [points] if at_once else [[point] for point in points]:
        assert ask("runs/log-batch", {"run_id": run, "metrics": batch})[0] == 200
    asked = {"run_ids": [run], "metric_key": "m", "max_results": most}
    answer = ask("metrics/get-history-bulk-interval", asked, "GET")[1]
    assert [row["step"] for row in answer["metrics"]] == SAMPLED[most]
