"""The releases of docs/ci/README.md, run as each CI runs them: pushed, asked, promoted once approved, and reported."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.test import Client

from apps.registry.models import Alias, ArtifactVersion, Promotion
from apps.tenants.models import Tenant
from apps.tracking.models import Project
from tests.issuer import Issuer
from tests.registry.client.conftest import others
from tests.tenants.access.keys.test_ci_lines import FORGES, MORE, PAGE, STRICT, runner, shown
from tests.web import WebServer

TITLES = {
    "github": "A release on GitHub Actions",
    "gitlab": "A release on GitLab CI",
    "jenkins": "A release on Jenkins",
}
SHELLS = [
    ("github", ("bash", "-e")),
    ("github", STRICT),
    ("gitlab", ("sh", "-e")),
    ("gitlab", ("bash", "-eo", "pipefail")),
    ("jenkins", ("sh", "-xe")),
]
# What a training leaves: a run with a figure, and files. The stock client is not what is tried here.
TRAIN = """
import json, os, pathlib, urllib.request

def call(path, body):
    url = os.environ["MLFLOW_TRACKING_URI"] + "/api/2.0/mlflow/" + path
    headers = {"Authorization": "Bearer " + os.environ["MLFLOW_TRACKING_TOKEN"], "Content-Type": "application/json"}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers, method="POST")
    return json.loads(urllib.request.urlopen(request).read())

known = pathlib.Path("experiment")
if not known.exists():
    tags = [{"key": "maestro.project", "value": "churn"}]
    known.write_text(call("experiments/create", {"name": "release", "tags": tags})["experiment_id"])
