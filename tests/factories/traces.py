"""What tests of traces share: one to record, a door to knock at, a few to search among."""

import json
from typing import Any

from tests.factories.door import Door

V3 = "/api/3.0/mlflow/"
PROXY = "/api/2.0/mlflow-artifacts/artifacts/"


def trace(identity: str = "tr-1", experiment_id: str = "0", **fields: Any) -> dict[str, Any]:
    info = {
        "trace_id": identity,
        "trace_location": {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": experiment_id}},
        "request_time": "2026-01-31T09:00:00.123Z",
        "execution_duration": "1.5s",
        "state": "OK",
    }
    return {"trace": {"trace_info": info | fields}}


def call(door: Door, method: str, path: str, body: Any = None) -> tuple[int, dict[str, Any]]:
    data = None if body is None else json.dumps(body)
    answer = door.client.generic(method, path, data or "", content_type="application/json")
    return answer.status_code, answer.json()


def start(door: Door, *args: Any, **fields: Any) -> dict[str, Any]:
    status, answer = call(door, "POST", V3 + "traces", trace(*args, **fields))
    assert status == 200, answer
    return answer["trace"]["trace_info"]


def found(door: Door, text: str = "", *experiments: str, **fields: Any) -> list[str]:
    places = [{"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": e}} for e in experiments or ("0",)]
    status, answer = call(door, "POST", V3 + "traces/search", {"locations": places, "filter": text, **fields})
    assert status == 200, answer
    return [row["trace_id"] for row in answer.get("traces", [])]


def fill(door: Door) -> None:
    for i in range(5):
        start(
            door,
            f"tr-{i}",
            request_time=f"2026-01-31T09:00:0{i}Z",
            execution_duration=f"{i}s",
            state="ERROR" if i == 3 else "OK",
            tags={"mlflow.traceName": f"n{i}", "odd": str(i % 2)},
            trace_metadata={"mlflow.sourceRun": "a" * 32} if i == 1 else {},
            assessments=[{"assessment_name": "score", "feedback": {"value": i / 4}}] if i else [],
        )
