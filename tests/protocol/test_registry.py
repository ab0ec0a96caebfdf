"""Logged models and the model registry by the stock client."""

import json
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from django_tenants.utils import tenant_context
from mlflow import MlflowClient
from mlflow.entities import LoggedModelStatus
from mlflow.exceptions import MlflowException

from apps.registry.models import ArtifactVersion, Edge, VersionFile
from apps.tenants.access.models import AuditEvent
from apps.tenants.models import Tenant
from tests.factories.clients import raw, run_script, use_client
from tests.web import WebServer

KeyFor = Callable[..., str]
CALL = "/api/2.0/mlflow/"
TRAINING = """
import json, os, sys
import numpy as np, mlflow, mlflow.sklearn, mlflow.lightgbm
import lightgbm
from sklearn.linear_model import LogisticRegression

rng = np.random.default_rng(7)
X = rng.normal(size=(120, 3)); y = (X[:, 0] + X[:, 1] > 0).astype(int)

def train():
    with mlflow.start_run() as run:
        linear = mlflow.sklearn.log_model(LogisticRegression().fit(X, y), name="linear", registered_model_name="churn", serialization_format="cloudpickle",
            pip_requirements=["scikit-learn"])
        trees = lightgbm.train({"objective": "binary", "verbose": -1}, lightgbm.Dataset(X, y), 20)
        boosted = mlflow.lightgbm.log_model(trees, name="boosted", pip_requirements=["lightgbm"])
    version = mlflow.register_model(boosted.model_uri, "churn")
    client = mlflow.MlflowClient()
    client.set_registered_model_alias("churn", "champion", version.version)
    uris = ["models:/churn/1", "models:/churn@champion", "models:/churn/latest", linear.model_uri, f"runs:/{run.info.run_id}/boosted"]
    scores = [float(((mlflow.pyfunc.load_model(uri).predict(X) > 0.5) == y).mean()) for uri in uris]
    native = float(((mlflow.lightgbm.load_model("models:/churn@champion").predict(X) > 0.5) == y).mean())
    shown = client.get_run(run.info.run_id)
    print(json.dumps({"scores": scores, "native": native, "outputs": [m.model_id for m in shown.outputs.model_outputs],
        "models": [linear.model_id, boosted.model_id], "version": version.version}))

train()
os.environ["MLFLOW_TRACKING_TOKEN"] = os.environ["TOKEN_OF_ANOTHER"]
train()
"""


def test_a_trained_model_is_logged_registered_and_loaded_in_both_tenants(
    committed: Tenant, other_committed: Tenant, web: WebServer, key_for: KeyFor, tmp_path: Path
) -> None:
    told = run_script(web, key_for(committed), TRAINING, tmp_path, TOKEN_OF_ANOTHER=key_for(other_committed))
    lines = [line for line in told.splitlines() if line.startswith("{")]
    for tenant, line in zip((committed, other_committed), lines, strict=True):
        said = json.loads(line)
        assert said["version"] in (2, "2")
        assert len(said["scores"]) == 5
        assert min(*said["scores"], said["native"]) > 0.85
        assert sorted(said["outputs"]) == sorted(said["models"])
        with tenant_context(tenant):
            versions = ArtifactVersion.objects.order_by("number")
            assert [(v.number, v.logged_model.model_id) for v in versions] == list(enumerate(said["models"], 1))
            assert all(v.digest and v.files.filter(path="MLmodel").exists() for v in versions)
            assert Edge.objects.filter(from_model__isnull=False, to_version__in=versions).count() == 2
    with tenant_context(committed):
        assert ArtifactVersion.objects.count() == 2


@pytest.fixture
def client(committed: Tenant, web: WebServer, key_for: KeyFor, monkeypatch: pytest.MonkeyPatch) -> MlflowClient:
    return use_client(monkeypatch, web, key_for(committed))


