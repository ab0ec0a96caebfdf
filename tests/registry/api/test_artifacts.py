"""Artifacts, versions, aliases and usages over REST."""

import hashlib
import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django_tenants.utils import tenant_context

from apps.registry.models import Alias, Artifact, ArtifactVersion, Edge, Usage
from apps.tenants.access.models import AuditEvent
from apps.tenants.models import Tenant
from apps.tracking.models import Experiment, Project, Run
from tests.factories.sending import make_version, send

ApiFor = Callable[..., Client]
ENCODER = {"kind": "feature_pipeline", "description": "smooths", "tags": {"library": "sklearn"}, "owner": "ana"}


def make_run(project: Project | None = None) -> Run:
    experiment = Experiment.objects.get(pk=0)
    if project is not None:
        experiment = Experiment.objects.create(project=project, name=project.slug, created_ms=1, updated_ms=1)
    return Run.objects.create(experiment=experiment, name="r", start_ms=1, last_write_ms=1)


def test_an_artifact_is_made_once_and_keeps_its_facts(acme: Tenant, api: ApiFor) -> None:
    client = api(acme)
    made = send(client, "put", "/api/v1/artifacts/encoder.target/", ENCODER)
    assert made.status_code == 201, made.content
    again = send(client, "put", "/api/v1/artifacts/encoder.target/", ENCODER)
    other = send(client, "put", "/api/v1/artifacts/encoder.target/", ENCODER | {"owner": "bo"})
    assert (again.status_code, other.status_code) == (200, 409)
    shown = client.get("/api/v1/artifacts/encoder.target/").json()
    assert {name: shown[name] for name in ENCODER} == ENCODER
    assert (shown["latest_version"], shown["project"], shown["aliases"]) == (None, None, [])


def test_a_post_without_an_idempotency_key_is_refused(acme: Tenant, api: ApiFor) -> None:
    answer = send(api(acme), "post", "/api/v1/artifacts/", {"name": "a", "kind": "model"})
    assert (answer.status_code, answer.json()["code"]) == (400, "idempotency_key_missing")
    assert not Artifact.objects.exists()


@pytest.mark.parametrize("name", ["a:b", "a@b", " a", "a ", "a,b", "..", "a%2e", "a\\b", "x" * 251, "tab\tname"])
def test_a_name_that_could_be_misread_is_refused(acme: Tenant, api: ApiFor, name: str) -> None:
    answer = send(api(acme), "post", "/api/v1/artifacts/", {"name": name, "kind": "model"}, Idempotency_Key="k")
    assert answer.status_code == 400, answer.content
    assert not Artifact.objects.exists()


def test_a_version_is_known_by_the_digest_that_sha256sum_would_print(acme: Tenant, api: ApiFor) -> None:
    client = api(acme)
    send(client, "put", "/api/v1/artifacts/encoder/", ENCODER)
    inner = hashlib.sha256(b"hello").hexdigest()
    digest = hashlib.sha256(f"{inner}  a/b.txt\n{inner}  z.txt\n".encode()).hexdigest()
    body = {"files": [{"path": "z.txt", "text": "hello"}, {"path": "a/b.txt", "text": "hello"}]}
    made = send(client, "put", f"/api/v1/artifacts/encoder/versions/{digest}/", body)
    assert made.status_code == 201, made.content
    again = send(client, "put", f"/api/v1/artifacts/encoder/versions/{digest}/", body)
    posted = send(client, "post", "/api/v1/artifacts/encoder/versions/", body, Idempotency_Key="p")
    assert (again.status_code, posted.status_code) == (200, 200)
    assert again.json() == posted.json() == made.json()
    assert (made.json()["version"], made.json()["digest"]) == ("1", digest)
    files = client.get("/api/v1/artifacts/encoder/versions/1/files/").json()["results"]
    assert files == [{"path": p, "sha256": inner, "size_bytes": 5} for p in ("a/b.txt", "z.txt")]
    assert AuditEvent.objects.filter(action="version.create").count() == 1


