"""A real `mlflow server`, in an environment of its own, and what `seed_mlflow.py` puts into it."""

import os
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.clients import python_of
from tests.ports import claim_ports

HERE = Path(__file__).resolve().parent
START_SECONDS = 240.0


@contextmanager
def mlflow_server(folder: Path) -> Iterator[str]:
    """Start a server on an empty SQLite file, with files that it hands out itself; yields its address."""
    port = claim_ports(1)[0]
    python = python_of("full-3.17")
    kept = ["--backend-store-uri", f"sqlite:///{folder}/server.db", "--artifacts-destination", str(folder / "files")]
    command = [str(python), "-m", "mlflow", "server", "--port", str(port), "--workers", "1", *kept]
    with (folder / "server.log").open("wb") as log:
        # Its workers are in its own group, so that all of them end with it.
        server = subprocess.Popen(command, cwd=folder, env=quiet(), stdout=log, stderr=log, start_new_session=True)
    try:
        wait_for(f"http://127.0.0.1:{port}/health", server)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(server.pid, 15)
        server.wait(30)


def quiet() -> dict[str, str]:
    """The environment of a program that tells nobody of itself, and runs no jobs that nobody asks for."""
    return os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}


def wait_for(url: str, server: "subprocess.Popen[bytes]") -> None:
    """Wait until a server answers."""
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        assert server.poll() is None, "the server has ended"
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError("the server does not answer")


def seed(url: str, folder: Path) -> None:
    """Have a real client fill a store with a little of everything."""
    command = [str(python_of("full-3.17")), str(HERE / "seed_mlflow.py"), url]
    done = subprocess.run(command, cwd=folder, env=quiet(), capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