def test_a_logged_model_lives_from_pending_to_deleted(client: MlflowClient) -> None:
    run = client.create_run("0")
    model = client.create_logged_model(
        "0", name="linear", source_run_id=run.info.run_id, tags={"a": "1"}, params={"depth": "3"}, model_type="agent"
    )
    assert (model.status, model.name, model.params, model.tags["a"]) == (
        LoggedModelStatus.PENDING,
        "linear",
        {"depth": "3"},
        "1",
    )
    assert model.artifact_location == f"mlflow-artifacts:/0/models/{model.model_id}/artifacts"
    done = client.finalize_logged_model(model.model_id, LoggedModelStatus.READY)
    assert done.status == LoggedModelStatus.READY
    client.set_logged_model_tags(model.model_id, {"a": "2", "b": "x"})
    client.delete_logged_model_tag(model.model_id, "b")
    client.log_metric(run.info.run_id, "auc", 0.75, model_id=model.model_id)
    shown = client.get_logged_model(model.model_id)
    assert shown.tags["a"] == "2"
    assert "b" not in shown.tags
    assert [(m.key, m.value) for m in shown.metrics] == [("auc", 0.75)]
    with pytest.raises(MlflowException, match="No tag with key"):
        client.delete_logged_model_tag(model.model_id, "b")
    client.delete_logged_model(model.model_id)
    with pytest.raises(MlflowException, match=r"Logged model with ID .* not found"):
        client.get_logged_model(model.model_id)


def test_logged_models_are_found_by_filter_in_the_order_asked_for(client: MlflowClient) -> None:
    run = client.create_run("0")
    made = {}
    for name, depth, auc in (("one", "1", 0.5), ("two", "2", 0.9), ("three", "3", None)):
        model = client.create_logged_model(
            "0", name=name, source_run_id=run.info.run_id, params={"depth": depth, "7": name}
        )
        made[name] = model.model_id
        if auc is not None:
            client.log_metric(run.info.run_id, "auc", auc, model_id=model.model_id)

    def names(text: str | None = None, **more: Any) -> list[str]:
        return [m.name for m in client.search_logged_models(["0"], filter_string=text, **more)]

    assert names() == ["three", "two", "one"]
    assert names("name = 'two'") == ["two"]
    assert names("params.depth = '3'") == ["three"]
    assert names("params.`7` = 'one'") == ["one"]
    assert names("params.depth != '3'") == ["two", "one"]
    assert names("metrics.auc > 0.6") == ["two"]
    assert names("name LIKE 't%' AND params.depth ILIKE '_'") == ["three", "two"]
    assert names("name = 'one' OR metrics.auc >= 0.9") == ["two", "one"]
    assert names(f"model_id = '{made['one']}'") == ["one"]
    assert names(f"source_run_id = '{run.info.run_id}'", max_results=2) == ["three", "two"]
    by_auc = [{"field_name": "metrics.auc", "ascending": False}]
    assert names(order_by=by_auc) == ["two", "one", "three"]
    page = client.search_logged_models(["0"], max_results=2)
    rest = client.search_logged_models(["0"], max_results=2, page_token=page.token)
    assert [m.name for m in [*page, *rest]] == ["three", "two", "one"]
    for bad in ("colour = 'red'", "metrics.auc > 'x'", "__import__('os').system('x')", "name = 'a'; DROP TABLE x"):
        with pytest.raises(MlflowException, match=r"(?i)invalid"):
            names(bad)


def test_params_of_a_logged_model_never_change(client: MlflowClient, web: WebServer) -> None:
    model = client.create_logged_model("0", name="m", params={"a": "1"})
    client.log_model_params(model.model_id, {"a": "1", "b": "2"})
    with pytest.raises(MlflowException, match="never changes"):
        client.log_model_params(model.model_id, {"b": "3"})
    assert client.get_logged_model(model.model_id).params == {"a": "1", "b": "2"}


