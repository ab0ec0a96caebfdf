"""The way back of an alias: one act, kept, and to what passed its gate once."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from apps.registry.models import AliasMove, Evidence
from apps.tenants.access.models import AuditEvent
from apps.tenants.models import Tenant
from tests.factories.gates import V1, ask, make_gate, path_of, points_at, say
from tests.factories.sending import make_version, send

ApiFor = Callable[..., Client]
PATH = f"{V1}artifacts/churn/aliases/gated/"


@pytest.fixture
def ci(acme: Tenant, api: ApiFor) -> Client:
    """A contributor's key, with four versions of its making."""
    client = api(acme)
    for text in ("one", "two", "three", "four"):
        make_version(client, "churn", text, "model")
    return client


def point(client: Client, number: int) -> None:
    answer = client.get(PATH)
    headers = {"If_Match": answer["ETag"]} if answer.status_code == 200 else {}
    assert send(client, "put", PATH, {"version": str(number)}, **headers).status_code in (200, 201)


def back(client: Client, **body: Any) -> Any:
    return send(client, "post", f"{PATH}rollback/", body, If_Match=client.get(PATH)["ETag"])


def test_an_alias_goes_back_step_by_step_and_each_move_is_kept(ci: Client) -> None:
    for number in (1, 2, 3):
        point(ci, number)
    assert send(ci, "post", f"{PATH}rollback/", {}).status_code == 428
    assert back(ci, why="it lost money").json()["version"] == "2"
    point(ci, 4)
    assert back(ci).json()["version"] == "2"
    assert back(ci).json()["version"] == "1"
    nothing = back(ci)
    assert (nothing.status_code, nothing.json()["code"]) == (409, "no_earlier_version")
    told = ci.get(f"{PATH}history/").json()["results"]
    assert [(row["act"], row["from_version"], row["to_version"]) for row in reversed(told)] == [
        ("set", None, "1"),
        ("move", "1", "2"),
        ("move", "2", "3"),
        ("rollback", "3", "2"),
        ("move", "2", "4"),
        ("rollback", "4", "2"),
        ("rollback", "2", "1"),
    ]
    assert [row["why"] for row in told if row["why"]] == ["it lost money"]
    assert AuditEvent.objects.filter(action="alias.rollback").count() == 3
    assert not Evidence.objects.exists()


def test_what_was_deleted_or_archived_is_passed_over(ci: Client) -> None:
    for number in (1, 2, 3, 4):
        point(ci, number)
    gone = send(ci, "delete", "/api/2.0/mlflow/model-versions/delete", {"name": "churn", "version": "3"})
    assert gone.status_code == 200
    path = f"{V1}artifacts/churn/versions/2/"
    assert send(ci, "patch", path, {"state": "archived"}, If_Match=ci.get(path)["ETag"]).status_code == 200
    assert back(ci).json()["version"] == "1"


def test_an_alias_that_was_taken_away_begins_anew(ci: Client) -> None:
    point(ci, 1)
    point(ci, 2)
    assert send(ci, "delete", PATH, If_Match=ci.get(PATH)["ETag"]).status_code == 204
    point(ci, 3)
    assert back(ci).json()["code"] == "no_earlier_version"
    assert [row.act for row in AliasMove.objects.order_by("id")] == ["set", "move", "delete", "set"]


def test_a_protected_alias_goes_back_to_what_passed_and_nowhere_else(acme: Tenant, ci: Client, api: ApiFor) -> None:
    approver = api(acme, "approver")
    point(ci, 1)
    make_gate(api(acme, "admin"))
    assert say(approver, path_of(ask(ci, version="2"))).json()["state"] == "done"
    refused = back(ci)
    assert (refused.status_code, refused.json()["code"]) == (409, "gate_refused")
    assert "never passed" in refused.json()["detail"]
    assert say(approver, path_of(ask(ci, version="3"))).json()["state"] == "done"
    where = f"{V1}gates/"
    gate = next(row for row in ci.get(where).json()["results"] if row["name"] == "Gate")
    address = f"{where}{gate['id']}/"
    stricter = send(api(acme, "admin"), "patch", address, {"files": ["none"]}, If_Match=ci.get(address)["ETag"])
    assert stricter.status_code == 200
    assert back(ci, why="worse").json()["version"] == "2"
    assert points_at(ci) == "2"
    kept = Evidence.objects.order_by("-id")[0]
    assert (kept.act, kept.number, kept.before_number, kept.why) == ("rollback", 2, 3, "worse")
    assert AliasMove.objects.order_by("-id")[0].evidence_id == kept.pk
    assert api(acme, "viewer").get(f"{PATH}history/").status_code == 200
    assert send(api(acme, "viewer"), "post", f"{PATH}rollback/", {}, If_Match="*").status_code == 403
