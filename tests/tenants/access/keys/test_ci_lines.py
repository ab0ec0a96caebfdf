"""Every CI file of docs/ci/README.md, run as that CI runs it, with the job's whole log searched for the key."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import yaml
from django.test import Client

from apps.tenants.models import Tenant
from apps.tracking.models import Project, Run
from tests.issuer import Issuer
from tests.playing import ADMITTED, CLIENT, Answer, as_json, playing
from tests.web import WebServer

PAGE = (CLIENT.parent / "README.md").read_text()
TRAIN = """
import os, pathlib

pathlib.Path("trained").touch()
if os.environ.get("MLFLOW_TRACKING_TOKEN", "mst_acme_x_y") != "mst_acme_x_y":
    import mlflow

    client = mlflow.MlflowClient()
    experiment = client.create_experiment("from a job", tags={"maestro.project": "churn"})
    client.set_terminated(client.create_run(experiment).info.run_id)
"""
FORGES: dict[str, dict[str, str]] = {
    "github": {"repository_id": "4711", "repository_owner_id": "12", "ref": "refs/heads/main"},
    "gitlab": {"project_id": "3", "namespace_id": "9", "ref": "main"},
    "jenkins": {"sub": "https://jenkins.example.org/job/churn/"},
    "kubernetes": {"sub": "system:serviceaccount:ml:train", "kubernetes.io/serviceaccount/uid": "5-7"},
}
# What each forge's tokens say besides, by which they are known for what they are.
MORE = {"github": {"event_name": "push", "repository": "a/b"}, "gitlab": {"pipeline_source": "push"}}
STRICT = ("bash", "--noprofile", "--norc", "-eo", "pipefail")
# How each CI starts the shell of a job's lines, and what people add to look for a fault.
SHELLS = [
    ("github", ("bash", "-e")),
    ("github", (*STRICT, "-x")),
    ("gitlab", ("sh", "-e")),
    ("gitlab", ("bash", "-eo", "pipefail")),
    ("jenkins", ("sh", "-xe")),
    ("kubernetes", ("sh",)),
    ("kubernetes", ("sh", "-exv")),
    ("kubernetes", ("bash", "-euxvo", "pipefail")),
]
each_shell = pytest.mark.parametrize(("kind", "shell"), SHELLS, ids="".join)


def block(kind: str) -> str:
    """Find the page's CI file of a kind."""
    title = {"github": "GitHub Actions", "gitlab": "GitLab CI", "jenkins": "Jenkins"}.get(kind, "Anything with a shell")
    found = re.search(rf"^### {title}\n.*?^```\w+\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert found, title
    return found[1]


def lines_of(kind: str, text: str) -> tuple[str, dict[str, str]]:
    """Take the shell's lines and the settings out of a CI file, as that CI does."""
    if kind == "github":
        jobs = yaml.safe_load(text)
        steps = [step["run"] for step in jobs["jobs"]["train"]["steps"] if "run" in step]
        assert len(steps) == 1
        return steps[0], jobs["env"]
    if kind == "gitlab":
        job = yaml.safe_load(text)["train"]
        return "\n".join(job["script"]) + "\n", job["variables"]
    if kind == "jenkins":
        found = re.search(r"sh '''\n(.*?)'''", text, re.DOTALL)
        assert found
        return found[1], dict(re.findall(r"'(MAESTRO_\w+)=([^']*)'", text))
    exports = dict(re.findall(r"(MAESTRO_\w+)=(\S+)", text))
    return re.sub(r"^export .*\n", "", text, flags=re.MULTILINE), exports


@contextmanager
def runner(token: str) -> Iterator[dict[str, str]]:
    """GitHub's own server for identity tokens, and what a job is told of it."""

    class Actions(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"value": token}).encode())

        def log_message(self, *args: Any) -> None:
            """Say nothing."""

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Actions)
    Thread(target=listening.serve_forever, args=(0.05,), daemon=True).start()
    yield {
        "ACTIONS_ID_TOKEN_REQUEST_URL": f"http://127.0.0.1:{listening.server_port}/token?api=1",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "runner-secret",
    }
    listening.shutdown()
    listening.server_close()


