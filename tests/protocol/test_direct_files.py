"""Large files of the stock client straight into a bucket and out of it, and what else may be tried at those calls."""

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from apps.tenants.models import Tenant
from apps.tracking.files import blobs
from apps.tracking.models import Blob, Project, RunFile, Upload
from tests.factories import stores
from tests.factories.clients import raw, use_client
from tests.protocol.test_large_files import LOW
from tests.web import WebServer, start_web

pytestmark = pytest.mark.s3
KeyFor = Callable[..., str]
PART = 5 * 2**20
BODY = os.urandom(2 * PART + 77)
MPU = "/api/2.0/mlflow-artifacts/mpu/"
PROXY = "/api/2.0/mlflow-artifacts/artifacts/"


@pytest.fixture
def server(
    committed: Tenant, test_environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[WebServer]:
    """A web server whose bytes are in a bucket that clients reach."""
    with stores.used("direct", tmp_path, monkeypatch) as values:
        started = start_web(test_environment | values)
        yield started
        started.stop()


def ask(server: WebServer, key: str, verb: str, folder: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    status, _, content = raw(server, key, "POST", f"{MPU}{verb}/{folder}", body)
    return status, json.loads(content)


def test_the_stock_client_sends_and_fetches_large_files_without_us(
    committed: Tenant, server: WebServer, key_for: KeyFor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in LOW.items():
        monkeypatch.setenv(name, value)
    key = key_for(committed)
    client, large = use_client(monkeypatch, server, key), tmp_path / "95%_ci 1.bin"
    large.write_bytes(BODY)
    run = client.create_run("0").info
    for _ in range(2):
        client.log_artifact(run.run_id, str(large), "deep/er")
    client.log_text(run.run_id, "small", "small.txt")
    first, second = Upload.objects.order_by("created_at")
    assert (first.parts, second.parts, first.done_at is None, second.done_at is None) == (3, 3, False, False)
    file = RunFile.objects.select_related("blob").get(path=f"deep/er/{large.name}")
    assert (file.blob.sha256, file.blob.size_bytes) == (hashlib.sha256(BODY).hexdigest(), len(BODY))
    assert file.blob.storage_key == first.storage_key
    assert len(stores.everything()) == Blob.objects.count() == 2
    out = client.download_artifacts(run.run_id, f"deep/er/{large.name}", str(tmp_path))
    assert Path(out).read_bytes() == BODY
    assert Path(client.download_artifacts(run.run_id, "small.txt", str(tmp_path))).read_text() == "small"
    folder = run.artifact_uri.partition(":/")[2].strip("/")
    assert raw(server, key, "PUT", f"{PROXY}{folder}/again.bin", BODY)[0] == 200
    assert Blob.objects.count() == 2
    assert raw(server, key, "GET", f"{PROXY}{folder}/again.bin")[2] == BODY


def test_it_is_said_by_the_server_what_is_offered(committed: Tenant, server: WebServer, key_for: KeyFor) -> None:
    told = json.loads(raw(server, key_for(committed), "GET", "/api/3.0/mlflow/server-info")[2])
    assert (told["multipart_uploads_enabled"], told["multipart_downloads_enabled"]) == (True, True)


def test_parts_are_those_that_were_told_and_all_of_them(
    committed: Tenant, server: WebServer, key_for: KeyFor, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = key_for(committed)
    run = use_client(monkeypatch, server, key).create_run("0").info
    folder = run.artifact_uri.partition(":/")[2].strip("/")
    _, made = ask(server, key, "create", folder, {"path": "/home/me/a.bin", "num_parts": 2})
    told = []
    for credential, piece in zip(made["credentials"], [b"x" * PART, b"end"], strict=True):
        put = requests.put(credential["url"], data=piece, headers=credential["headers"], timeout=60)
        told.append({"part_number": credential["part_number"], "etag": put.headers["ETag"], "url": credential["url"]})
    named = {"path": "/home/me/a.bin", "upload_id": made["upload_id"]}
    assert ask(server, key, "complete", folder, named | {"parts": told[:1]})[0] == 409
    assert ask(server, key, "complete", folder, named | {"parts": [*told[:1], told[1] | {"etag": "x"}]})[0] == 409
    assert ask(server, key, "complete", folder, named | {"parts": [{"part_number": 0, "etag": "x"}]})[0] == 400
    assert ask(server, key, "complete", folder, named | {"path": "b.bin", "parts": told})[0] == 404
    assert not RunFile.objects.exists()
    for _ in range(2):
        assert ask(server, key, "complete", folder, named | {"parts": told})[0] == 200
    assert RunFile.objects.get().path == "a.bin"
    assert b"".join(blobs.read(Blob.objects.get())) == b"x" * PART + b"end"
    late = requests.put(made["credentials"][0]["url"], data=b"y" * PART, timeout=60)
    assert late.status_code == 404
    assert ask(server, key, "abort", folder, named)[0] == 200
    assert b"".join(blobs.read(Blob.objects.get()))[:1] == b"x"


def test_given_up_it_leaves_nothing_and_nonsense_is_refused(
    committed: Tenant, server: WebServer, key_for: KeyFor, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = key_for(committed)
    run = use_client(monkeypatch, server, key).create_run("0").info
    folder = run.artifact_uri.partition(":/")[2].strip("/")
    _, made = ask(server, key, "create", folder, {"path": "a.bin", "num_parts": "2"})
    assert requests.put(made["credentials"][0]["url"], data=b"x" * PART, timeout=60).status_code == 200
    for _ in range(2):
        assert ask(server, key, "abort", folder, {"path": "a.bin", "upload_id": made["upload_id"]}) == (200, {})
    assert (stores.everything(), Upload.objects.count()) == ([], 0)
    for fields in (
        {},
        {"path": "a", "num_parts": 0},
        {"path": "..", "num_parts": 1},
        {"path": "a\x00b", "num_parts": 1},
        {"path": "a", "num_parts": "many"},
        {"path": 3, "num_parts": 1},
    ):
        status, answer = ask(server, key, "create", folder, fields)
        assert (status, answer["error_code"]) == (400, "INVALID_PARAMETER_VALUE"), fields
    status, answer = ask(server, key, "create", folder, {"path": "a", "num_parts": 1_001})
    assert status == 501
    assert answer["message"].startswith("Multipart upload is not supported for the current artifact repository")
    assert Upload.objects.count() == 0


def test_from_another_project_neither_folder_nor_upload_nor_bytes_are_there(
    committed: Tenant, server: WebServer, key_for: KeyFor, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = key_for(committed)
    client = use_client(monkeypatch, server, key)
    run = client.create_run("0").info
    client.log_text(run.run_id, "secret", "secret.txt")
    folder = run.artifact_uri.partition(":/")[2].strip("/")
    _, made = ask(server, key, "create", folder, {"path": "a.bin", "num_parts": 1})
    project = Project.objects.create(slug="elsewhere", name="elsewhere")
    theirs = key_for(committed, project_id=project.pk)
    named = {"path": "a.bin", "upload_id": made["upload_id"]}
    assert ask(server, theirs, "create", folder, {"path": "a.bin", "num_parts": 1})[0] == 404
    assert ask(server, theirs, "complete", folder, named | {"parts": []})[0] == 404
    assert ask(server, theirs, "abort", folder, named)[0] == 404
    other = key_for(committed, "admin")
    assert ask(server, other, "complete", folder, named | {"parts": []})[0] == 404
    assert ask(server, other, "abort", folder, named) == (200, {})
    presigned = "/api/2.0/mlflow-artifacts/presigned/"
    assert raw(server, theirs, "GET", f"{presigned}{folder}/secret.txt")[0] == 404
    assert raw(server, key, "GET", f"{presigned}{folder}/none.txt")[0] == 404
    assert Upload.objects.count() == 1
    viewer = key_for(committed, "viewer")
    assert ask(server, viewer, "create", folder, {"path": "a.bin", "num_parts": 1})[0] == 403
    told = json.loads(raw(server, viewer, "GET", f"{presigned}{folder}/secret.txt")[2])
    answer = requests.get(told["url"], headers={"Range": "bytes=1-3"}, timeout=60)
    assert (answer.status_code, answer.content, told["file_size"]) == (206, b"ecr", 6)
    assert answer.headers["Content-Disposition"] == "attachment"
    assert requests.put(told["url"], data=b"x", timeout=60).status_code == 403
