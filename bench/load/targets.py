"""The bench's own: servers that are started, measured and ended: Maestro, and the original beside it."""

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from psycopg import sql

from bench.load.machine import ROOT, manage

TENANT = "bench"
START_SECONDS = 1_200  # the original takes 20 on a quiet machine and minutes on a busy one
MLFLOW_DATABASE, LIMIT_DATABASE = "bench_mlflow", "bench_limit"


@dataclass(frozen=True)
class Target:
    """A server to measure, or with `dsn` alone Postgres itself."""

    name: str
    url: str = ""
    token: str = ""
    pid: int = 0
    dsn: str = ""
    note: str = ""
    headers: tuple[str, ...] = field(default=())


def answers(url: str) -> bool:
    """Say whether a server answers at all."""
    try:
        urllib.request.urlopen(url, timeout=2).close()
    except urllib.error.HTTPError as error:
        return error.code < 500
    except OSError:
        return False
    return True


@contextmanager
def started(command: list[str], url: str, settings: dict[str, str], log: Path) -> Iterator[int]:
    """Start a server in a process group of its own and end all of that group afterwards."""
    # A bench that is told to stop ends its servers too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("bench: told to stop"))
    if answers(url):
        raise SystemExit(f"bench: something answers at {url} already; choose another port")
    with log.open("ab") as out:
        process = subprocess.Popen(
            command, cwd=ROOT, env=os.environ | settings, stdout=out, stderr=out, start_new_session=True
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while not answers(url):
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"bench: {command[0]} did not start; see {log}")
            time.sleep(0.1)
        yield process.pid
    finally:
        end_group(process)


def end_group(process: subprocess.Popen[bytes]) -> None:
    """End a server and what it started."""
    for wanted, seconds in ((signal.SIGTERM, 20), (signal.SIGKILL, 5)):
        try:
            os.killpg(process.pid, wanted)
            process.wait(seconds)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue


def serving(port: int, workers: int) -> list[str]:
    """Write the command of our web server, as the demo starts it."""
    command = [sys.executable, "-m", "config.serve", "--host", "127.0.0.1", "--port", str(port)]
    return [*command, "--workers", str(workers), "--blocking-threads", "8", "--log-level", "error"]


@contextmanager
def maestro(port: int, workers: int, log: Path, tenant: str = TENANT) -> Iterator[Target]:
    """Start a web server with a tenant and a key; end it afterwards."""
    url = f"http://127.0.0.1:{port}"
    manage("migrate_tenants", "--ensure-tenant", tenant)
    token = manage("issue_key", "--tenant", tenant, "--role", "contributor", "--name", "bench", "--days", "1")["key"]
    with started(serving(port, workers), f"{url}/livez", {"MAESTRO_RATE_KEY": "0"}, log) as pid:
        yield Target("maestro", url, token, pid, note=f"granian, {workers} workers")


def ensure_database(owner_dsn: str, name: str) -> str:
    """Make a database beside Maestro's, on the same server; returns its address."""
    with psycopg.connect(owner_dsn, autocommit=True) as owner:
        if owner.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone() is None:
            owner.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    return f"{owner_dsn.rpartition('/')[0]}/{name}"


@contextmanager
def mlflow(python: Path, port: int, workers: int, log: Path, dsn: str) -> Iterator[Target]:
    """Start the original server on a database of its own on the same Postgres."""
    asked = [str(python), "-c", "import mlflow; print(mlflow.__version__)"]
    version = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    url = f"http://127.0.0.1:{port}"
    files = log.parent / "mlflow-artifacts"
    command = [str(python), "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--workers", str(workers), "--backend-store-uri", dsn, "--artifacts-destination", str(files)]
    # On a busy machine its workers are slow to answer their parent, which would then end them.
    command += ["--uvicorn-opts", "--timeout-worker-healthcheck 300"]
    note = f"mlflow {version}, {workers} workers, without its job runner, on the same Postgres"
    with started(
        command, f"{url}/health", {"PYTHONPATH": "", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}, log
    ) as pid:
        yield Target("mlflow", url, "", pid, dsn, note)
