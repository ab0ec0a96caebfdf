"""A registry beside somebody else's tracking server: runs that we don't know are text; and what changes a model's time."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from apps.registry.models import Artifact, ArtifactVersion, Edge, LoggedModel
from apps.tenants.models import Tenant
from tests.factories.door import BASE, Door

FOREIGN = "f" * 32


@pytest.fixture
def door(acme: Tenant, api: Callable[..., Client]) -> Door:
    made = Door(api(acme))
    made.post("registered-models/create", {"name": "churn"})
    return made


def send(door: Door, method: str, path: str, body: Any) -> dict[str, Any]:
    answer = door.client.generic(method, BASE + path, json.dumps(body), content_type="application/json")
    assert answer.status_code == 200, answer.content
    return dict(answer.json())


def make(door: Door, **fields: Any) -> dict[str, Any]:
    return dict(door.post("model-versions/create", {"name": "churn", **fields})["model_version"])


@pytest.mark.parametrize("source", ["s3://bucket/model", f"runs:/{FOREIGN}/model"])
def test_a_version_may_come_from_a_run_of_another_server(door: Door, source: str) -> None:
    made = make(door, source=source, run_id=FOREIGN)
    assert (made["run_id"], made["source"]) == (FOREIGN, source)
    version = ArtifactVersion.objects.get()
    assert (version.run, version.digest) == (None, "")
    assert not Edge.objects.exists()
    found = door.get("model-versions/search", filter=f"run_id = '{FOREIGN}'")["model_versions"]
    assert [row["version"] for row in found] == ["1"]
    uri = door.get("model-versions/get-download-uri", name="churn", version="1")["artifact_uri"]
    assert uri == source


def test_a_logged_model_may_come_from_a_run_of_another_server(door: Door) -> None:
    body = {"experiment_id": "0", "name": "m", "source_run_id": FOREIGN}
    made = door.post("logged-models", body)["model"]["info"]
    assert made["source_run_id"] == FOREIGN
    assert (LoggedModel.objects.get().run, Edge.objects.count()) == (None, 0)
    query = {"experiment_ids": ["0"], "filter": f"source_run_id = '{FOREIGN}'"}
    assert [row["info"]["name"] for row in door.post("logged-models/search", query)["models"]] == ["m"]


def test_a_run_that_is_known_is_lineage_and_files_as_before(door: Door) -> None:
    run = door.run()
    door.client.put(f"/api/2.0/mlflow-artifacts/artifacts/0/{run}/artifacts/model/MLmodel", b"x")
    made = make(door, source=f"runs:/{run}/model", run_id=run)
    assert made["run_id"] == run
    version = ArtifactVersion.objects.get()
    assert version.run is not None
    assert [file.path for file in version.files.all()] == ["MLmodel"]
    assert Edge.objects.get().from_run == version.run
    uri = door.get("model-versions/get-download-uri", name="churn", version="1")["artifact_uri"]
    assert uri == f"runs:/{run}/model"


@pytest.mark.parametrize("run_id", ["", "0" * 32])
def test_a_source_in_a_run_that_is_not_named_is_still_refused(door: Door, run_id: str) -> None:
    for source in (f"runs:/{FOREIGN}/model", f"mlflow-artifacts:/0/{FOREIGN}/artifacts/model", "runs:/", "runs://x/y"):
        status, answer = door.send("model-versions/create", {"name": "churn", "source": source, "run_id": run_id})
        assert (status, answer["error_code"]) == (400, "INVALID_PARAMETER_VALUE"), source


def test_a_missing_source_is_named_before_the_model_is_looked_for(door: Door) -> None:
    status, answer = door.send("model-versions/create", {"name": "nobody"})
    assert (status, answer["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert "'source'" in answer["message"]


def test_what_happens_to_a_version_is_news_of_its_model(door: Door) -> None:
    for _ in range(2):
        make(door, source="s3://bucket/model")

    def is_news(act: Callable[[], Any]) -> bool:
        Artifact.objects.update(updated_ms=7)
        act()
        return Artifact.objects.get().updated_ms > 7

    stage = {"name": "churn", "version": "1", "stage": "Staging"}
    assert is_news(lambda: send(door, "POST", "model-versions/transition-stage", stage))
    assert is_news(lambda: send(door, "DELETE", "model-versions/delete", {"name": "churn", "version": "1"}))
    ArtifactVersion.objects.update(updated_ms=7)
    assert is_news(lambda: send(door, "POST", "registered-models/rename", {"name": "churn", "new_name": "loyal"}))
    assert ArtifactVersion.objects.get().updated_ms > 7


@pytest.mark.parametrize("noted", [None, "nonsense", "{}", "[" * 2_000, '[{"name": "x", "version": 1}]'])
def test_versions_are_noted_as_numbers_whatever_stood_there(door: Door, noted: str | None) -> None:
    tags = [] if noted is None else [{"key": "mlflow.modelVersions", "value": noted}]
    model = door.post("logged-models", {"experiment_id": "0", "name": "m", "tags": tags})["model"]["info"]["model_id"]
    make(door, source=f"models:/{model}")
    shown = {tag["key"]: tag["value"] for tag in door.get(f"logged-models/{model}")["model"]["info"]["tags"]}
    before = [{"name": "x", "version": 1}] if noted and noted.startswith("[{") else []
    assert json.loads(shown["mlflow.modelVersions"]) == [*before, {"name": "churn", "version": 1}]


def test_params_that_are_too_long_are_cut_as_the_original_cuts(door: Door) -> None:
    long = "x" * 30_000
    body = {"experiment_id": "0", "name": "m", "params": [{"key": "p", "value": long}]}
    model = door.post("logged-models", body)["model"]
    assert model["data"]["params"] == [{"key": "p", "value": long[:20_000]}]
    run = door.run()
    door.post("runs/log-parameter", {"run_id": run, "key": "p", "value": long})
    door.post("runs/log-batch", {"run_id": run, "params": [{"key": "q", "value": long}]})
    assert door.data(run)["params"] == {"p": long[:6_000], "q": long[:6_000]}


def test_datasets_without_a_metric_filter_leave_models_that_were_measured_on_them(door: Door) -> None:
    run = door.run()
    for name, dataset in (("on a", "a"), ("on b", "b"), ("on none", "")):
        model = door.post("logged-models", {"experiment_id": "0", "name": name})["model"]["info"]["model_id"]
        point = {"key": "auc", "value": 0.5, "timestamp": 1, "step": 0, "model_id": model}
        point |= {"dataset_name": dataset, "dataset_digest": "1"} if dataset else {}
        door.post("runs/log-metric", point | {"run_id": run})
    door.post("logged-models", {"experiment_id": "0", "name": "unmeasured"})

    def found(*datasets: dict[str, str], **more: Any) -> set[str]:
        body = {"experiment_ids": ["0"], "datasets": list(datasets)} | more
        return {row["info"]["name"] for row in door.post("logged-models/search", body).get("models", [])}

    assert found() == {"on a", "on b", "on none", "unmeasured"}
    assert found({"dataset_name": "a"}) == {"on a"}
    assert found({"dataset_name": "a"}, {"dataset_name": "b", "dataset_digest": "1"}) == {"on a", "on b"}
    assert found({"dataset_name": "a", "dataset_digest": "2"}) == set()
    assert found({"dataset_name": "a"}, filter="metrics.auc > 0.9") == set()
    assert found({"dataset_name": "a"}, filter="name LIKE 'on%'") == {"on a"}