def test_a_version_whose_digest_is_not_the_address_is_refused(acme: Tenant, api: ApiFor) -> None:
    client = api(acme)
    send(client, "put", "/api/v1/artifacts/encoder/", ENCODER)
    body = {"files": [{"path": "z.txt", "text": "hello"}]}
    answer = send(client, "put", f"/api/v1/artifacts/encoder/versions/{'0' * 64}/", body)
    assert (answer.status_code, answer.json()["code"]) == (400, "digest_mismatch")
    assert not ArtifactVersion.objects.exists()


@pytest.mark.parametrize(
    "files",
    [
        [],
        [{"path": "a"}],
        [{"path": "a", "text": "x", "sha256": "0" * 64}],
        [{"path": "a", "sha256": "0" * 64}],
        [{"path": "../a", "text": "x"}],
        [{"path": "/etc/passwd", "text": "x"}],
        [{"path": "..%2fb", "text": "x"}],
        [{"path": "a", "text": "x"}, {"path": "a", "text": "y"}],
        [{"path": "a", "text": "x"}, {"path": "a/b", "text": "y"}],
        [{"path": "a", "text": 5}],
        [{"path": "a", "text": "x", "mode": "0777"}],
        "a",
        [None],
    ],
)
def test_a_version_with_bad_files_leaves_nothing(acme: Tenant, api: ApiFor, files: Any) -> None:
    client = api(acme)
    send(client, "put", "/api/v1/artifacts/encoder/", ENCODER)
    answer = send(client, "post", "/api/v1/artifacts/encoder/versions/", {"files": files}, Idempotency_Key="k")
    assert answer.status_code == 400, answer.content
    assert not ArtifactVersion.objects.exists()


def test_bytes_are_uploaded_once_and_named_afterwards(acme: Tenant, api: ApiFor) -> None:
    client, body = api(acme), b"\x00\x01" * 5000
    sha256 = hashlib.sha256(body).hexdigest()
    first = client.put(f"/api/v1/blobs/{sha256}/", body, content_type="application/octet-stream")
    again = client.put(f"/api/v1/blobs/{sha256}/", body, content_type="application/octet-stream")
    wrong = client.put(f"/api/v1/blobs/{sha256}/", b"other", content_type="application/octet-stream")
    assert (first.status_code, again.status_code, wrong.status_code) == (201, 200, 409)
    send(client, "put", "/api/v1/artifacts/raw/", {"kind": "dataset"})
    version = {"files": [{"path": "raw.bin", "sha256": sha256}]}
    assert send(client, "post", "/api/v1/artifacts/raw/versions/", version, Idempotency_Key="k").status_code == 201
    got = client.get("/api/v1/artifacts/raw/versions/1/files/raw.bin", headers={"range": "bytes=1-3"})
    assert (got.status_code, got.getvalue()) == (206, body[1:4])
    assert got["ETag"] == f'"{sha256}"'


def test_moving_an_alias_needs_the_state_it_is_based_on(acme: Tenant, api: ApiFor) -> None:
    client = api(acme)
    make_version(client, "encoder", "one")
    make_version(client, "encoder", "two")
    url = "/api/v1/artifacts/encoder/aliases/champion/"
    first = send(client, "put", url, {"version": "1"})
    assert first.status_code == 201, first.content
    assert send(client, "put", url, {"version": "1"}).status_code == 200
    assert send(client, "put", url, {"version": "2"}).status_code == 428
    assert send(client, "put", url, {"version": "2"}, If_Match='"stale"').status_code == 412
    assert send(client, "put", url, {"version": "2"}, If_Match=first["ETag"]).status_code == 200
    assert client.get("/api/v1/artifacts/encoder/versions/champion/").json()["version"] == "2"
    moved = AuditEvent.objects.get(action="alias.move")
    assert (moved.before, moved.after, moved.object_id) == ({"version": "1"}, {"version": "2"}, "encoder@champion")