run = call("runs/create", {"experiment_id": known.read_text()})["run"]["info"]["run_id"]
call("runs/log-metric", {"run_id": run, "key": "auc", "value": float(os.environ["AUC"]), "timestamp": 1})
pathlib.Path("run").write_text(run)
pathlib.Path("out").mkdir(exist_ok=True)
pathlib.Path("out/encoder.txt").write_text(os.environ["AUC"])
"""


def steps_of(kind: str) -> tuple[list[str], dict[str, str]]:
    """Take the scripts, one a step, and the settings out of the page, as that CI does."""
    found = re.search(rf"^### {TITLES[kind]}\n.*?^```\w+\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert found
    text = found[1]
    if kind == "github":
        told = yaml.safe_load(text)
        return [step["run"] for step in told["jobs"]["release"]["steps"] if "run" in step], told["env"]
    if kind == "gitlab":
        told = yaml.safe_load(text)["release"]
        return ["\n".join(told["script"]) + "\n"], told["variables"]
    lines = re.search(r"sh '''\n(.*?)'''", text, re.DOTALL)
    assert lines
    return [lines[1]], dict(re.findall(r"'(MAESTRO_\w+)=([^']*)'", text))


def handed_on(file: Path) -> dict[str, str]:
    """What GitHub gives a step of what an earlier one wrote."""
    lines = file.read_text().splitlines() if file.exists() else []
    return dict(line.split("=", 1) for line in lines)


def environments(kind: str, folder: Path, token: str, python: str) -> Iterator[dict[str, str]]:
    """What each CI sets before a step."""
    programs = folder / "bin"
    programs.mkdir(exist_ok=True)
    (programs / "python3").unlink(missing_ok=True)
    (programs / "python3").symlink_to(python)
    values = {"HOME": str(folder), "PATH": f"{programs}:{os.environ['PATH']}"}
    own = {
        "github": {"CI": "true", "GITHUB_ACTIONS": "true", "GITHUB_SHA": "c0ffee", "GITHUB_RUN_ID": "7"},
        "gitlab": {"CI": "true", "GITLAB_CI": "true", "CI_COMMIT_SHA": "c0ffee", "CI_PIPELINE_ID": "7"},
        "jenkins": {"JENKINS_URL": "https://jenkins.example.org/", "GIT_COMMIT": "c0ffee", "BUILD_TAG": "churn-7"},
    }[kind]
    with runner(token) as asked:
        while True:
            if kind == "github":
                summary, env = folder / "summary.md", folder / "github.env"
                own |= asked | {"GITHUB_STEP_SUMMARY": str(summary), "GITHUB_ENV": str(env)} | handed_on(env)
            elif kind == "gitlab":
                own["MAESTRO_ID_TOKEN"] = token
            else:
                own["MAESTRO_ID_TOKEN_FILE"] = str(folder / "identity")
            yield values | own


def run_job(
    kind: str, shell: tuple[str, ...], folder: Path, token: str, *, python: str = sys.executable, **more: str
) -> tuple[int, str]:
    """Run the steps until one fails; returns the code and the whole log."""
    (folder / "train.py").write_text(TRAIN)
    (folder / "identity").write_text(token)
    (folder / "github.env").unlink(missing_ok=True)
    scripts, settings = steps_of(kind)
    code, log = 0, ""
    for script, values in zip(scripts, environments(kind, folder, token, python), strict=False):
        (folder / "step.sh").write_text(script)
        done = subprocess.run(
            [*shell, "step.sh"],
            env=values | {name: str(value) for name, value in settings.items()} | more,
            cwd=folder,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            timeout=240,
        )
        code, log = done.returncode, log + done.stdout
        if code:
            break
    return code, log


@pytest.fixture
def let_in(committed: Tenant, api: Callable[..., Client], ci_issuer: Issuer) -> Callable[[str], str]:
    """Trust a job of a CI; returns new identities of it."""
    Project.objects.create(slug="churn", name="Churn")

    def token(kind: str) -> str:
        wish = {"name": kind, "kind": kind, "issuer": ci_issuer.url, "claims": FORGES[kind], "project": "churn"}
        boss = api(committed, "admin")
        made = boss.post("/api/v1/publishers/", wish, content_type="application/json").json()
        audience = made.get("audience") or f"maestro:{committed.slug}"
        return ci_issuer.token(**({"sub": "repo:a/b"} | FORGES[kind] | MORE.get(kind, {})), aud=audience)

    return token


def place_of(server: WebServer, tenant: Tenant) -> dict[str, str]:
    return {"MAESTRO_URL": server.url, "MAESTRO_TENANT": tenant.slug, "MAESTRO_AUDIENCE": f"maestro:{tenant.slug}"}


def approve(boss: Client, promotion: Promotion) -> None:
    path = f"/api/v1/artifacts/encoder/promotions/{promotion.pk}/"
    seen = boss.get(path)["ETag"]
    word = {"decision": "approve", "why": "seen"}
    answer = boss.post(f"{path}approvals/", word, content_type="application/json", headers={"if-match": seen})
    assert answer.status_code == 200, answer.content


@pytest.mark.parametrize(("kind", "shell"), SHELLS, ids="".join)
def test_a_release_is_pushed_waits_for_approval_and_is_reported(
    kind: str,
    shell: tuple[str, ...],
    server: WebServer,
    committed: Tenant,
    api: Any,
    let_in: Callable[[str], str],
    tmp_path: Path,
) -> None:
    place = place_of(server, committed)
    code, log = run_job(kind, shell, tmp_path, let_in(kind), AUC="0.8", **place)
    assert code == 0, log
    assert "NOT MET: 0 of 1 approvals" in log
    assert "waiting" in log
    version = ArtifactVersion.objects.get(artifact__name="encoder")
    assert (version.number, version.tags.get(key="commit").value) == (1, "c0ffee")
    assert version.run_hex == (tmp_path / "run").read_text()
    approve(api(committed, "approver"), Promotion.objects.get())
    assert Alias.objects.get(name="serving").version == version
    code, log = run_job(kind, shell, tmp_path, let_in(kind), AUC="0.9", **place)
    assert code == 0, log
    report = tmp_path / ("summary.md" if kind == "github" else "report.md")
    assert "| auc | 0.8 | 0.9 | +0.1 (+12.5%) |" in report.read_text()
    assert shown(log, (tmp_path / "maestro.env.key").read_text().strip()) == []


@pytest.mark.parametrize("python", others(), ids=lambda path: Path(path).name)
def test_a_release_runs_on_every_python(
    server: WebServer, committed: Tenant, let_in: Callable[[str], str], tmp_path: Path, python: str
) -> None:
    code, log = run_job(
        "gitlab", ("sh", "-e"), tmp_path, let_in("gitlab"), python=python, AUC="0.8", **place_of(server, committed)
    )
    assert code == 0, log
    assert ArtifactVersion.objects.get(artifact__name="encoder").number == 1


@pytest.mark.parametrize(("kind", "shell"), SHELLS, ids="".join)
def test_a_release_ends_where_something_goes_wrong(
    kind: str,
    shell: tuple[str, ...],
    server: WebServer,
    committed: Tenant,
    api: Any,
    let_in: Callable[[str], str],
    tmp_path: Path,
) -> None:
    boss = api(committed, "admin")
    made = boss.put("/api/v1/artifacts/encoder/", {"kind": "model"}, content_type="application/json")
    assert made.status_code == 201, made.content
    code, log = run_job(kind, shell, tmp_path, let_in(kind), AUC="0.8", **place_of(server, committed))
    assert code == 3, log
    assert not (tmp_path / "report.md").exists()
