"""A whole version, or a run's folder, as one file: named, marked, sized, and only for those who see it."""

import io
import tarfile
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from apps.registry.models import Usage
from apps.tenants.models import Tenant
from apps.tracking.models import Project
from maestro import limits
from tests.factories.door import Door
from tests.factories.sending import make_version, send

ApiFor = Callable[..., Client]
V1 = "/api/v1/"
OF_VERSION = f"{V1}artifacts/encoder/versions/1/archive."


def names_in(answer: Any) -> list[str]:
    body = io.BytesIO(answer.getvalue())
    if answer["Content-Type"] == "application/zip":
        return zipfile.ZipFile(body).namelist()
    return tarfile.open(fileobj=body).getnames()


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_a_version_comes_as_one_file_with_its_length_and_its_mark(acme: Tenant, api: ApiFor, kind: str) -> None:
    client = api(acme)
    make_version(client, "encoder", "x" * 1_000)
    answer = client.get(OF_VERSION + kind)
    assert names_in(answer) == ["content.txt"]
    assert int(answer["Content-Length"]) == len(client.get(OF_VERSION + kind).getvalue())
    assert answer["Content-Disposition"].startswith(f'attachment; filename="encoder-1.{kind}"')
    assert (answer["X-Content-Type-Options"], answer["Accept-Ranges"]) == ("nosniff", "none")
    for known in (answer["ETag"], f'"other", {answer["ETag"]}', f"W/{answer['ETag']}", "*"):
        assert client.get(OF_VERSION + kind, headers={"if-none-match": known}).status_code == 304
    assert client.get(OF_VERSION + kind, headers={"if-none-match": '"other"'}).status_code == 200
    assert client.get(OF_VERSION + kind, headers={"range": "bytes=0-1"}).status_code == 200
    head = client.head(OF_VERSION + kind)
    assert (head.status_code, head["Content-Length"], head["ETag"]) == (
        200,
        answer["Content-Length"],
        answer["ETag"],
    )


def test_a_run_s_folder_comes_as_one_file(acme: Tenant, api: ApiFor, monkeypatch: pytest.MonkeyPatch) -> None:
    client = api(acme)
    run = Door(client).run()
    for name in ("a/1.txt", "a/b/2.txt", "ab.txt"):
        path = f"/api/2.0/mlflow-artifacts/artifacts/0/{run}/artifacts/{name}"
        assert client.put(path, name.encode(), content_type="application/octet-stream").status_code == 200
    base = f"{V1}runs/{run}/archive.zip"
    assert names_in(client.get(base)) == ["a/1.txt", "a/b/2.txt", "ab.txt"]
    assert names_in(client.get(base, {"folder": "a/"})) == ["a/1.txt", "a/b/2.txt"]
    assert client.get(base, {"folder": "none"}).status_code == 404
    assert client.get(base, {"folder": "../a"}).status_code == 400
    assert client.get(f"{V1}runs/{run}/archive.rar").status_code == 404
    monkeypatch.setattr(limits, "ARCHIVE_FILES", 2)
    assert client.get(base).json()["code"] == "too_many_files"


def test_a_download_of_all_is_a_use(acme: Tenant, api: ApiFor) -> None:
    client = api(acme)
    make_version(client, "encoder")
    run = Door(client).run()
    assert client.get(f"{OF_VERSION}zip", headers={"x-maestro-run": run}).status_code == 200
    assert Usage.objects.get().run_id.hex == run


def test_of_another_project_it_is_not_there(acme: Tenant, api: ApiFor) -> None:
    mine, theirs = (Project.objects.create(slug=name, name=name) for name in ("mine", "theirs"))
    make_version(api(acme, project_id=theirs.pk), "encoder")
    assert api(acme, project_id=mine.pk).get(f"{OF_VERSION}zip").status_code == 404
    assert api(acme, "viewer").get(f"{OF_VERSION}zip").status_code == 200


def test_a_file_is_known_by_its_digest_and_sent_by_range(acme: Tenant, api: ApiFor) -> None:
    client = api(acme)
    make_version(client, "encoder", "0123456789")
    path = f"{V1}artifacts/encoder/versions/1/files/content.txt"
    whole = client.get(path)
    assert (
        whole["ETag"].strip('"')
        == send(client, "get", f"{path.rpartition('content')[0]}").json()["results"][0]["sha256"]
    )
    for known in (whole["ETag"], "*", f'"x", {whole["ETag"]}'):
        assert client.get(path, headers={"if-none-match": known}).status_code == 304
    assert client.get(path, headers={"if-none-match": whole["ETag"][:-3] + '"'}).status_code == 200
    for asked, part in (("bytes=2-4", b"234"), ("bytes=-3", b"789"), ("bytes=8-", b"89")):
        answer = client.get(path, headers={"range": asked})
        assert (answer.status_code, answer.getvalue()) == (206, part)
    assert client.get(path, headers={"range": "bytes=0-1,3-4"}).status_code == 416
    assert client.get(path, headers={"range": "bytes=10-"}).status_code == 416
    head = client.head(path)
    assert (head.status_code, head["Content-Length"], head.content) == (200, "10", b"")