@pytest.mark.parametrize("alias", ["latest", "LATEST", "v1", "V12", "7", "a b", "a.b", "x" * 256])
def test_an_alias_that_could_be_a_version_is_refused(acme: Tenant, api: ApiFor, alias: str) -> None:
    client = api(acme)
    make_version(client, "encoder")
    assert send(client, "put", f"/api/v1/artifacts/encoder/aliases/{alias}/", {"version": "1"}).status_code == 400
    assert not Alias.objects.exists()


def test_metadata_changes_only_with_if_match_and_files_never(acme: Tenant, api: ApiFor) -> None:
    client = api(acme)
    make_version(client, "encoder")
    url = "/api/v1/artifacts/encoder/versions/1/"
    tag = client.get(url)["ETag"]
    assert send(client, "patch", url, {"description": "x"}).status_code == 428
    assert send(client, "patch", url, {"description": "x"}, If_Match=tag).status_code == 200
    assert send(client, "patch", url, {"description": "y"}, If_Match=tag).status_code == 412
    assert send(client, "patch", url, {"files": []}, If_Match="*").status_code == 400
    assert client.get(url).json()["description"] == "x"


def test_an_aliased_version_is_not_archived(acme: Tenant, api: ApiFor) -> None:
    client = api(acme)
    make_version(client, "encoder")
    send(client, "put", "/api/v1/artifacts/encoder/aliases/champion/", {"version": "1"})
    answer = send(client, "patch", "/api/v1/artifacts/encoder/versions/1/", {"state": "archived"}, If_Match="*")
    assert (answer.status_code, answer.json()["code"]) == (409, "aliased")


def test_usages_are_recorded_once_by_number_alias_or_newest(acme: Tenant, api: ApiFor) -> None:
    client = api(acme)
    make_version(client, "encoder", "one")
    make_version(client, "encoder", "two")
    make_version(client, "imputer")
    send(client, "put", "/api/v1/artifacts/encoder/aliases/champion/", {"version": "1"})
    url = "/api/v1/projects/default/usages/"
    body = {"usages": ["encoder@champion", "encoder", {"artifact": "imputer", "version": "1", "role": "fill"}]}
    answer = send(client, "put", url, body)
    assert answer.status_code == 200, answer.content
    assert {k: answer.json()[k] for k in ("added", "kept", "removed")} == {"added": 3, "kept": 0, "removed": 0}
    again = send(client, "put", url, body).json()
    assert (again["added"], again["kept"]) == (0, 3)
    replaced = send(client, "put", url, {"usages": ["imputer@1"], "replace": True}).json()
    assert (replaced["kept"], replaced["removed"]) == (1, 2)
    left = client.get(url).json()["results"]
    assert [(row["artifact"], row["version"], row["role"], row["observed"]) for row in left] == [
        ("imputer", "1", "fill", "api")
    ]


@pytest.mark.parametrize("bad", ["nobody", "encoder@9", "encoder@champion", "encoder@1@2", "", 5, {"version": "1"}])
def test_one_bad_usage_stores_none_and_is_named(acme: Tenant, api: ApiFor, bad: Any) -> None:
    client = api(acme)
    make_version(client, "encoder")
    answer = send(client, "put", "/api/v1/projects/default/usages/", {"usages": ["encoder@1", bad]})
    assert answer.status_code == 400, answer.content
    assert answer.json()["errors"][0]["pointer"].startswith("/usages/1")
    assert not Usage.objects.exists()


def test_a_usage_by_a_run_becomes_lineage_and_counts_for_its_own_project_only(acme: Tenant, api: ApiFor) -> None:
    client = api(acme)
    make_version(client, "encoder")
    project = Project.objects.create(slug="churn", name="churn")
    run = make_run(project)
    entry = {"artifact": "encoder", "version": "1", "run": run.pk.hex}
    assert send(client, "put", "/api/v1/projects/churn/usages/", {"usages": [entry]}).status_code == 200
    assert send(client, "put", "/api/v1/projects/default/usages/", {"usages": [entry]}).status_code == 400
    assert Edge.objects.filter(from_version__artifact__name="encoder", to_run=run, kind="used").count() == 1
    assert [row["run"] for row in client.get("/api/v1/artifacts/encoder/usages/").json()["results"]] == [run.pk.hex]


