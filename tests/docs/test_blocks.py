"""Every block of README and docs that a reader is meant to run is run here, or stands in a list with the reason."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class
from django.test import Client
from django.urls import resolve

from apps.tenants.models import Tenant
from apps.tracking.files import blobs
from apps.tracking.models import Experiment, Project, Run
from maestro.commands import MaestroCommand
from tests.docs.blocks import ROOT, Block, blocks, pages
from tests.factories.door import Door
from tests.patience import ANSWER_SECONDS
from tests.web import WebServer

RUN_ELSEWHERE = {
    "README.md: make demo    # everything on this machin": "tests/maestro/embedded/test_demo.py starts it; `make check` is what runs this",
    "docs/ci/README.md: curl -fsS -X POST": "tests/tenants/access/keys/test_ci_lines.py runs it",
    'docs/ci/README.md: curl -fsS "$MAESTRO_URL/ci/maestro" -o': "tests/tenants/access/keys/test_ci_lines.py runs it in each CI's file",
    "docs/ci/README.md: export MAESTRO_URL=https://maestro.examp": "tests/tenants/access/keys/test_ci_lines.py runs it",
}

# What a block that was run has to say.
SAYS = {
    "README.md: set -a": "first {'loss': 0.01}",
    "docs/registry.md: # 1. the artifact": '"version":"1"',
    "docs/process.md: # connect the project": '"state":"pong"',
    "docs/first-pipeline.md: # 1. once": '"act":"promotion"',
    "docs/registry.md: # what you look for often": '"name":"encoders that help"',
    "docs/registry.md: # once, by an admin": '"is_trusted":true',
}


def is_elsewhere(block: Block) -> bool:
    return any(block.name.startswith(name) for name in RUN_ELSEWHERE)


HERE = [block for block in blocks() if not is_elsewhere(block)]


def a_project(door: Door) -> None:
    """The project that the examples speak of, with the runs that they count on, and some bytes."""
    blobs.store([b"some bytes"])
    project = Project.objects.create(slug="churn", name="Churn", problem_class="classification")
    experiment = Experiment.objects.create(name="churn", project=project, created_ms=1, updated_ms=1)
    for _ in range(12):
        run = door.run(str(experiment.pk))
        door.post("runs/log-metric", {"run_id": run, "key": "auc", "value": 0.95, "timestamp": 1, "step": 0})


def a_folder(folder: Path, values: dict[str, str]) -> Path:
    """A checkout as the blocks expect it: the demo's addresses, our commands, a file to register."""
    (folder / ".maestro").mkdir()
    (folder / ".maestro" / "demo.env").write_text("".join(f"{name}={value}\n" for name, value in values.items()))
    (folder / "encoder.bin").write_bytes(b"what was learnt")
    for name in ("mlflow-3.17.2", "dvc-3"):
        with tarfile.open(ROOT / "tests" / "registry" / "imports" / f"{name}.tar.xz") as packed:
            packed.extractall(folder, filter="data")
    shutil.copy(ROOT / "tests" / "registry" / "imports" / "feast-registry.json", folder / "feast.json")
    tools = folder / "tools"
    tools.mkdir()
    (tools / "manage.py").write_text(f'#!/bin/sh\nexec {sys.executable} {ROOT}/manage.py "$@"\n')
    (tools / "manage.py").chmod(0o755)
    (tools / "model_signing").symlink_to(Path(sys.executable).with_name("model_signing"))
    return tools


def as_run_here(text: str, tenant: str) -> str:
    """Say what is not as on the page: the tests' tenant, and the environment of the tests instead of a new one."""
    text = re.sub(r"^python3 -m venv .*\n", "", text, flags=re.MULTILINE)
    text = text.replace("/tmp/tour/bin/python", sys.executable)  # noqa: S108
    return re.sub(r"tenant acme\b(?!-)", f"tenant {tenant}", text)


@pytest.mark.parametrize("block", HERE, ids=[block.name for block in HERE])
def test_a_block_of_the_pages_does_what_it_says(
    block: Block,
    web: WebServer,
    committed: Tenant,
    key_for: Callable[..., str],
    api: Callable[..., Client],
    test_environment: dict[str, str],
    tmp_path: Path,
) -> None:
    a_project(Door(api(committed)))
    values = {"MAESTRO_URL": web.url, "MAESTRO_TOKEN": key_for(committed, "admin")}
    values["MAESTRO_ADMIN_URL"] = f"{web.url_of(committed.slug)}/admin/"
    tools = a_folder(tmp_path, values)
    shell = ["bash", "-euo", "pipefail", "-c"] if block.kind != "python" else [sys.executable, "-c"]
    done = subprocess.run(
        [*shell, as_run_here(block.text, committed.slug)],
        cwd=tmp_path,
        env=os.environ | test_environment | values | {"PATH": f"{tools}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=ANSWER_SECONDS,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert not re.search(r'"status": ?[45]\d\d', done.stdout), done.stdout
    for path in re.findall(r"^http://\S+?(/admin/tracking/\S+)$", done.stdout, re.MULTILINE):
        assert resolve(path, urlconf="config.urls").kwargs["object_id"] == Run.objects.latest("pk").pk.hex
    for name, words in SAYS.items():
        if block.name.startswith(name):
            assert words in done.stdout, done.stdout


def test_each_block_is_run_or_listed_and_no_row_of_a_list_is_stale() -> None:
    names = [block.name for block in blocks()]
    assert len(HERE) >= 6
    for row in [*RUN_ELSEWHERE, *SAYS]:
        assert any(name.startswith(row) for name in names), row


def test_every_target_of_make_that_the_pages_name_is_there() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {
        (page.name, target)
        for page in pages()
        for target in re.findall(r"(?:`|^|=\d+ )make ([a-z-]+)", page.read_text(), re.MULTILINE)
    }
    assert len(named) > 5
    assert [row for row in named if row[1] not in targets] == []


def test_every_command_that_the_page_for_operators_lists_is_there_and_answers_in_json() -> None:
    page = (ROOT / "docs" / "operators.md").read_text()
    listed = {
        name
        for row in re.findall(r"^\| (`.*?) \|", page, re.MULTILINE)
        for name in re.findall(r"`([a-z]+_?[a-z]*)", row)
    }
    commands = get_commands()
    assert {"create_tenant", "export_runs", "show_roles"} <= listed & set(commands)
    for name in sorted(listed & set(commands)):
        command = load_command_class(commands[name], name)
        assert isinstance(command, MaestroCommand) is (name not in ("backtest", "check")), name


def test_the_tour_of_a_demo_that_is_away_ends_with_one_line(tmp_path: Path) -> None:
    values = {"MAESTRO_URL": "http://localhost:1", "MAESTRO_TOKEN": "mst_demo_x_y", "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, str(ROOT / "docs" / "tour.py")],
        env=os.environ | values,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=ANSWER_SECONDS,
    )
    assert done.returncode == 1
    assert "start `make demo`" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