def test_files_of_a_registered_model_never_change(
    client: MlflowClient, committed: Tenant, web: WebServer, key_for: KeyFor
) -> None:
    key = key_for(committed)
    model = client.create_logged_model("0", name="m")
    proxy = f"/api/2.0/mlflow-artifacts/artifacts/0/models/{model.model_id}/artifacts"
    assert raw(web, key, "PUT", f"{proxy}/MLmodel", b"flavors: {}")[0] == 200
    assert raw(web, key, "PUT", f"{proxy}/data/model.pkl", b"not opened here")[0] == 200
    client.create_registered_model("churn")
    version = client.create_model_version("churn", f"models:/{model.model_id}")
    assert raw(web, key, "PUT", f"{proxy}/data/model.pkl", b"swapped")[0] == 400
    assert raw(web, key, "DELETE", f"{proxy}/data")[0] == 400
    assert raw(web, key, "GET", f"{proxy}/data/model.pkl")[2] == b"not opened here"
    assert client.get_model_version_download_uri("churn", version.version) == model.artifact_location
    tag = client.get_logged_model(model.model_id).tags["mlflow.modelVersions"]
    assert json.loads(tag) == [{"name": "churn", "version": 1}]
    with tenant_context(committed):
        assert sorted(VersionFile.objects.values_list("path", flat=True)) == ["MLmodel", "data/model.pkl"]


def test_names_are_unique_numbers_are_never_reused_and_rename_keeps_all(client: MlflowClient) -> None:
    client.create_registered_model("churn", tags={"a": "1"}, description="d")
    with pytest.raises(MlflowException, match="already exists"):
        client.create_registered_model("churn")
    model = client.create_logged_model("0", name="m")
    for _ in range(2):
        client.create_model_version("churn", f"models:/{model.model_id}")
    client.delete_model_version("churn", "2")
    third = client.create_model_version("churn", f"models:/{model.model_id}")
    assert str(third.version) == "3"
    client.set_registered_model_alias("churn", "champion", "3")
    client.rename_registered_model("churn", "loyalty")
    shown = client.get_registered_model("loyalty")
    assert (shown.tags, shown.description, shown.aliases) == ({"a": "1"}, "d", {"champion": "3"})
    with pytest.raises(MlflowException, match="not found"):
        client.get_registered_model("churn")
    client.delete_registered_model("loyalty")
    client.create_registered_model("loyalty")
    again = client.create_model_version("loyalty", f"models:/{model.model_id}")
    assert str(again.version) == "1"


def test_aliases_move_vanish_with_their_version_and_a_missing_one_is_a_bad_parameter(client: MlflowClient) -> None:
    client.create_registered_model("churn")
    model = client.create_logged_model("0", name="m")
    for _ in range(3):
        client.create_model_version("churn", f"models:/{model.model_id}")
    client.set_registered_model_alias("churn", "champion", "1")
    client.set_registered_model_alias("churn", "champion", "2")
    assert str(client.get_model_version_by_alias("churn", "champion").version) == "2"
    assert str(client.get_model_version_by_alias("churn", "latest").version) == "3"
    for name in ("latest", "Latest", "v1", "V22", "a b", "a/b"):
        with pytest.raises(MlflowException):
            client.set_registered_model_alias("churn", name, "1")
    client.delete_model_version("churn", "2")
    with pytest.raises(MlflowException) as refusal:
        client.get_model_version_by_alias("churn", "champion")
    assert refusal.value.error_code == "INVALID_PARAMETER_VALUE"
    client.delete_registered_model_alias("churn", "champion")
    with pytest.raises(MlflowException, match="not found"):
        client.get_model_version_by_alias("nobody", "x")


def test_stages_move_and_archive_the_others(client: MlflowClient) -> None:
    client.create_registered_model("churn")
    model = client.create_logged_model("0", name="m")
    for _ in range(3):
        client.create_model_version("churn", f"models:/{model.model_id}")
    client.transition_model_version_stage("churn", "1", "production")
    client.transition_model_version_stage("churn", "2", "Production", archive_existing_versions=True)
    latest = {v.current_stage: str(v.version) for v in client.get_latest_versions("churn")}
    assert latest == {"Archived": "1", "Production": "2", "None": "3"}
    assert [str(v.version) for v in client.get_latest_versions("churn", ["Production"])] == ["2"]
    with pytest.raises(MlflowException, match="stage"):
        client.transition_model_version_stage("churn", "1", "Live")