def job(
    kind: str, shell: tuple[str, ...], text: str, folder: Path, token: str, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run a CI file's lines in a folder with a training; returns exit code and the log."""
    (folder / "train.py").write_text(TRAIN)
    (folder / "identity").write_text(token)
    lines, told = lines_of(kind, text)
    (folder / "job.sh").write_text(lines)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    values = {"HOME": str(folder), "PATH": path, "MLFLOW_DISABLE_TELEMETRY": "true", **told, **variables}
    command = [*shell, "job.sh"]
    with runner(token) as asked:
        if kind == "github":
            values |= asked | {"GITHUB_ENV": str(folder / "github.env")}
        elif kind == "gitlab":
            values |= {"MAESTRO_ID_TOKEN": token}
        else:
            values |= {"MAESTRO_ID_TOKEN_FILE": str(folder / "identity")}
        return subprocess.run(
            command,
            env={name: str(value) for name, value in values.items()},
            cwd=folder,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            timeout=120,
        )


def shown(log: str, key: str) -> list[str]:
    """Find the lines of a log that show a key, but for the one by which GitHub hides it."""
    return [line for line in log.splitlines() if key in line and line != f"::add-mask::{key}"]


@each_shell
def test_the_documented_lines_let_a_job_in_and_show_its_key_to_nobody(
    kind: str, shell: tuple[str, ...], server: WebServer, committed: Tenant, api: Any, ci_issuer: Issuer, tmp_path: Path
) -> None:
    project = Project.objects.create(slug="churn", name="Churn")
    wish = {"name": "main", "kind": kind, "issuer": ci_issuer.url, "claims": FORGES[kind], "project": "churn"}
    made = api(committed, "admin").post("/api/v1/publishers/", wish, content_type="application/json").json()
    ours = block(kind).replace("https://maestro.example.org", f"http://{committed.slug}.localhost")
    ours = ours.replace("acme", committed.slug)
    assert made["snippet"] == ours
    said = {"sub": "repo:a/b"} | FORGES[kind] | MORE.get(kind, {})
    token = ci_issuer.token(**said, aud=made["audience"])
    done = job(kind, shell, ours, tmp_path, token, MAESTRO_URL=server.url)
    assert done.returncode == 0, done.stdout
    key = (tmp_path / "maestro.env.key").read_text().strip()
    assert shown(done.stdout, key) == []
    assert (f"::add-mask::{key}" in done.stdout.splitlines()) is (kind == "github")
    assert [run.experiment.project_id for run in Run.objects.all()] == [project.id]
    if kind == "github":
        assert f"MLFLOW_TRACKING_TOKEN={key}\n" in (tmp_path / "github.env").read_text()


REFUSALS: list[tuple[int, dict[str, Any]]] = [
    (3, {"status": 403}),
    (5, {"status": 409}),
    (7, {"status": 503}),
    (1, {"status": 500}),
]


@each_shell
def test_a_job_that_is_not_let_in_ends_with_the_clients_exit_code(
    kind: str, shell: tuple[str, ...], tmp_path: Path
) -> None:
    for code, refusal in REFUSALS:

        def play(turn: int, status: int = refusal["status"]) -> Answer:
            return (200, {}, CLIENT.read_bytes()) if turn == 1 else as_json(status, {"detail": "no"}, Retry_After="0")

        with playing(play) as (url, _):
            done = job(kind, shell, block(kind), tmp_path, "token", MAESTRO_URL=url)
        left = sorted(path.name for path in tmp_path.iterdir())
        assert (done.returncode, left) == (code, ["identity", "job.sh", "maestro-ci", "train.py"]), done.stdout


def test_without_a_tenant_the_base_host_says_what_to_set(server: WebServer, committed: Tenant, tmp_path: Path) -> None:
    done = job("gitlab", ("sh", "-e"), block("gitlab"), tmp_path, "t", MAESTRO_URL=server.url, MAESTRO_TENANT="")
    assert done.returncode == 4, done.stdout
    assert "set MAESTRO_TENANT" in done.stdout
    assert not (tmp_path / "trained").exists()


def test_the_next_steps_of_a_github_job_have_what_login_handed_on(tmp_path: Path) -> None:
    def play(turn: int) -> Answer:
        return (200, {}, CLIENT.read_bytes()) if turn == 1 else as_json(201, ADMITTED)

    with playing(play) as (url, _):
        done = job("github", STRICT, block("github"), tmp_path, "token", MAESTRO_URL=url)
    assert done.returncode == 0, done.stdout
    handed = dict(line.split("=", 1) for line in (tmp_path / "github.env").read_text().splitlines())
    assert handed == {
        "MLFLOW_TRACKING_URI": url,
        "MLFLOW_TRACKING_TOKEN": ADMITTED["key"],
        "MAESTRO_TOKEN": ADMITTED["key"],
        "MAESTRO_TOKEN_FILE": str(tmp_path / "maestro.env.key"),
    }


def test_the_documented_trust_is_made_by_the_line_on_the_page(
    server: WebServer, committed: Tenant, key_for: Callable[..., str], tmp_path: Path
) -> None:
    Project.objects.create(slug="churn", name="Churn")
    found = re.search(r"^## Once.*?^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert found
    values = {"PATH": os.environ["PATH"], "MAESTRO_URL": server.url, "MAESTRO_TOKEN": key_for(committed, "admin")}
    done = subprocess.run(["sh", "-e", "-c", found[1]], env=values, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)
    assert (made["issuer"], made["claims"]) == ("https://token.actions.githubusercontent.com", FORGES["github"])
    client = Client(
        headers={"authorization": f"Bearer {values['MAESTRO_TOKEN']}", "host": f"{committed.slug}.localhost"}
    )
    assert client.get(f"/api/v1/publishers/{made['id']}/").json()["name"] == "churn main"
