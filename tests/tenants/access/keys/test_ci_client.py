"""maestro-ci, as a CI job runs it: a process of its own, a real server, a real issuer."""

import os
import stat
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import orjson
import pytest

from apps.tenants.access.models import TrustedPublisher
from apps.tenants.models import Tenant
from tests.issuer import Issuer
from tests.patience import START_SECONDS
from tests.playing import CLIENT
from tests.tenants.access.keys.conftest import CLAIMS
from tests.web import WebServer

LOGIN = ("login", "--file", "maestro.env")
JOB = CLAIMS | {"sub": "repo:a/b", "event_name": "push", "repository": "a/b"}


def run(*arguments: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("MAESTRO_", "GITHUB_", "ACTIONS_"))
    }
    values = kept | {"HOME": str(folder), "MAESTRO_TOKEN_FILE": str(folder / "token")} | variables
    command = [sys.executable, "-I", str(CLIENT), *arguments]
    return subprocess.run(
        command, env=values, cwd=folder, capture_output=True, text=True, check=False, timeout=START_SECONDS
    )


def test_a_gitlab_job_logs_in_and_is_known(
    server: WebServer, committed: Tenant, trusted: TrustedPublisher, ci_issuer: Issuer, tmp_path: Path
) -> None:
    place = {"MAESTRO_URL": server.url, "MAESTRO_TENANT": committed.slug}
    token = ci_issuer.token(**JOB, aud=trusted.audience)
    done = run(*LOGIN, "--output", "json", folder=tmp_path, **place, MAESTRO_ID_TOKEN=token)
    assert done.returncode == 0, done.stderr
    assert orjson.loads(done.stdout)["project"] == str(trusted.project_id)
    kept = tmp_path / "token"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert kept.read_text().strip() not in done.stdout
    who = run("whoami", "--output", "json", folder=tmp_path, **place)
    assert orjson.loads(who.stdout) | {"id": ""} == {
        "kind": "job",
        "id": "",
        "name": "github: a/b",
        "role": "contributor",
        "tenant": committed.slug,
        "project": str(trusted.project_id),
        "scopes": [],
        "project_roles": {},
    }
    again = run(*LOGIN, folder=tmp_path, **place, MAESTRO_ID_TOKEN=token)
    assert again.returncode == 3
    assert "used before" in again.stderr


def test_a_github_job_asks_for_its_token_by_itself(
    server: WebServer, committed: Tenant, trusted: TrustedPublisher, ci_issuer: Issuer, tmp_path: Path
) -> None:
    asked: list[Any] = []

    class Actions(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.path, self.headers["Authorization"]))
            body = orjson.dumps({"value": ci_issuer.token(**JOB, aud=trusted.audience)})
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            """Say nothing."""

    runner = ThreadingHTTPServer(("127.0.0.1", 0), Actions)
    Thread(target=runner.serve_forever, args=(0.05,), daemon=True).start()
    variables = {
        "MAESTRO_URL": server.url,
        "MAESTRO_TENANT": committed.slug,
        "ACTIONS_ID_TOKEN_REQUEST_URL": f"http://127.0.0.1:{runner.server_address[1]}/token?api=1",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "runner-secret",
        "GITHUB_ENV": str(tmp_path / "env"),
    }
    done = run(*LOGIN, folder=tmp_path, **variables)
    runner.shutdown()
    runner.server_close()
    assert done.returncode == 0, done.stderr
    assert asked == [(f"/token?api=1&audience=maestro%3A{committed.slug}", "Bearer runner-secret")]
    key = (tmp_path / "token").read_text().strip()
    assert done.stdout.startswith(f"::add-mask::{key}\n")
    assert f"MLFLOW_TRACKING_TOKEN={key}\n" in (tmp_path / "env").read_text()


@pytest.mark.parametrize(
    ("arguments", "variables", "code", "says"),
    [
        ((), {}, 2, "usage"),
        (("login",), {"MAESTRO_URL": "http://localhost:1"}, 2, "--file maestro.env"),
        (("login",), {"MAESTRO_URL": "http://localhost:1", "GITHUB_ENV": "env"}, 2, "--file maestro.env"),
        (LOGIN, {}, 2, "MAESTRO_URL"),
        (LOGIN, {"MAESTRO_URL": "http://maestro.example.org"}, 2, "not https"),
        (LOGIN, {"MAESTRO_URL": "http://localhost:1"}, 3, "id-token: write"),
        (("whoami",), {"MAESTRO_URL": "http://localhost:1"}, 2, "can't be read"),
        (("whoami",), {"MAESTRO_URL": "http://localhost:1", "MAESTRO_TOKEN_FILE": ""}, 2, "set MAESTRO_TOKEN"),
        (LOGIN, {"MAESTRO_URL": "http://localhost:1", "MAESTRO_ID_TOKEN_FILE": "/nowhere"}, 2, "can't be read"),
    ],
)
def test_what_is_missing_is_named(
    arguments: tuple[str, ...], variables: dict[str, str], code: int, says: str, tmp_path: Path
) -> None:
    done = run(*arguments, folder=tmp_path, **variables)
    assert (done.returncode, says in done.stderr) == (code, True), done.stderr


def test_a_wrong_key_is_exit_3_and_no_server_is_exit_7(server: WebServer, tmp_path: Path) -> None:
    wrong = run("whoami", folder=tmp_path, MAESTRO_URL=server.url, MAESTRO_TOKEN="mst_wrong")
    assert wrong.returncode == 3
    none = run("whoami", folder=tmp_path, MAESTRO_URL="http://localhost:1", MAESTRO_TOKEN="mst_wrong")
    assert none.returncode == 7


def test_the_server_serves_the_same_file(client: Any, db: None) -> None:
    assert client.get("/ci/maestro", headers={"host": "localhost"}).content == CLIENT.read_bytes()
    assert client.post("/ci/maestro", headers={"host": "localhost"}).status_code == 405
