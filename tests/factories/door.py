"""The MLflow door as tests knock at it: short calls, answers as (status, document)."""

import json
from typing import Any

from django.test import Client

BASE = "/api/2.0/mlflow/"


class Door:
    """A client of one tenant's MLflow door."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def send(self, path: str, body: Any, *, raw: bool = False) -> tuple[int, dict[str, Any]]:
        """POST a body; `raw` sends bytes as they are."""
        data = body if raw else json.dumps(body)
        answer = self.client.post(BASE + path, data, content_type="application/json")
        return answer.status_code, answer.json()

    def post(self, path: str, body: Any) -> dict[str, Any]:
        """POST what must succeed."""
        status, document = self.send(path, body)
        assert status == 200, document
        return document

    def get(self, path: str, **query: Any) -> dict[str, Any]:
        """GET what must succeed."""
        answer = self.client.get(BASE + path, query)
        assert answer.status_code == 200, answer.content
        return answer.json()

    def look(self, path: str, **query: Any) -> tuple[int, dict[str, Any]]:
        """GET what may be refused."""
        answer = self.client.get(BASE + path, query)
        return answer.status_code, answer.json()

    def experiment(self, name: str) -> str:
        """Make an experiment."""
        return self.post("experiments/create", {"name": name})["experiment_id"]

    def run(self, experiment_id: str = "0", **fields: Any) -> str:
        """Begin a run."""
        return self.post("runs/create", {"experiment_id": experiment_id, **fields})["run"]["info"]["run_id"]

    def data(self, run_id: str) -> dict[str, dict[str, Any]]:
        """Read a run's metrics, params and tags as dicts."""
        data = self.get("runs/get", run_id=run_id)["run"].get("data", {})
        return {
            part: {row["key"]: row["value"] for row in data.get(part, [])} for part in ("metrics", "params", "tags")
        }

    def points(self, run_id: str, key: str, **query: Any) -> list[tuple[int, int, Any]]:
        """Read a metric's points as (timestamp, step, value)."""
        rows = self.get("metrics/get-history", run_id=run_id, metric_key=key, **query).get("metrics", [])
        return [(row["timestamp"], row["step"], row["value"]) for row in rows]
