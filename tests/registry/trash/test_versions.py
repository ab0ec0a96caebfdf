"""A version in the trash: hidden from every door, its number kept, back with its aliases within the grace."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from apps.registry import usages
from apps.registry.models import Alias, ArtifactVersion, Edge, Promotion
from apps.tenants.access.models import AuditEvent
from apps.tenants.models import Tenant
from apps.tracking.models import Experiment, Project, Run
from tests.factories.gates import V1, ask, make_gate, two_versions
from tests.factories.sending import make_version, send

ApiFor = Callable[..., Client]
CALL = "/api/2.0/mlflow/"
CHURN = f"{V1}artifacts/churn/"


@pytest.fixture
def client(acme: Tenant, api: ApiFor) -> Client:
    """Two versions of `churn`, the second of them `fresh`."""
    client = api(acme)
    two_versions(client)
    assert send(client, "put", f"{CHURN}aliases/fresh/", {"version": "2"}).status_code == 201
    return client


def throw(client: Client, number: int = 2) -> Any:
    return send(client, "delete", f"{CHURN}versions/{number}/", If_Match="*")


def restore(client: Client, identity: str) -> Any:
    return send(client, "post", f"{V1}trash/versions/{identity}/restore/")


def test_it_is_gone_from_every_door_and_named_in_the_trash(client: Client) -> None:
    digest = client.get(f"{CHURN}versions/2/").json()["digest"]
    gone = throw(client)
    assert gone.status_code == 200, gone.content
    for reference in ("2", digest, "fresh"):
        assert client.get(f"{CHURN}versions/{reference}/").status_code == 404, reference
    assert [row["version"] for row in client.get(f"{CHURN}versions/").json()["results"]] == ["1"]
    assert client.get(f"{CHURN}versions/latest/").json()["version"] == "1"
    assert client.get(f"{CHURN}versions/2/files/").status_code == 404
    assert client.get(CHURN).json()["aliases"] == []
    assert client.get(f"{CALL}model-versions/get?name=churn&version=2").status_code == 404
    found = client.get(f"{CALL}model-versions/search").json()["model_versions"]
    assert [row["version"] for row in found] == ["1"]
    assert client.get(f"{V1}search/?q=churn+v2&thing=version").json()["results"] == []
    (row,) = client.get(f"{V1}trash/versions/").json()["results"]
    assert (row["artifact"], row["version"], row["digest"]) == ("churn", "2", digest)
    assert row == gone.json()
    assert row["deleted_by"]
    assert client.get(f"{V1}trash/artifacts/").json()["results"] == []


def test_it_comes_back_under_its_number_with_its_aliases(client: Client) -> None:
    before = client.get(f"{CHURN}versions/2/").json()
    identity = throw(client).json()["id"]
    assert make_version(client, "churn", "third", "model")["version"] == "3"
    back = restore(client, identity)
    assert back.status_code == 200, back.content
    assert back.json() | {"updated_ms": 0} == before | {"updated_ms": 0}
    assert client.get(f"{CHURN}versions/fresh/").json()["version"] == "2"
    assert client.get(f"{V1}trash/versions/").json()["results"] == []
    events = AuditEvent.objects.count()
    assert restore(client, identity).json() == back.json()
    assert AuditEvent.objects.count() == events
    acts = AuditEvent.objects.filter(action__startswith="version.").order_by("id").values_list("action", flat=True)
    assert list(acts)[-3:] == ["version.trash", "version.create", "version.restore"]


def test_an_alias_that_points_elsewhere_by_now_stays_there(client: Client) -> None:
    identity = throw(client).json()["id"]
    send(client, "put", f"{CHURN}aliases/fresh/", {"version": "1"})
    assert restore(client, identity).json()["aliases"] == []
    assert client.get(f"{CHURN}versions/fresh/").json()["version"] == "1"


def test_what_a_gate_protects_by_now_does_not_come_back_by_itself(acme: Tenant, client: Client, api: ApiFor) -> None:
    ArtifactVersion.objects.filter(number=2).update(stage="Staging")
    identity = throw(client).json()["id"]
    make_gate(api(acme, "admin"), aliases=["fresh"], stages=["Staging"])
    assert restore(client, identity).json()["aliases"] == []
    assert ArtifactVersion.objects.get(number=2).stage == "None"


def test_the_same_files_are_a_version_anew_and_then_the_old_one_stays(client: Client) -> None:
    identity = throw(client).json()["id"]
    body = {"files": [{"path": "content.txt", "text": "two"}]}
    made = send(client, "post", f"{CHURN}versions/", body, Idempotency_Key="anew")
    assert (made.status_code, made.json()["version"]) == (201, "3")
    refused = restore(client, identity)
    assert (refused.status_code, refused.json()["code"]) == (409, "content_is_there")
    throw(client, 3)
    assert restore(client, identity).json()["version"] == "2"


def test_what_is_used_stays(client: Client) -> None:
    send(client, "put", f"{V1}projects/default/usages/", {"usages": ["churn@2"]})
    for path in (f"{CHURN}versions/2/", CHURN):
        refused = send(client, "delete", path, If_Match="*")
        assert (refused.status_code, refused.json()["code"]) == (409, "in_use"), path
    assert ArtifactVersion.everything.trashed().count() == 0


def test_it_takes_if_match_and_says_when_somebody_was_faster(client: Client) -> None:
    path = f"{CHURN}versions/2/"
    tag = client.get(path)["ETag"]
    assert send(client, "delete", path).status_code == 428
    send(client, "patch", path, {"description": "better"}, If_Match="*")
    assert send(client, "delete", path, If_Match=tag).status_code == 412
    assert send(client, "delete", path, If_Match=client.get(path)["ETag"]).status_code == 200
    assert send(client, "delete", path, If_Match="*").status_code == 404


def test_nobody_uses_or_promotes_what_lies_in_the_trash(acme: Tenant, client: Client, api: ApiFor) -> None:
    make_gate(api(acme, "admin"), aliases=["serving"])
    assert ask(client, version="2", alias="serving").status_code == 202
    throw(client)
    assert Promotion.objects.get().state == Promotion.State.WITHDRAWN
    said = send(client, "put", f"{V1}projects/default/usages/", {"usages": ["churn@2"]})
    assert said.status_code == 400
    assert send(client, "put", f"{CHURN}aliases/fresh/", {"version": "2"}).status_code == 404
    assert not Alias.objects.exists()


def test_lineage_does_not_lead_through_it(client: Client) -> None:
    first, second = ArtifactVersion.objects.order_by("number")
    run = Run.objects.create(experiment=Experiment.objects.get(pk=0), name="r", start_ms=1, last_write_ms=1)
    Edge.objects.create(from_version=first, to_version=second)
    Edge.objects.create(from_version=second, to_run=run)
    path = f"{CHURN}lineage/?version=1&down=5"
    assert len(client.get(path).json()["nodes"]) == 3
    identity = throw(client).json()["id"]
    assert [node["label"] for node in client.get(path).json()["nodes"]] == ["churn v1"]
    restore(client, identity)
    assert len(client.get(path).json()["nodes"]) == 3


def test_a_use_that_was_noted_in_the_same_moment_keeps_it_from_going_for_ever(client: Client) -> None:
    version = ArtifactVersion.objects.get(number=2)
    throw(client)
    project = Project.objects.get(slug="default")
    usages.note(version, project, usages.NewUsage(usages.Mention("churn", "2")), timezone.now())
    assert ArtifactVersion.everything.trashed().get().pk == version.pk
