"""maestro-ci as a job runs it: a process of its own, on each Python that this machine has, against a real server."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from apps.tenants.models import Tenant
from tests.patience import ANSWER_SECONDS
from tests.playing import CLIENT
from tests.web import WebServer

NAMES = tuple(f"python3.{minor}" for minor in range(9, 16))
Done = subprocess.CompletedProcess[str]
Ci = Callable[..., Done]


def others() -> list[str]:
    """Every other Python of the versions that the client is for, as far as this machine has them."""
    folders = [Path("/usr/bin"), Path("/usr/local/bin"), *Path.home().glob(".pyenv/versions/*/bin")]
    found = {name: str(folder / name) for name in NAMES for folder in folders if (folder / name).is_file()}
    here = f"python3.{sys.version_info.minor}"
    return [path for name, path in sorted(found.items()) if name != here]


def run_client(*arguments: str, folder: Path, python: str = sys.executable, **variables: str) -> Done:
    """Run the client, with nothing of this job's environment but what is given."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    command = [python, "-I", str(CLIENT), *arguments]
    return subprocess.run(
        command,
        env=kept | {"HOME": str(folder)} | variables,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=ANSWER_SECONDS,
    )


@pytest.fixture
def ci(web: WebServer, committed: Tenant, key_for: Callable[..., str], tmp_path: Path) -> Ci:
    """Run the client as a key of the tenant."""

    def run(*arguments: str, role: str = "contributor", python: str = sys.executable, **variables: str) -> Done:
        place = {"MAESTRO_URL": web.url, "MAESTRO_TOKEN": key_for(committed, role)}
        return run_client(*arguments, folder=tmp_path, python=python, **(place | variables))

    return run


def told(done: Done) -> Any:
    """What a command that worked told a program."""
    assert done.returncode == 0, (done.args, done.stdout, done.stderr)
    return orjson.loads(done.stdout)


def write(folder: Path, files: dict[str, bytes]) -> Path:
    """A folder with these files and no others."""
    shutil.rmtree(folder, ignore_errors=True)
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder
