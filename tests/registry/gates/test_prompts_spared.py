"""The gate that a tenant begins with spares prompts; a tenant that wants approvals for them says so."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from apps.registry.models import Alias, Gate
from apps.tenants.models import Tenant
from tests.factories.gates import FIRST, V1, make_gate
from tests.factories.sending import make_version, send

ApiFor = Callable[..., Client]


@pytest.fixture
def ci(acme: Tenant, api: ApiFor) -> Client:
    """A contributor's key, with a model and a prompt of its making."""
    client = api(acme)
    make_version(client, "churn", kind="model")
    prompt = {"files": [{"path": "prompt.txt", "text": "Answer {{ question }}."}]}
    assert send(client, "put", f"{V1}artifacts/qa/", {"kind": "prompt"}).status_code == 201
    made = send(client, "post", f"{V1}artifacts/qa/versions/", prompt, Idempotency_Key="once")
    assert made.status_code == 201, made.content
    return client


def move(client: Client, name: str, alias: str = "production") -> Any:
    body = {"name": name, "alias": alias, "version": "1"}
    return send(client, "post", "/api/2.0/mlflow/registered-models/alias", body)


def test_a_prompt_goes_into_use_unasked_and_a_model_does_not(ci: Client) -> None:
    assert Gate.objects.get().spares_prompts
    assert [move(ci, "qa", alias).status_code for alias in ("production", "serving")] == [200, 200]
    refused = move(ci, "churn")
    assert (refused.status_code, refused.json()["error_code"]) == (409, "RESOURCE_CONFLICT")
    assert set(Alias.objects.values_list("artifact__name", flat=True)) == {"qa"}
    counting = ci.get(f"{V1}gates/", {"artifact": "qa"}).json()["results"]
    assert counting == []


def test_a_tenant_protects_prompts_by_that_gate_or_by_one_of_their_kind(acme: Tenant, api: ApiFor, ci: Client) -> None:
    admin = api(acme, "admin")
    make_gate(admin, name="Prompts", kind="prompt", aliases=["live"])
    assert (move(ci, "qa", "live").status_code, move(ci, "churn", "live").status_code) == (409, 200)
    path = f"{V1}gates/{Gate.objects.get(name=FIRST).pk}/"
    changed = send(admin, "patch", path, {"spares_prompts": False}, If_Match=admin.get(path)["ETag"])
    assert (changed.status_code, changed.json()["spares_prompts"]) == (200, False)
    refused = move(ci, "qa")
    assert (refused.status_code, "0 of 1 approvals" in refused.json()["message"]) == (409, True)


@pytest.mark.parametrize("more", [{"kind": "prompt"}, {"artifact": "churn"}, {"spares_prompts": "perhaps"}])
def test_a_gate_of_one_kind_or_artifact_has_none_to_spare(
    acme: Tenant, api: ApiFor, ci: Client, more: dict[str, Any]
) -> None:
    body = {"name": "G", "aliases": ["a"], "approvals": 1, "spares_prompts": True} | more
    assert send(api(acme, "admin"), "post", f"{V1}gates/", body).status_code == 400
    assert Gate.objects.count() == 1
