"""Files beyond the client's thresholds: it asks for parts and presigned addresses, is told no, and streams instead."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from django_tenants.utils import tenant_context

from apps.tenants.models import Tenant
from apps.tracking.models import RunFile
from tests.factories.clients import raw, use_client
from tests.web import WebServer

KeyFor = Callable[..., str]
BODY = bytes(range(256)) * 4 * 1024 * 12 + b"end"
LOW = {
    "MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE": str(5 * 2**20),
    "MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE": str(5 * 2**20),
    "MLFLOW_MULTIPART_DOWNLOAD_MINIMUM_FILE_SIZE": str(5 * 2**20),
    "MLFLOW_MULTIPART_DOWNLOAD_CHUNK_SIZE": str(5 * 2**20),
}
FORCED = {"MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD": "true", "MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD": "true"}


@pytest.mark.parametrize("settings", [LOW, LOW | FORCED], ids=["asked", "forced"])
def test_a_large_file_comes_back_whole_whatever_the_client_tries_first(
    committed: Tenant,
    web: WebServer,
    key_for: KeyFor,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    settings: dict[str, str],
) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    client, large = use_client(monkeypatch, web, key_for(committed)), tmp_path / "large.bin"
    large.write_bytes(BODY)
    run_id = client.create_run("0").info.run_id
    client.log_artifact(run_id, str(large), "deep/er")
    (tmp_path / "back").mkdir()
    back = client.download_artifacts(run_id, "deep/er/large.bin", str(tmp_path / "back"))
    assert Path(back).read_bytes() == BODY
    with tenant_context(committed):
        file = RunFile.objects.get(path="deep/er/large.bin")
        assert (file.blob.sha256, file.blob.size_bytes) == (hashlib.sha256(BODY).hexdigest(), len(BODY))


def test_the_server_claims_no_more_than_it_does(committed: Tenant, web: WebServer, key_for: KeyFor) -> None:
    key = key_for(committed)
    info = json.loads(raw(web, key, "GET", "/api/3.0/mlflow/server-info")[2])
    claims = {
        "multipart_uploads_enabled": ("POST", "/api/2.0/mlflow-artifacts/mpu/create/0/x"),
        "multipart_downloads_enabled": ("GET", "/api/2.0/mlflow-artifacts/presigned/0/x"),
    }
    for claim, (method, path) in claims.items():
        status = raw(web, key, method, path, {} if method == "POST" else None)[0]
        assert info[claim] is (status != 501), claim
    for step in ("complete", "abort"):
        status, _, content = raw(web, key, "POST", f"/api/2.0/mlflow-artifacts/mpu/{step}/0/x", {})
        assert status == 501
        assert json.loads(content)["message"].startswith("Multipart upload is not supported for the current artifact")
    version = raw(web, key, "GET", "/version")[2].decode()
    spans = json.loads(raw(web, key, "POST", "/v1/traces", b"", Content_Type="application/x-protobuf")[2])
    assert version == "3.17.2"
    assert spans["error_code"] == "NOT_IMPLEMENTED"
