"""Experiments and runs over REST: what MLflow clients wrote, to read and to correct."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django_tenants.utils import tenant_context

from apps.tenants.models import Tenant
from apps.tracking.models import Experiment, Project

ApiFor = Callable[..., Client]
MLFLOW = "/api/2.0/mlflow/"


def send(client: Client, method: str, path: str, body: Any) -> Any:
    return getattr(client, method)(path, json.dumps(body), content_type="application/json")


def start(client: Client, experiment: str = "0", **fields: Any) -> str:
    made = send(client, "post", f"{MLFLOW}runs/create", {"experiment_id": experiment, "start_time": 1000} | fields)
    assert made.status_code == 200, made.content
    return str(made.json()["run"]["info"]["run_id"])


def test_a_run_shows_what_an_mlflow_client_logged(acme: Tenant, api: ApiFor) -> None:
    client = api(acme)
    run_id = start(client, run_name="first")
    batch = {
        "run_id": run_id,
        "params": [{"key": "depth", "value": "3"}],
        "tags": [{"key": "team", "value": "a"}],
        "metrics": [
            {"key": "auc", "value": 0.5, "timestamp": 1, "step": 1},
            {"key": "auc", "value": 0.75, "timestamp": 2, "step": 2},
            {"key": "loss", "value": "NaN", "timestamp": 3, "step": 0},
        ],
    }
    assert send(client, "post", f"{MLFLOW}runs/log-batch", batch).status_code == 200
    shown = client.get(f"/api/v1/runs/{run_id}/").json()
    assert (shown["id"], shown["name"], shown["status"], shown["project"]) == (run_id, "first", "RUNNING", "default")
    assert shown["params"] == {"depth": "3"}
    assert shown["tags"]["team"] == "a"
    assert shown["metrics"] == {
        "auc": {"value": 0.75, "special": None, "step": 2, "timestamp_ms": 2},
        "loss": {"value": None, "special": "nan", "step": 0, "timestamp_ms": 3},
    }


def test_a_renamed_and_ended_run_is_seen_so_by_mlflow(acme: Tenant, api: ApiFor) -> None:
    client = api(acme)
    run_id = start(client)
    answer = send(client, "patch", f"/api/v1/runs/{run_id}/", {"name": "best", "status": "FINISHED", "end_ms": 2000})
    assert answer.status_code == 200, answer.content
    run = client.get(f"{MLFLOW}runs/get?run_id={run_id}").json()["run"]
    assert (run["info"]["run_name"], run["info"]["status"], run["info"]["end_time"]) == ("best", "FINISHED", 2000)
    assert {"key": "mlflow.runName", "value": "best"} in run["data"]["tags"]


@pytest.mark.parametrize(
    "body",
    [{"status": "LOST"}, {"status": 1}, {"end_ms": -1}, {"end_ms": 2**62}, {"name": ""}, {"params": {}}, {"id": "x"}],
)
def test_a_bad_change_of_a_run_is_refused(acme: Tenant, api: ApiFor, body: Any) -> None:
    client = api(acme)
    assert send(client, "patch", f"/api/v1/runs/{start(client)}/", body).status_code == 400


def test_runs_are_listed_by_project_experiment_and_status(acme: Tenant, api: ApiFor) -> None:
    client = api(acme)
    Project.objects.create(slug="churn", name="churn")
    made = send(client, "post", "/api/v1/experiments/", {"name": "trees", "project": "churn"})
    assert made.status_code == 201, made.content
    number = str(made.json()["id"])
    inside = [start(client, number, start_time=at) for at in (1, 2)]
    outside = start(client)
    send(client, "patch", f"/api/v1/runs/{inside[0]}/", {"status": "FAILED"})

    def listed(query: str) -> list[str]:
        return [row["id"] for row in client.get(f"/api/v1/runs/?{query}").json()["results"]]

    assert listed("project=churn") == [inside[1], inside[0]]
    assert listed(f"experiment={number}&status=FAILED") == [inside[0]]
    assert listed("project=default") == [outside]
    assert [e["name"] for e in client.get("/api/v1/experiments/?project=churn").json()["results"]] == ["trees"]
    assert client.get("/api/v1/runs/?status=DONE").status_code == 400
    assert client.get("/api/v1/runs/?experiment=x").status_code == 404
    assert client.get("/api/v1/runs/?project=nobody").status_code == 404


def test_a_taken_name_of_an_experiment_is_a_conflict_and_a_strange_project_is_refused(
    acme: Tenant, api: ApiFor
) -> None:
    client = api(acme)
    assert send(client, "post", "/api/v1/experiments/", {"name": "trees"}).status_code == 201
    assert send(client, "post", "/api/v1/experiments/", {"name": "trees"}).status_code == 409
    assert send(client, "post", "/api/v1/experiments/", {"name": "x", "project": "nobody"}).status_code == 400
    number = Experiment.objects.get(name="trees").pk
    assert send(client, "patch", f"/api/v1/experiments/{number}/", {"name": "Default"}).status_code == 409
    assert send(client, "patch", f"/api/v1/experiments/{number}/", {"name": "forests"}).json()["name"] == "forests"


def test_files_of_a_run_are_listed_and_sent(acme: Tenant, api: ApiFor) -> None:
    client = api(acme)
    run_id = start(client)
    base = f"/api/2.0/mlflow-artifacts/artifacts/0/{run_id}/artifacts"
    assert client.put(f"{base}/plots/a.html", b"<script>", content_type="text/html").status_code == 200
    listed = client.get(f"/api/v1/runs/{run_id}/files/").json()["results"]
    assert [(row["path"], row["size_bytes"]) for row in listed] == [("plots/a.html", 8)]
    got = client.get(f"/api/v1/runs/{run_id}/files/plots/a.html")
    assert (got.getvalue(), got["Content-Type"]) == (b"<script>", "application/octet-stream")
    assert client.get(f"/api/v1/runs/{run_id}/files/nothing").status_code == 404
    assert client.get(f"/api/v1/runs/{run_id}/files/..%2f..%2fx").status_code == 400


def test_a_run_of_acme_is_unknown_in_globex_and_to_keys_of_other_projects(
    acme: Tenant, globex: Tenant, api: ApiFor
) -> None:
    with tenant_context(acme):
        run_id = start(api(acme))
        other = Project.objects.create(slug="other", name="other")
        scoped = api(acme, project_id=other.pk)
        assert scoped.get(f"/api/v1/runs/{run_id}/").status_code == 404
        assert scoped.get("/api/v1/runs/").json()["results"] == []
        assert scoped.get("/api/v1/experiments/0/").status_code == 404
    client = api(globex)
    for path in (f"runs/{run_id}/", f"runs/{run_id}/files/", "runs/not-a-run/", f"experiments/{10**30}/"):
        assert client.get(f"/api/v1/{path}").status_code == 404, path
    assert send(client, "patch", f"/api/v1/runs/{run_id}/", {"name": "mine"}).status_code == 404