def test_models_and_versions_are_searched_and_paged(
    client: MlflowClient, committed: Tenant, web: WebServer, key_for: KeyFor
) -> None:
    model = client.create_logged_model("0", name="m")
    for name in ("a-one", "a-two", "b-one"):
        client.create_registered_model(name, tags={"team": name[0]})
        client.create_model_version(name, f"models:/{model.model_id}", tags={"n": name})
    prompt = {"name": "prompt", "tags": [{"key": "mlflow.prompt.is_prompt", "value": "true"}]}
    assert raw(web, key_for(committed), "POST", f"{CALL}registered-models/create", prompt)[0] == 200

    def found(text: str | None = None, **more: Any) -> list[str]:
        return [m.name for m in client.search_registered_models(text, **more)]

    assert found() == ["a-one", "a-two", "b-one"]
    assert found("name LIKE 'a%'") == ["a-one", "a-two"]
    assert found("name ILIKE 'A-%' AND tags.team = 'a'") == ["a-one", "a-two"]
    assert found("tags.team = 'b'") == ["b-one"]
    assert found("name IN ('a-one', 'b-one')") == ["a-one", "b-one"]
    assert found(order_by=["name DESC"], max_results=1) == ["b-one"]
    assert found("tags.`mlflow.prompt.is_prompt` = 'true'") == ["prompt"]
    first = client.search_registered_models(max_results=2)
    assert [m.name for m in client.search_registered_models(max_results=2, page_token=first.token)] == ["b-one"]
    versions = client.search_model_versions("name = 'a-two'")
    assert [(v.name, str(v.version), v.tags) for v in versions] == [("a-two", "1", {"n": "a-two"})]
    assert [v.name for v in client.search_model_versions("tags.n LIKE '%one'", order_by=["name ASC"])] == [
        "a-one",
        "b-one",
    ]
    assert len(client.search_model_versions("version_number >= 1")) == 3
    for bad in ("name = 'a", "stage = 'x'", "name > 'a'"):
        with pytest.raises(MlflowException, match=r"(?i)invalid"):
            found(bad)


BAD_SOURCES = (
    "/etc/passwd",
    "file:///etc/passwd",
    "file:/etc",
    "http://169.254.169.254/latest",
    "http:///#/../../etc",
    "mlflow-artifacts:/0/{run}/artifacts/../../../etc",
    "mlflow-artifacts:/0/{run}/artifacts/%2e%2e/%2e%2e/etc",
    "mlflow-artifacts:/0/{run}/artifactsx",
    "mlflow-artifacts:/0/{other}/artifacts",
    "mlflow-artifacts://host/0/{run}/artifacts",
    "mlflow-artifacts:/",
    "s3://b?x=/../..",
    "s3://b/x;y",
    "s3://b/../c",
    "runs:/{other}/model",
    "models:/nobody/1",
    "models:/m-00000000000000000000000000000000",
    "C:\\models",
    "relative/path",
    "jdbc:postgresql://x",
)


def test_a_source_that_points_elsewhere_is_refused(
    client: MlflowClient, committed: Tenant, web: WebServer, key_for: KeyFor
) -> None:
    key = key_for(committed)
    run, other = (client.create_run("0").info.run_id for _ in range(2))
    client.create_registered_model("churn")
    for template in BAD_SOURCES:
        source = template.format(run=run, other=other)
        body = {"name": "churn", "source": source, "run_id": run}
        status, _, content = raw(web, key, "POST", f"{CALL}model-versions/create", body)
        assert (status, json.loads(content)["error_code"]) == (400, "INVALID_PARAMETER_VALUE"), (source, content)
    own = f"mlflow-artifacts:/0/{run}/artifacts/model"
    assert raw(web, key, "POST", f"{CALL}model-versions/create", {"name": "churn", "source": own})[0] == 400
    good = (own, f"runs:/{run}/model", "s3://bucket/key", "gs://bucket/key", f"mlflow-artifacts:/0/{run}/artifacts")
    for number, source in enumerate(good, 1):
        made = client.create_model_version("churn", source, run_id=run)
        assert str(made.version) == str(number)
    copied = client.create_model_version("churn", "models:/churn/3")
    assert client.get_model_version_download_uri("churn", copied.version) == "s3://bucket/key"


