"""An artifact in the trash: its name is free, it comes back whole within the grace, unless the name is another's by then."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from apps.registry.models import Artifact, ArtifactVersion, Evidence, Gate
from apps.tenants.access.models import AuditEvent
from apps.tenants.models import Tenant
from apps.tracking.models import Project
from tests.factories.commands import run_command
from tests.factories.gates import V1, ask, make_gate, path_of, say, two_versions
from tests.factories.sending import make_version, send

ApiFor = Callable[..., Client]
CALL = "/api/2.0/mlflow/"
CHURN = f"{V1}artifacts/churn/"


@pytest.fixture
def client(acme: Tenant, api: ApiFor) -> Client:
    client = api(acme)
    two_versions(client)
    send(client, "put", f"{CHURN}aliases/fresh/", {"version": "2"})
    send(client, "patch", CHURN, {"tags": {"team": "red"}, "card": "# Churn"}, If_Match="*")
    return client


def throw(client: Client) -> str:
    gone = send(client, "delete", CHURN, If_Match="*")
    assert gone.status_code == 200, gone.content
    return str(gone.json()["id"])


def restore(client: Client, identity: str) -> Any:
    return send(client, "post", f"{V1}trash/artifacts/{identity}/restore/")


def test_it_goes_with_its_versions_and_comes_back_with_them(client: Client) -> None:
    before, versions = client.get(CHURN).json(), client.get(f"{CHURN}versions/").json()
    send(client, "delete", f"{CHURN}versions/1/", If_Match="*")
    identity = throw(client)
    assert identity == before["id"]
    for path in (CHURN, f"{V1}artifacts/{identity}/", f"{CHURN}versions/2/", f"{CHURN}lineage/"):
        assert client.get(path).status_code == 404, path
    assert client.get(f"{V1}artifacts/").json()["results"] == []
    assert client.get(f"{V1}search/?q=churn").json()["results"] == []
    assert client.get(f"{CALL}registered-models/get?name=churn").status_code == 404
    assert client.get(f"{CALL}registered-models/search").json() == {}
    (row,) = client.get(f"{V1}trash/artifacts/").json()["results"]
    assert (row["id"], row["name"]) == (identity, "churn")
    assert client.get(f"{V1}trash/versions/").json()["results"] == []
    back = restore(client, identity)
    assert back.status_code == 200, back.content
    assert [alias["name"] for alias in back.json()["aliases"]] == ["fresh"]
    still = ("name", "tags", "card", "latest_version", "created_ms")
    assert {name: back.json()[name] for name in still} == {name: before[name] for name in still}
    numbers = [row["version"] for row in client.get(f"{CHURN}versions/").json()["results"]]
    assert numbers == [row["version"] for row in versions["results"][:1]] == ["2"]
    assert [row["version"] for row in client.get(f"{V1}trash/versions/").json()["results"]] == ["1"]


def test_its_name_is_free_and_while_another_has_it_it_stays(client: Client) -> None:
    identity = throw(client)
    assert send(client, "post", f"{CALL}registered-models/create", {"name": "churn"}).status_code == 200
    assert make_version(client, "churn", "anew", kind="model")["version"] == "1"
    refused = restore(client, identity)
    assert (refused.status_code, refused.json()["code"]) == (409, "name_taken")
    assert "rename that one" in refused.json()["detail"]
    assert Artifact.everything.trashed().get().pk.hex == identity.replace("-", "")
    send(client, "post", f"{CALL}registered-models/rename", {"name": "churn", "new_name": "churn-2"})
    assert restore(client, identity).status_code == 200
    assert sorted(Artifact.objects.values_list("name", flat=True)) == ["churn", "churn-2"]


def test_one_name_may_lie_there_twice(client: Client) -> None:
    first = throw(client)
    make_version(client, "churn", "other", "model")
    second = throw(client)
    rows = client.get(f"{V1}trash/artifacts/").json()["results"]
    assert [row["id"] for row in rows] == [second, first]
    assert restore(client, first).status_code == 200
    assert restore(client, second).status_code == 409


def test_a_version_of_it_waits_for_it(client: Client) -> None:
    gone = send(client, "delete", f"{CHURN}versions/1/", If_Match="*").json()["id"]
    identity = throw(client)
    refused = send(client, "post", f"{V1}trash/versions/{gone}/restore/")
    assert (refused.status_code, refused.json()["code"]) == (409, "artifact_is_deleted")
    restore(client, identity)
    assert send(client, "post", f"{V1}trash/versions/{gone}/restore/").json()["version"] == "1"


def test_a_protected_alias_is_for_approvers_and_does_not_come_back_by_itself(
    acme: Tenant, client: Client, api: ApiFor
) -> None:
    make_gate(api(acme, "admin"), aliases=["serving"])
    approver = api(acme, "approver")
    assert say(approver, path_of(ask(client, alias="serving"))).json()["state"] == "done"
    for path in (CHURN, f"{CHURN}versions/1/"):
        refused = send(client, "delete", path, If_Match="*")
        assert (refused.status_code, refused.json()["code"]) == (403, "gate_refused"), path
    identity = throw(approver)
    assert list(Evidence.objects.values_list("act", flat=True).order_by("id")) == ["promotion", "removal"]
    assert [one["name"] for one in restore(client, identity).json()["aliases"]] == ["fresh"]


def test_a_gate_of_its_own_is_hidden_with_it(acme: Tenant, client: Client, api: ApiFor) -> None:
    admin = api(acme, "admin")
    mine = make_gate(admin, artifact="churn", aliases=["own"])["id"]
    identity = throw(client)
    assert mine not in str(admin.get(f"{V1}gates/").json())
    assert Gate.objects.filter(pk=mine).exists()
    restore(client, identity)
    assert mine in str(admin.get(f"{V1}gates/").json())


def test_who_does_not_reach_it_neither_sees_nor_moves_it(acme: Tenant, client: Client, api: ApiFor) -> None:
    mine, theirs = (Project.objects.create(slug=slug, name=slug) for slug in ("mine", "theirs"))
    Artifact.objects.update(project=theirs)
    version = send(client, "delete", f"{CHURN}versions/1/", If_Match="*").json()["id"]
    identity = throw(client)
    near = api(acme, project_id=mine.pk)
    for kind, one in (("artifacts", identity), ("versions", version)):
        assert near.get(f"{V1}trash/{kind}/").json()["results"] == []
        assert send(near, "post", f"{V1}trash/{kind}/{one}/restore/").status_code == 404
    Artifact.everything.update(project=None)
    assert send(near, "post", f"{V1}trash/artifacts/{identity}/restore/").status_code == 403
    viewer = api(acme, "viewer")
    assert len(viewer.get(f"{V1}trash/artifacts/").json()["results"]) == 1
    assert send(viewer, "post", f"{V1}trash/artifacts/{identity}/restore/").status_code == 403
    assert Artifact.everything.get().deleted_ms


def test_another_tenant_sees_nothing_of_it(globex: Tenant, client: Client, api: ApiFor) -> None:
    identity = throw(client)
    other = api(globex, "admin")
    assert other.get(f"{V1}trash/artifacts/").json()["results"] == []
    assert restore(other, identity).status_code == 404


def test_the_command_lists_and_restores(client: Client) -> None:
    version = send(client, "delete", f"{CHURN}versions/1/", If_Match="*").json()["id"]
    told = run_command("restore_artifact", tenant="acme")[0]
    assert [(row["artifact"], row["number"]) for row in told["versions"]] == [("churn", 1)]
    assert run_command("restore_artifact", tenant="acme", artifact="churn", number=1)[0]["id"] == version
    identity = throw(client)
    (row,) = run_command("restore_artifact", tenant="acme")[0]["artifacts"]
    assert (row["name"], row["id"]) == ("churn", identity)
    assert run_command("restore_artifact", tenant="acme", artifact="churn")[0]["versions"] == 2
    assert ArtifactVersion.objects.count() == 2
    last = AuditEvent.objects.filter(action="artifact.restore").get()
    assert last.actor == "command:restore_artifact"


def test_erasing_a_person_erases_who_threw_away(client: Client) -> None:
    throw(client)
    User.objects.create_user("ada")
    Artifact.everything.update(deleted_by="person:ada")
    ArtifactVersion.everything.update(deleted_by="ada")
    told = run_command("erase_person", tenant="acme", username="ada", execute=True, yes=True)[0]
    names = {Artifact.everything.get().deleted_by, *ArtifactVersion.everything.values_list("deleted_by", flat=True)}
    assert names == {told["pseudonym"], f"person:{told['pseudonym']}"}