def test_a_download_that_names_its_run_is_a_usage(acme: Tenant, api: ApiFor) -> None:
    client, run = api(acme), make_run()
    make_version(client, "encoder", "body")
    url = "/api/v1/artifacts/encoder/versions/1/files/content.txt"
    got = client.get(url, headers={"x-maestro-run": run.pk.hex})
    assert got.getvalue() == b"body"
    assert [(use.run_id, use.observed) for use in Usage.objects.all()] == [(run.pk, "download")]
    assert client.get(url, headers={"x-maestro-run": "0" * 32}).status_code == 400
    assert client.get(url, headers={"x-maestro-run": "../x"}).status_code == 400
    assert api(acme, "viewer").get(url, headers={"x-maestro-run": run.pk.hex}).status_code == 403


def test_a_key_of_one_project_sees_shared_artifacts_and_its_own(acme: Tenant, api: ApiFor) -> None:
    own, other = (Project.objects.create(slug=slug, name=slug) for slug in ("own", "other"))
    make_version(api(acme), "shared")
    for project in (own, other):
        make_version(api(acme, project_id=project.pk), f"of-{project.slug}")
    client = api(acme, project_id=own.pk)
    names = [row["name"] for row in client.get("/api/v1/artifacts/").json()["results"]]
    assert names == ["of-own", "shared"]
    assert client.get("/api/v1/artifacts/of-other/").status_code == 404
    assert client.get("/api/v1/artifacts/of-other/versions/1/files/content.txt").status_code == 404
    change = send(client, "patch", "/api/v1/artifacts/shared/", {"owner": "me"}, If_Match="*")
    assert (change.status_code, change.json()["code"]) == (403, "project_key")
    answer = send(client, "put", "/api/v1/projects/own/usages/", {"usages": ["of-other@1"]})
    assert answer.status_code == 400


def test_an_artifact_of_acme_is_unknown_in_globex(acme: Tenant, globex: Tenant, api: ApiFor) -> None:
    with tenant_context(acme):
        make_version(api(acme), "secret", "secret bytes")
    client = api(globex)
    sha256 = hashlib.sha256(b"secret bytes").hexdigest()
    for path in ("secret/", "secret/versions/", "secret/versions/1/", "secret/versions/1/files/content.txt"):
        assert client.get(f"/api/v1/artifacts/{path}").status_code == 404
    send(client, "put", "/api/v1/artifacts/mine/", {"kind": "dataset"})
    body = {"files": [{"path": "a", "sha256": sha256}]}
    stolen = send(client, "post", "/api/v1/artifacts/mine/versions/", body, Idempotency_Key="k")
    assert (stolen.status_code, stolen.json()["code"]) == (400, "unknown_blob")


def test_32_writers_at_once_get_dense_numbers(committed: Tenant, api: ApiFor) -> None:
    make_version(api(committed), "encoder", "first")
    client, answers = api(committed), []

    def write(number: int) -> None:
        body = {"files": [{"path": "a", "text": f"content {number % 16}"}]}
        answer = send(client, "post", "/api/v1/artifacts/encoder/versions/", body, Idempotency_Key=f"k{number}")
        answers.append((answer.status_code, answer.json().get("version")))
        connection.close()

    threads = [threading.Thread(target=write, args=(number,)) for number in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    made = sorted(int(version) for status, version in answers if status == 201)
    assert made == list(range(2, 18)), sorted(answers)
    assert sorted(int(version) for status, version in answers if status == 200) == made


@pytest.mark.parametrize("path", ["artifacts/a/", "projects/a/"])
@pytest.mark.parametrize("body", [[], "text", 5, [1, 2]])
def test_a_body_that_is_no_object_is_refused(acme: Tenant, api: ApiFor, path: str, body: Any) -> None:
    answer = send(api(acme), "put", f"/api/v1/{path}", body)
    assert answer.status_code == 400, answer.content
    assert not Artifact.objects.exists()