def test_32_writers_at_once_get_numbers_without_gap_or_repeat(
    client: MlflowClient, committed: Tenant, web: WebServer, key_for: KeyFor
) -> None:
    key = key_for(committed)
    model = client.create_logged_model("0", name="m")
    client.create_registered_model("churn")
    numbers, body = [], {"name": "churn", "source": f"models:/{model.model_id}"}

    def write() -> None:
        status, _, content = raw(web, key, "POST", f"{CALL}model-versions/create", body)
        assert status == 200, content
        numbers.append(int(json.loads(content)["model_version"]["version"]))

    threads = [Thread(target=write) for _ in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(numbers) == list(range(1, 33))
    assert len(json.loads(client.get_logged_model(model.model_id).tags["mlflow.modelVersions"])) == 32


def test_another_tenant_sees_no_model_and_each_change_is_in_the_audit_log(
    client: MlflowClient, committed: Tenant, other_committed: Tenant, web: WebServer, key_for: KeyFor
) -> None:
    model = client.create_logged_model("0", name="secret")
    client.create_registered_model("secret")
    client.create_model_version("secret", f"models:/{model.model_id}")
    client.set_registered_model_alias("secret", "champion", "1")
    theirs = key_for(other_committed)
    for address in (
        "registered-models/get?name=secret",
        "model-versions/get?name=secret&version=1",
        "model-versions/get-download-uri?name=secret&version=1",
        f"logged-models/{model.model_id}",
        f"logged-models/{model.model_id}/artifacts/directories",
        "registered-models/alias?name=secret&alias=champion",
    ):
        status, _, content = raw(web, theirs, "GET", CALL + address)
        assert (status, json.loads(content)["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST"), address
    for address in ("registered-models/search", "model-versions/search"):
        assert raw(web, theirs, "GET", CALL + address)[2] == b"{}"
    found = raw(web, theirs, "POST", f"{CALL}logged-models/search", {"experiment_ids": ["0"]})
    assert found[2] == b"{}"
    assert raw(web, theirs, "DELETE", f"{CALL}logged-models/{model.model_id}")[0] == 404
    with tenant_context(committed):
        actions = list(AuditEvent.objects.order_by("id").values_list("action", flat=True))
    assert actions == ["artifact.create", "version.create", "alias.set"]


def test_a_viewer_looks_and_searches_and_changes_nothing(
    client: MlflowClient, committed: Tenant, web: WebServer, key_for: KeyFor
) -> None:
    client.create_registered_model("churn")
    viewer = key_for(committed, "viewer")
    assert raw(web, viewer, "GET", f"{CALL}registered-models/get?name=churn")[0] == 200
    assert raw(web, viewer, "POST", f"{CALL}logged-models/search", {"experiment_ids": ["0"]})[0] == 200
    assert raw(web, viewer, "POST", f"{CALL}registered-models/get-latest-versions", {"name": "churn"})[0] == 200
    for method, address, body in (
        ("POST", "registered-models/create", {"name": "x"}),
        ("DELETE", "registered-models/delete", {"name": "churn"}),
        ("POST", "registered-models/alias", {"name": "churn", "alias": "a", "version": "1"}),
        ("POST", "logged-models", {"experiment_id": "0"}),
        ("POST", "runs/outputs", {"run_id": "0" * 32, "models": []}),
    ):
        status, _, content = raw(web, viewer, method, CALL + address, body)
        assert (status, json.loads(content)["error_code"]) == (403, "PERMISSION_DENIED"), address
