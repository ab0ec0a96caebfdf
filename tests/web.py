"""A real web server for the tests that need one: the stock mlflow client, browsers, threads."""

import base64
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from maestro.embedded.ports import HOST
from tests import servers
from tests.patience import START_SECONDS
from tests.ports import claim_ports

ROOT = Path(__file__).resolve().parent.parent


def environment(database: str, folder: Path, *, home: Path | None = None) -> dict[str, str]:
    """Write the environment of processes that work on one database and one folder of bytes."""
    postgres = servers.start_postgres()
    return {
        "DJANGO_SETTINGS_MODULE": "config.settings_test",
        "MAESTRO_DATABASE_URL": postgres.dsn("maestro_app", database),
        "MAESTRO_OWNER_DATABASE_URL": postgres.dsn("maestro_owner", database),
        "MAESTRO_REDIS_URL": servers.start_valkey(),
        "MAESTRO_STORAGE": f"file://{folder}",
        "MAESTRO_BASE_HOST": "localhost",
        "MAESTRO_HOME": str(home or folder.parent),
    }


def basic(key: str) -> str:
    """Write a key as the Basic header that the mlflow client sends."""
    return "Basic " + base64.b64encode(f"key:{key}".encode()).decode()


def manage(values: dict[str, str], *words: str) -> str:
    """Run one of our commands in an environment; returns what it printed. Raises CalledProcessError."""
    command = [sys.executable, str(ROOT / "manage.py"), *words]
    return subprocess.run(command, env=os.environ | values, check=True, capture_output=True, text=True).stdout


def issue_key(values: dict[str, str], slug: str) -> str:
    """Issue a contributor's key of a tenant by the operators' command."""
    words = ["--tenant", slug, "--role", "contributor", "--name", "made-for-a-test", "--output", "json"]
    return str(json.loads(manage(values, "issue_key", *words))["key"])


@dataclass
class WebServer:
    """A running granian. `url` is the base host; a tenant's pages are at `url_of(slug)` for a browser."""

    process: subprocess.Popen[bytes]
    port: int

    @property
    def url(self) -> str:
        """The base host: a key chooses the tenant."""
        return f"http://localhost:{self.port}"

    def url_of(self, slug: str) -> str:
        """A tenant's own host (browsers resolve *.localhost; Python does not)."""
        return f"http://{slug}.localhost:{self.port}"

    def stop(self) -> None:
        """End it, by force if it lingers."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def start_web(values: dict[str, str], *, workers: int = 1, threads: int = 8, options: Sequence[str] = ()) -> WebServer:
    """Start granian on a free port and wait until it answers."""
    (port,) = claim_ports(1)
    command = [
        sys.executable,
        "-m",
        "config.serve",
        "--host",
        HOST,
        "--port",
        str(port),
        "--workers",
        str(workers),
        "--blocking-threads",
        str(threads),
        "--log-level",
        "warning",
        *options,
    ]
    log = Path(values["MAESTRO_HOME"])
    log.mkdir(parents=True, exist_ok=True)
    with open(log / "web.log", "ab") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=os.environ | values, stdout=output, stderr=output)
    server = WebServer(process, port)
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(f"http://{HOST}:{port}/livez", timeout=10).close()
            return server
        except (urllib.error.URLError, OSError):
            if process.poll() is not None:
                break
            time.sleep(0.1)
    server.stop()
    raise RuntimeError(f"the web server did not start; see {log / 'web.log'}")


def start_worker(values: dict[str, str], log: Path) -> subprocess.Popen[bytes]:
    """Start a Celery worker with two processes."""
    command = [sys.executable, "-m", "celery", "-A", "config", "worker", "--loglevel", "INFO", "--concurrency", "2"]
    with open(log, "wb") as out:
        settings = os.environ | values | {"MAESTRO_LOG_LEVEL": "INFO"}
        return subprocess.Popen(command, cwd=ROOT, env=settings, stdout=out, stderr=out)
