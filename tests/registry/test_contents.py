"""Bytes are named by who brought them or sees a file of them; what lies in another project is as if it were not here."""

import hashlib
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from apps.registry.models import Artifact, VersionFile
from apps.registry.upkeep import sweeps
from apps.tenants.models import Tenant
from apps.tracking.models import Blob, Offer, Project
from tests.factories.sending import make_version, send

ApiFor = Callable[..., Client]
SECRET = b"bytes of another project"
DIGEST = hashlib.sha256(SECRET).hexdigest()
MLFLOW = "/api/2.0/mlflow/"


@pytest.fixture
def mine(acme: Tenant) -> Project:
    return Project.objects.create(slug="mine", name="mine")


@pytest.fixture
def theirs(acme: Tenant) -> Project:
    return Project.objects.create(slug="theirs", name="theirs")


def upload(client: Client, body: bytes = SECRET) -> int:
    path = f"/api/v1/blobs/{hashlib.sha256(body).hexdigest()}/"
    return int(client.put(path, body, content_type="application/octet-stream").status_code)


def name_it(client: Client, artifact: str = "own", digest: str = DIGEST) -> Any:
    send(client, "put", f"/api/v1/artifacts/{artifact}/", {"kind": "schema"})
    body = {"files": [{"path": "a", "sha256": digest}]}
    return send(client, "post", f"/api/v1/artifacts/{artifact}/versions/", body, Idempotency_Key=uuid.uuid4().hex)


def test_bytes_of_another_project_are_not_here(acme: Tenant, api: ApiFor, mine: Project, theirs: Project) -> None:
    there = api(acme, project_id=theirs.pk)
    make_version(there, "secret", SECRET.decode())
    client = api(acme, project_id=mine.pk)
    foreign, missing = name_it(client), name_it(client, digest="0" * 64)
    assert (foreign.status_code, foreign.json()["code"]) == (400, "unknown_blob")
    assert foreign.json()["errors"] == missing.json()["errors"]
    assert not VersionFile.objects.filter(version__artifact__name="own").exists()
    put = send(
        client, "put", f"/api/v1/artifacts/own/versions/{'1' * 64}/", {"files": [{"path": "a", "sha256": DIGEST}]}
    )
    assert put.json()["code"] == "unknown_blob"


def test_an_upload_does_not_tell_that_others_have_the_bytes(
    acme: Tenant, api: ApiFor, mine: Project, theirs: Project
) -> None:
    make_version(api(acme, project_id=theirs.pk), "secret", SECRET.decode())
    client = api(acme, project_id=mine.pk)
    assert [upload(client), upload(client)] == [201, 200]
    assert name_it(client).status_code == 201
    assert Blob.objects.filter(pk=DIGEST).count() == 1


def test_what_one_brought_another_of_another_project_may_not_name(
    acme: Tenant, api: ApiFor, mine: Project, theirs: Project
) -> None:
    assert upload(api(acme, project_id=theirs.pk)) == 201
    client = api(acme, project_id=mine.pk)
    assert name_it(client).json()["code"] == "unknown_blob"
    assert upload(client) == 201


@pytest.mark.parametrize("place", ["a run", "a logged model", "a version", "a shared version"])
def test_bytes_of_a_file_that_one_sees_may_be_named(acme: Tenant, api: ApiFor, mine: Project, place: str) -> None:
    client = api(acme, project_id=mine.pk)
    if "version" in place:
        make_version(api(acme) if "shared" in place else client, "origin", SECRET.decode())
        assert Artifact.objects.filter(name="origin", project=None).exists() is ("shared" in place)
    else:
        put_file(client, place)
    assert name_it(client).status_code == 201


def put_file(client: Client, place: str) -> None:
    def post(path: str, body: dict[str, Any]) -> Any:
        return client.post(MLFLOW + path, body, content_type="application/json").json()

    experiment = post("experiments/create", {"name": "e"})["experiment_id"]
    if place == "a run":
        uri = post("runs/create", {"experiment_id": experiment})["run"]["info"]["artifact_uri"]
    else:
        uri = post("logged-models", {"experiment_id": experiment})["model"]["info"]["artifact_uri"]
    path = f"/api/2.0/mlflow-artifacts/artifacts/{uri.partition(':/')[2].lstrip('/')}/a"
    assert client.put(path, SECRET, content_type="application/octet-stream").status_code == 200


def test_who_reaches_the_whole_tenant_names_any_bytes(acme: Tenant, api: ApiFor, theirs: Project) -> None:
    make_version(api(acme, project_id=theirs.pk), "secret", SECRET.decode())
    client = api(acme)
    assert (upload(client), name_it(client).status_code) == (200, 201)
    assert not Offer.objects.exists()


def test_a_sweep_forgets_what_was_brought_and_keeps_no_bytes_for_it(acme: Tenant, api: ApiFor, mine: Project) -> None:
    upload(api(acme, project_id=mine.pk))
    assert sweeps.sweep(timezone.now() - timedelta(hours=1), dry_run=False).blobs == 0
    assert Offer.objects.count() == 1
    assert sweeps.sweep(timezone.now() + timedelta(hours=1), dry_run=False).blobs == 1
    assert not Offer.objects.exists()
