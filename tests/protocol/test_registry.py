"""Logged models and the model registry by the stock client."""

import json
from collections.abc import Callable
from threading import Thread
from typing import Any

import pytest
from django_tenants.utils import tenant_context
from mlflow import MlflowClient
from mlflow.entities import LoggedModelStatus
from mlflow.exceptions import MlflowException

from apps.registry.models import VersionFile
from apps.tenants.models import Tenant
from tests.factories.clients import raw
from tests.web import WebServer

KeyFor = Callable[..., str]
CALL = "/api/2.0/mlflow/"


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


def test_what_serves_is_moved_by_approvers_and_the_refusal_says_what_is_missing(client: MlflowClient) -> None:
    client.create_registered_model("churn")
    model = client.create_logged_model("0", name="m")
    client.create_model_version("churn", f"models:/{model.model_id}")
    for move in (
        lambda: client.set_registered_model_alias("churn", "serving", "1"),
        lambda: client.transition_model_version_stage("churn", "1", "Production"),
    ):
        with pytest.raises(MlflowException, match="is protected by 'What serves'") as refusal:
            move()
        assert refusal.value.error_code == "RESOURCE_CONFLICT"
        assert "0 of 1 approvals" in str(refusal.value)
    assert client.get_registered_model("churn").aliases == {}
    assert client.get_model_version("churn", "1").current_stage == "None"


def test_stages_move_and_archive_the_others(client: MlflowClient) -> None:
    client.create_registered_model("churn")
    model = client.create_logged_model("0", name="m")
    for _ in range(3):
        client.create_model_version("churn", f"models:/{model.model_id}")
    client.transition_model_version_stage("churn", "1", "staging")
    client.transition_model_version_stage("churn", "2", "Staging", archive_existing_versions=True)
    latest = {v.current_stage: str(v.version) for v in client.get_latest_versions("churn")}
    assert latest == {"Archived": "1", "Staging": "2", "None": "3"}
    assert [str(v.version) for v in client.get_latest_versions("churn", ["Staging"])] == ["2"]
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
