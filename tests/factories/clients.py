"""The stock mlflow client, pointed at a real server; and raw requests that no client would send."""

import http.client
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import mlflow
import pytest

from tests.patience import ANSWER_SECONDS
from tests.web import WebServer

ALWAYS = ("MLFLOW_DISABLE_TELEMETRY",)


def use_client(monkeypatch: pytest.MonkeyPatch, web: WebServer, key: str) -> mlflow.MlflowClient:
    """Point this process's mlflow at a tenant and return its client."""
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", key)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", web.url)
    monkeypatch.setenv("MLFLOW_REGISTRY_URI", web.url)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    mlflow.set_tracking_uri(web.url)
    mlflow.set_registry_uri(web.url)
    return mlflow.MlflowClient(web.url)


def run_script(
    web: WebServer, key: str, script: str, folder: Path, *, python: str | Path = sys.executable, **more: str
) -> str:
    """Run Python code with the stock client in a process of its own. Returns what it printed."""
    # What the client of an earlier test left in this process, such as its experiment and registry, is none of the script's.
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_") or name in ALWAYS}
    values = kept | {
        "MLFLOW_TRACKING_TOKEN": key,
        "MLFLOW_TRACKING_URI": web.url,
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
        "GIT_PYTHON_REFRESH": "quiet",
    }
    command = [str(python), "-c", script]
    done = subprocess.run(
        command, env=values | more, cwd=folder, capture_output=True, text=True, timeout=400, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def raw(
    web: WebServer, key: str, method: str, path: str, body: bytes | Any = None, **headers: str
) -> tuple[int, dict[str, str], bytes]:
    """One request whose path is sent as it is written."""
    connection = http.client.HTTPConnection("127.0.0.1", web.port, timeout=ANSWER_SECONDS)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if isinstance(body, dict | list):
        body, named = json.dumps(body).encode(), {"Content-Type": "application/json"} | named
    base = {"Authorization": f"Bearer {key}", "Host": f"localhost:{web.port}"}
    connection.request(method, path, body, base | named, encode_chunked="Transfer-Encoding" in named)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, dict(answer.getheaders()), content
