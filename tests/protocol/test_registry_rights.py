"""What another tenant's stock client, and a viewer, may see and do of models and versions."""

import json
from collections.abc import Callable

from django_tenants.utils import tenant_context
from mlflow import MlflowClient

from apps.tenants.access.models import AuditEvent
from apps.tenants.models import Tenant
from tests.factories.clients import raw
from tests.web import WebServer

KeyFor = Callable[..., str]
CALL = "/api/2.0/mlflow/"


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
