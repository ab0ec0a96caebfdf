"""Files of runs by the stock client and by requests that no client would send."""

import base64
import hashlib
import json
import socket
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import mlflow
import pytest
from django_tenants.utils import tenant_context

from apps.tenants.models import Tenant
from apps.tracking.models import Blob, RunFile
from tests.factories.clients import raw, use_client
from tests.patience import ANSWER_SECONDS
from tests.web import WebServer

KeyFor = Callable[..., str]
PROXY = "/api/2.0/mlflow-artifacts/artifacts"


def start(client: mlflow.MlflowClient) -> str:
    return str(client.create_run("0").info.run_id)


def test_files_and_folders_come_back_as_they_were_logged(
    committed: Tenant, web: WebServer, key_for: KeyFor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    client = use_client(monkeypatch, web, key_for(committed))
    run_id = start(client)
    source = tmp_path / "source"
    contents = {
        "plain.txt": b"hello",
        "empty": b"",
        "deep/er/data.bin": bytes(range(256)) * 4000,
        "ünï çode 日本.txt": b"x",
    }
    for name, body in contents.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes(body)
    client.log_artifacts(run_id, str(source), "out")
    client.log_artifact(run_id, str(source / "plain.txt"))
    client.log_text(run_id, "note", "notes/today.md")
    assert sorted((f.path, f.is_dir, f.file_size) for f in client.list_artifacts(run_id)) == [
        ("notes", True, None),
        ("out", True, None),
        ("plain.txt", False, 5),
    ]
    assert sorted(f.path for f in client.list_artifacts(run_id, "out")) == sorted(
        ["out/plain.txt", "out/empty", "out/deep", "out/ünï çode 日本.txt"]
    )
    got = Path(client.download_artifacts(run_id, "out", str(tmp_path)))
    assert {str(p.relative_to(got)): p.read_bytes() for p in got.rglob("*") if p.is_file()} == contents
    with tenant_context(committed):
        assert Blob.objects.count() == 5


def test_another_tenant_finds_neither_the_run_nor_its_files(
    committed: Tenant, other_committed: Tenant, web: WebServer, key_for: KeyFor, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, theirs = key_for(committed), key_for(other_committed)
    client = use_client(monkeypatch, web, mine)
    run_id = start(client)
    client.log_text(run_id, "secret", "secret.txt")
    path = f"{PROXY}/0/{run_id}/artifacts/secret.txt"
    assert raw(web, mine, "GET", path)[2] == b"secret"
    spellings = [
        path,
        path.replace("0/", "%30/", 1),
        path.replace("secret", "%73ecret"),
        f"{PROXY}/0/{run_id.upper()}/artifacts/secret.txt",
    ]
    for spelling in spellings:
        for method in ("GET", "DELETE"):
            assert raw(web, theirs, method, spelling)[0] == 404, spelling
        assert raw(web, theirs, "PUT", spelling, b"x")[0] == 404
    assert raw(web, theirs, "GET", f"{PROXY}?path=0/{run_id}/artifacts")[0] == 404
    assert raw(web, theirs, "GET", f"/api/2.0/mlflow/artifacts/list?run_id={run_id}")[0] == 404
    with tenant_context(other_committed):
        assert not Blob.objects.exists()


EVIL = (
    "../../../etc/passwd",
    "%2e%2e/%2e%2e/etc/passwd",
    "%252e%252e/etc/passwd",
    "%25252e%25252e/etc/passwd",
    "..%5c..%5cx",
    "..%2f..%2fx",
    "a/%2e%2e/b",
    "/etc/passwd",
    "%2fetc/passwd",
    "a//b",
    "a%00b",
    "a%0ab",
    "~/x",
    "c:/x",
    "file:///etc/passwd",
    "file%3a/etc/passwd",
    "a/.",
    "x" * 256,
    "/".join(["y" * 250] * 5),
)


def test_a_path_that_could_leave_its_folder_is_refused_at_every_verb(
    committed: Tenant, web: WebServer, key_for: KeyFor, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = key_for(committed)
    run_id = start(use_client(monkeypatch, web, key))
    for tail in EVIL:
        refuse_everywhere(web, key, run_id, tail)
    with tenant_context(committed):
        assert not RunFile.objects.exists()
        assert not Blob.objects.exists()


def refuse_everywhere(web: WebServer, key: str, run_id: str, tail: str) -> None:
    for method, body in (("PUT", b"evil"), ("GET", None), ("DELETE", None)):
        status, _, content = raw(web, key, method, f"{PROXY}/0/{run_id}/artifacts/{tail}", body)
        assert status in (400, 404), (method, content)
        assert json.loads(content)["error_code"] in (
            "INVALID_PARAMETER_VALUE",
            "RESOURCE_DOES_NOT_EXIST",
            "ENDPOINT_NOT_FOUND",
        )
        assert not (method == "PUT" and status != 400), content
    status, _, content = raw(web, key, "GET", f"{PROXY}?path=0/{run_id}/artifacts/{tail}")
    assert status == 400, (tail, content)


def send_and_leave(web: WebServer, head: str, body: bytes) -> None:
    """Send what there is, hang up, and wait until the server has done so too."""
    with socket.create_connection(("127.0.0.1", web.port), timeout=ANSWER_SECONDS) as link:
        link.sendall(head.replace("\n", "\r\n").encode() + body)
        link.shutdown(socket.SHUT_WR)
        while link.recv(65_536):
            pass


@pytest.mark.parametrize("framing", ["Content-Length: 5000", "Transfer-Encoding: chunked"])
def test_a_body_cut_short_leaves_nothing(
    committed: Tenant, web: WebServer, key_for: KeyFor, monkeypatch: pytest.MonkeyPatch, framing: str
) -> None:
    key = key_for(committed)
    run_id = start(use_client(monkeypatch, web, key))
    url = f"{PROXY}/0/{run_id}/artifacts/cut.bin"
    body = b"400\r\n" + b"x" * 1024 + b"\r\n" if "chunked" in framing else b"x" * 1024
    send_and_leave(
        web, f"PUT {url} HTTP/1.1\nHost: localhost:{web.port}\nAuthorization: Bearer {key}\n{framing}\n\n", body
    )
    assert raw(web, key, "GET", url)[0] == 404
    with tenant_context(committed):
        assert not Blob.objects.exists()


def test_a_chunked_body_needs_its_digest_unless_it_is_empty(
    committed: Tenant, web: WebServer, key_for: KeyFor, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = key_for(committed)
    url = f"{PROXY}/0/{start(use_client(monkeypatch, web, key))}/artifacts/f"
    body = b"some bytes"
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    wrong = base64.b64encode(hashlib.sha256(b"other").digest()).decode()
    assert raw(web, key, "PUT", url, iter([body]), Transfer_Encoding="chunked")[0] == 400
    assert (
        raw(web, key, "PUT", url, iter([body]), Transfer_Encoding="chunked", Content_Digest=f"sha-256=:{wrong}:")[0]
        == 409
    )
    assert (
        raw(web, key, "PUT", url, iter([body]), Transfer_Encoding="chunked", Content_Digest=f"sha-256=:{digest}:")[0]
        == 200
    )
    assert raw(web, key, "GET", url)[2] == body
    assert raw(web, key, "PUT", url, iter([]), Transfer_Encoding="chunked")[0] == 200
    assert raw(web, key, "GET", url)[2] == b""


RANGES = (
    ("bytes=0-0", 206, b"0"),
    ("bytes=3-", 206, b"3456789"),
    ("bytes=-3", 206, b"789"),
    ("bytes=2-5", 206, b"2345"),
    ("bytes=5-99999999999999999999", 416, None),
    ("bytes=5-999", 206, b"56789"),
    ("bytes=10-", 416, None),
    ("bytes=5-2", 416, None),
    ("bytes=0-1,3-4", 416, None),
    ("bytes=" + ",".join(["0-"] * 1500), 416, None),
    ("bytes=x", 416, None),
    ("lines=1-2", 200, b"0123456789"),
)


def test_one_range_at_most(committed: Tenant, web: WebServer, key_for: KeyFor, monkeypatch: pytest.MonkeyPatch) -> None:
    key = key_for(committed)
    client = use_client(monkeypatch, web, key)
    run_id = start(client)
    client.log_text(run_id, "0123456789", "digits.txt")
    for header, status, part in RANGES:
        got, _, content = raw(web, key, "GET", f"{PROXY}/0/{run_id}/artifacts/digits.txt", Range=header)
        assert got == status, (header, content)
        assert part is None or content == part, header


def test_no_browser_shows_an_upload_as_a_page_of_ours(
    committed: Tenant, web: WebServer, key_for: KeyFor, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = key_for(committed)
    base = f"{PROXY}/0/{start(use_client(monkeypatch, web, key))}/artifacts"
    page = b"<script>alert(1)</script>"
    for name in ("evil.html", "evil.svg", "evil.xhtml", "evil.js", 'a"b;c.html', "x.png", "x.txt"):
        url = f"{base}/{quote(name)}"
        assert raw(web, key, "PUT", url, page, Content_Type="text/html")[0] == 200
        status, headers, content = raw(web, key, "GET", url)
        named = {name.lower(): value for name, value in headers.items()}
        assert (status, content) == (200, page), name
        assert named["content-type"].partition(";")[0] in ("application/octet-stream", "image/png", "text/plain")
        assert named["content-disposition"].startswith("attachment; filename=")
        assert named["x-content-type-options"] == "nosniff"
        assert named["content-security-policy"] == "sandbox; default-src 'none'"
        assert named["etag"] == f'"{hashlib.sha256(content).hexdigest()}"'


def test_a_file_and_a_folder_never_share_a_name(
    committed: Tenant, web: WebServer, key_for: KeyFor, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = key_for(committed)
    base = f"{PROXY}/0/{start(use_client(monkeypatch, web, key))}/artifacts"
    assert raw(web, key, "PUT", f"{base}/a/b", b"1")[0] == 200
    assert raw(web, key, "PUT", f"{base}/a", b"2")[0] == 409
    assert raw(web, key, "PUT", f"{base}/a/b/c", b"3")[0] == 409
    assert raw(web, key, "PUT", f"{base}/a/b", b"4")[0] == 200
    assert raw(web, key, "GET", f"{base}/a/b")[2] == b"4"


def test_a_folder_is_deleted_whole_and_again_without_complaint(
    committed: Tenant, web: WebServer, key_for: KeyFor, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = key_for(committed)
    base = f"{PROXY}/0/{start(use_client(monkeypatch, web, key))}/artifacts"
    for name in ("a/1", "a/b/2", "ab"):
        raw(web, key, "PUT", f"{base}/{name}", b"x")
    assert raw(web, key, "DELETE", f"{base}/a")[0] == 200
    assert raw(web, key, "DELETE", f"{base}/a")[0] == 200
    with tenant_context(committed):
        assert [file.path for file in RunFile.objects.all()] == ["ab"]


def test_a_deleted_run_shows_its_files_and_takes_no_more(
    committed: Tenant, web: WebServer, key_for: KeyFor, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = key_for(committed)
    client = use_client(monkeypatch, web, key)
    run_id = start(client)
    client.log_text(run_id, "kept", "a.txt")
    client.delete_run(run_id)
    url = f"{PROXY}/0/{run_id}/artifacts/a.txt"
    assert raw(web, key, "GET", url)[2] == b"kept"
    status, _, content = raw(web, key, "PUT", url, b"new")
    assert (status, json.loads(content)["error_code"]) == (400, "INVALID_PARAMETER_VALUE")


def test_what_is_not_offered_is_answered_in_words_that_clients_know(
    committed: Tenant, web: WebServer, key_for: KeyFor
) -> None:
    key = key_for(committed)
    status, _, content = raw(
        web, key, "POST", "/api/2.0/mlflow-artifacts/mpu/create/0/x", {"path": "a", "num_parts": 2}
    )
    answer = json.loads(content)
    assert (status, answer["error_code"]) == (501, "NOT_IMPLEMENTED")
    assert answer["message"].startswith("Multipart upload is not supported for the current artifact repository")
    assert raw(web, key, "GET", "/api/2.0/mlflow-artifacts/presigned/0/x")[0] == 501
    assert (
        raw(web, key, "POST", "/api/2.0/mlflow/artifacts/presigned-upload-url", {"run_id": "x", "path": "y"})[0] == 400
    )


def test_a_viewer_reads_and_never_writes_files(
    committed: Tenant, web: WebServer, key_for: KeyFor, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = use_client(monkeypatch, web, key_for(committed))
    run_id = start(client)
    client.log_text(run_id, "x", "a.txt")
    viewer, url = key_for(committed, "viewer"), f"{PROXY}/0/{run_id}/artifacts/a.txt"
    assert raw(web, viewer, "GET", url)[0] == 200
    assert [raw(web, viewer, method, url, b"y")[0] for method in ("PUT", "DELETE")] == [403, 403]
    assert raw(web, "", "GET", url)[0] == 401
