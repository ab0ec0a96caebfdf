"""One verb for one act: equal rules, equal events and each door's own words, whichever door an act comes through."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client

from apps.registry.models import Artifact, ArtifactVersion, Usage
from apps.registry.observations import observe
from apps.tenants.access.models import AuditEvent
from apps.tenants.models import Tenant
from apps.tracking.models import Dataset, RunInput
from tests.factories.sending import make_version, send
from tests.registry.test_observations import make_run

ApiFor = Callable[..., Client]
CALL = "/api/2.0/mlflow/"
AT = datetime(2026, 5, 1, tzinfo=UTC)
BAD_NAMES = ["a/b", "a:b", "a@b", "a,b", "a%b", "a#b", " a", "a ", "..", "a\\b", "tab\tname", " "]


def call(client: Client, path: str, body: dict[str, Any], method: str = "post") -> Any:
    return send(client, method, CALL + path, body)


def old_model(name: str) -> ArtifactVersion:
    """A model from before names were checked, with a version that only a cloud holds."""
    made = Artifact.objects.create(name=name, kind="model", next_number=2, created_ms=1, updated_ms=1)
    return ArtifactVersion.objects.create(
        artifact=made, number=1, state="ready", source="s3://b/k", download_uri="s3://b/k", created_ms=1, updated_ms=1
    )


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_name_is_bad_at_every_door_and_as_a_new_one(acme: Tenant, api: ApiFor, name: str) -> None:
    client = api(acme)
    call(client, "registered-models/create", {"name": "good"})
    posted = send(client, "post", "/api/v1/artifacts/", {"name": name, "kind": "model"}, Idempotency_Key="k")
    registered = call(client, "registered-models/create", {"name": name})
    renamed = call(client, "registered-models/rename", {"name": "good", "new_name": name})
    assert [one.status_code for one in (posted, registered, renamed)] == [400, 400, 400], name
    assert registered.json()["error_code"] == renamed.json()["error_code"] == "INVALID_PARAMETER_VALUE"
    assert [one.name for one in Artifact.objects.all()] == ["good"]


@pytest.mark.parametrize("name", ["churn", "encoder.target", "a model of ours", "modèle-été_1", "v(2)"])
def test_what_one_door_accepts_the_other_does(acme: Tenant, api: ApiFor, name: str) -> None:
    client = api(acme)
    assert call(client, "registered-models/create", {"name": name}).status_code == 200
    put = send(client, "put", f"/api/v1/artifacts/{name}/", {"kind": "model"})
    assert put.status_code == 200, put.content


def test_a_name_from_before_the_rule_is_read_used_and_renamed(acme: Tenant, api: ApiFor) -> None:
    client, old, other = api(acme), old_model("a@b"), make_version(api(acme), "a", kind="model")
    send(client, "put", "/api/v1/artifacts/a/aliases/b/", {"version": other["version"]})
    assert client.get(f"{CALL}registered-models/get?name=a%40b").json()["registered_model"]["name"] == "a@b"
    assert client.get("/api/v1/artifacts/a%40b/versions/1/").json()["artifact"] == "a@b"
    asked = {"usages": [{"artifact": "a@b", "version": "1"}, "a@b@1"]}
    assert send(client, "put", "/api/v1/projects/default/usages/", asked).json()["added"] == 1
    assert [use.version_id for use in Usage.objects.all()] == [old.pk]
    copied = call(client, "model-versions/create", {"name": "a@b", "source": "models:/a@b/1"}).json()["model_version"]
    assert (copied["name"], copied["version"]) == ("a@b", "2")
    renamed = call(client, "registered-models/rename", {"name": "a@b", "new_name": "a-b"})
    assert renamed.json()["registered_model"]["name"] == "a-b"
    assert client.get("/api/v1/artifacts/a-b/versions/1/").json()["source"] == "s3://b/k"


@pytest.mark.parametrize("name", [one for one in BAD_NAMES if one.isprintable() and "/" not in one and one != ".."])
def test_a_name_from_before_the_rule_is_described_tagged_and_aliased(acme: Tenant, api: ApiFor, name: str) -> None:
    client = api(acme)
    old_model(name)
    there = f"/api/v1/artifacts/{quote(name, safe='')}/"
    assert send(client, "put", there, {"kind": "model"}).status_code == 200
    assert send(client, "put", there, {"kind": "model", "description": "other"}).status_code == 409
    assert send(client, "patch", there, {"description": "new", "tags": {"k": "v"}}, If_Match="*").status_code == 200
    assert send(client, "put", f"{there}aliases/best/", {"version": "1"}).json()["version"] == "1"
    assert send(client, "patch", f"{there}versions/1/", {"description": "d"}, If_Match="*").status_code == 200
    for path, body, method in (
        ("registered-models/update", {"description": "newer"}, "patch"),
        ("registered-models/set-tag", {"key": "l", "value": "w"}, "post"),
        ("registered-models/alias", {"alias": "champion", "version": "1"}, "post"),
        ("model-versions/set-tag", {"version": "1", "key": "l", "value": "w"}, "post"),
        ("model-versions/update", {"version": "1", "description": "e"}, "patch"),
        ("model-versions/transition-stage", {"version": "1", "stage": "Staging"}, "post"),
    ):
        answer = call(client, path, {"name": name} | body, method)
        assert answer.status_code == 200, (path, answer.content)
    shown = client.get(there).json()
    assert (shown["name"], shown["description"], shown["tags"]) == (name, "newer", {"k": "v", "l": "w"})
    missing = send(client, "put", f"/api/v1/artifacts/{quote(name + ':', safe='')}/", {"kind": "model"})
    assert missing.status_code == 400


def test_a_name_that_looks_like_an_id_is_found(acme: Tenant, api: ApiFor) -> None:
    client, name = api(acme), "d41d8cd98f00b204e9800998ecf8427e"
    made = send(client, "put", f"/api/v1/artifacts/{name}/", {"kind": "model"}).json()
    project = send(client, "post", "/api/v1/projects/", {"slug": name}, Idempotency_Key="k").json()
    for kind, thing in (("artifacts", made), ("projects", project)):
        for named in (name, thing["id"]):
            found = client.get(f"/api/v1/{kind}/{named}/")
            assert (found.status_code, found.json().get("id")) == (200, thing["id"]), (kind, named)


@pytest.mark.parametrize(
    ("source", "meant"),
    [("models:/a@b/1", "a@b"), ("models:/a@b", "a"), ("models:/a/1", "a"), ("maestro://a@b/1", "a@b")],
)
def test_an_at_before_a_slash_belongs_to_the_name(acme: Tenant, api: ApiFor, source: str, meant: str) -> None:
    old_model("a@b")
    make_version(api(acme), "a")
    send(api(acme), "put", "/api/v1/artifacts/a/aliases/b/", {"version": "1"})
    run = make_run()
    RunInput.objects.create(
        run=run, dataset=Dataset.objects.create(name="d", digest="1", source=source, experiment=run.experiment)
    )
    observe(AT)
    assert [use.version.artifact.name for use in Usage.objects.select_related("version__artifact")] == [meant]


def test_each_door_says_a_refusal_in_its_own_words(acme: Tenant, api: ApiFor) -> None:
    client = api(acme)
    call(client, "registered-models/create", {"name": "churn"})
    again = call(client, "registered-models/create", {"name": "churn"}).json()
    assert again["message"] == "Registered Model (name=churn) already exists."
    posted = send(client, "post", "/api/v1/artifacts/", {"name": "churn", "kind": "model"}, Idempotency_Key="k").json()
    assert (posted["code"], posted["detail"]) == ("already_exists", "the name 'churn' is taken")
    bad = call(client, "model-versions/create", {"name": "churn", "source": "/tmp/x"}).json()["message"]  # noqa: S108
    assert bad.startswith("Invalid model version source: '/tmp/x': ")
    stage = {"name": "churn", "version": "1", "stage": "Live"}
    call(client, "model-versions/create", {"name": "churn", "source": "s3://b/k"})
    said = call(client, "model-versions/transition-stage", stage).json()["message"]
    assert said.startswith("Invalid Model Version stage: 'Live'. Value must be one of None, ")


def told(action: str) -> list[Any]:
    return list(AuditEvent.objects.filter(action=action).order_by("at", "id").values_list("before", "after"))


def test_an_act_is_told_alike_by_both_doors(acme: Tenant, api: ApiFor) -> None:
    client = api(acme)
    call(client, "registered-models/create", {"name": "one", "tags": [{"key": "k", "value": "v"}]})
    send(client, "put", "/api/v1/artifacts/two/", {"kind": "model", "tags": {"k": "v"}})
    first, second = (after for _, after in told("artifact.create"))
    assert first == second | {"name": "one"}
    call(client, "registered-models/update", {"name": "one", "description": "new"}, "patch")
    send(client, "patch", "/api/v1/artifacts/two/", {"description": "new"}, If_Match="*")
    assert told("artifact.change") == [({"description": ""}, {"description": "new"})] * 2
    call(client, "registered-models/set-tag", {"name": "one", "key": "k", "value": "w"})
    call(client, "registered-models/delete-tag", {"name": "one", "key": "k"}, "delete")
    send(client, "patch", "/api/v1/artifacts/two/", {"tags": {"k": "w"}}, If_Match="*")
    send(client, "patch", "/api/v1/artifacts/two/", {"tags": {}}, If_Match="*")
    assert told("artifact.tag") == [({"tags": {"k": "v"}}, {"tags": {"k": "w"}})] * 2
    assert told("artifact.untag") == [({"tags": {"k": "w"}}, None)] * 2
    assert len(told("artifact.change")) == 2


def test_tags_that_stay_as_they_are_change_nothing(acme: Tenant, api: ApiFor) -> None:
    client = api(acme)
    send(client, "put", "/api/v1/artifacts/one/", {"kind": "model", "tags": {"k": "v"}})
    before, events = client.get("/api/v1/artifacts/one/").json(), AuditEvent.objects.count()
    assert send(client, "patch", "/api/v1/artifacts/one/", {"tags": {"k": "v"}}, If_Match="*").json() == before
    assert AuditEvent.objects.count() == events


def test_a_version_in_use_stays_and_its_deletion_is_no_event(acme: Tenant, api: ApiFor) -> None:
    client = api(acme)
    make_version(client, "one", kind="model")
    send(client, "put", "/api/v1/projects/default/usages/", {"usages": ["one@1"]})
    for path in ("model-versions/delete", "registered-models/delete"):
        answer = call(client, path, {"name": "one", "version": "1"}, "delete")
        assert answer.status_code == 409, answer.content
    assert ArtifactVersion.objects.count() == 1
    assert not told("version.delete") + told("artifact.delete")
