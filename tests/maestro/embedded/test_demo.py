"""The whole demo, without its history: a first page, a key that works, deaths survived, nothing left."""

import http.client
import json
import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from maestro.embedded import processes
from maestro.embedded.home import read_env
from maestro.embedded.ports import HOST
from maestro.embedded.processes import Record
from maestro.embedded.supervisor import PROJECT
from tests.maestro.embedded.programs import kill, open_folder, wait_for
from tests.patience import ANSWER_SECONDS, START_SECONDS
from tests.ports import claim_ports

# One demo for all of them, not one for each xdist worker.
pytestmark = pytest.mark.slow


class RunningDemo:
    """A demo in a home of its own, on a port of its own."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.port = claim_ports(1)[0]
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("MAESTRO_", "DJANGO_"))}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "maestro.embedded", "up", "--empty"],
            cwd=PROJECT,
            env=kept | {"MAESTRO_HOME": str(self.home), "MAESTRO_PORT": str(self.port)},
            stdout=subprocess.PIPE,
            text=True,
        )
        self.said: list[str] = []
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self) -> None:
        assert self.process.stdout is not None
        self.said.extend(self.process.stdout)

    def is_ready(self) -> bool:
        return any("Maestro is ready" in line for line in self.said) or self.process.poll() is not None

    def get(self, path: str, host: str, token: str = "") -> tuple[int, bytes]:
        """Ask as a browser or a client would; 0 if nobody answers."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=ANSWER_SECONDS)
        headers = {"Host": f"{host}:{self.port}"} | ({"Authorization": f"Bearer {token}"} if token else {})
        try:
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            return 0, b""
        finally:
            connection.close()

    def record(self, name: str) -> Record:
        found = Record.read(self.home / "run" / f"{name}.pid")
        assert found is not None
        return found


@pytest.fixture(scope="module")
def demo() -> Iterator[RunningDemo]:
    with open_folder() as folder:
        running = RunningDemo(folder)
        try:
            assert wait_for(running.is_ready, START_SECONDS), running.said
            yield running
        finally:
            running.process.send_signal(signal.SIGINT)
            code = running.process.wait(ANSWER_SECONDS)
        assert code == 0, running.said


def test_it_serves_people_and_keys_and_writes_how(demo: RunningDemo) -> None:
    values = read_env(demo.home / "demo.env")
    assert stat.S_IMODE((demo.home / "demo.env").stat().st_mode) == 0o600
    assert values["MAESTRO_URL"] == f"http://localhost:{demo.port}"
    assert values["MAESTRO_ADMIN_URL"] == f"http://demo.localhost:{demo.port}/admin/"
    status, page = demo.get("/admin/login/", "demo.localhost")
    assert status == 200
    assert b"password" in page
    status, body = demo.get("/api/v1/projects/", "localhost", values["MAESTRO_TOKEN"])
    assert status == 200
    assert isinstance(json.loads(body)["results"], list)
    forged = values["MAESTRO_TOKEN"][:-1] + ("1" if values["MAESTRO_TOKEN"].endswith("0") else "0")
    assert demo.get("/api/v1/projects/", "localhost", forged)[0] == 401
    assert any(values["MAESTRO_PASSWORD"] in line for line in demo.said)


def test_metrics_are_for_who_holds_the_token(demo: RunningDemo) -> None:
    token = read_env(demo.home / "server.env")["MAESTRO_METRICS_TOKEN"]
    assert demo.get("/metrics", "localhost", token)[0] == 200
    assert demo.get("/metrics", "localhost", "wrong")[0] == 404


@pytest.mark.parametrize("name", ["guard", "valkey", "postgres", "web", "worker", "beat"])
def test_it_survives_the_death_of_each_part(demo: RunningDemo, name: str) -> None:
    before = demo.record(name)
    kill(before.pid)
    assert wait_for(lambda: demo.record(name) != before, START_SECONDS)
    assert wait_for(lambda: demo.get("/readyz", "localhost")[0] == 200, START_SECONDS)
    token = read_env(demo.home / "demo.env")["MAESTRO_TOKEN"]
    assert wait_for(lambda: demo.get("/api/v1/projects/", "localhost", token)[0] == 200, START_SECONDS)
    assert processes.members(before.pid) == []


def test_its_addresses_are_there_as_soon_as_its_key_works(demo: RunningDemo) -> None:
    written = (demo.home / "demo.env").stat().st_mtime
    assert written <= (demo.home / "run" / "worker.pid").stat().st_mtime
