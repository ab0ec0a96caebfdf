"""Postgres frozen, restarted, crashed, out of disk: 503 or 507 in bounded time, then the same web server goes on."""

import os
import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from maestro.embedded.processes import family
from maestro.embedded.supervisor import Child
from tests import servers
from tests.hostile.test_outages import call
from tests.patience import ANSWER_SECONDS
from tests.web import WebServer, issue_key, manage, start_web

pytestmark = pytest.mark.slow

MLFLOW = "/api/2.0/mlflow"
STATEMENT_SECONDS, CONNECT_SECONDS = 2, 3
# A statement's time, the grace beyond it, a second between two looks, a new connection's time, and as much for a slow machine.
BOUND = 2 * (STATEMENT_SECONDS + 2 + 1 + CONNECT_SECONDS)


@dataclass
class Place:
    """A web server with a Postgres of its own."""

    web: WebServer
    child: Child
    key: str
    mark: Path

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any, dict[str, str]]:
        """Ask the web server as a contributor."""
        return call(self.web, self.key, method, path, body)

    def new_run(self) -> str:
        """Make a run."""
        status, told, _ = self.ask("POST", f"{MLFLOW}/runs/create", {"experiment_id": "0"})
        assert status == 200, told
        return str(told["run"]["info"]["run_id"])

    def timed(self, method: str, path: str, body: Any = None) -> tuple[int, Any, float]:
        """Ask, and tell the seconds too."""
        begun = time.monotonic()
        status, told, _ = self.ask(method, path, body)
        return status, told, time.monotonic() - begun

    def end_postgres(self, number: int) -> None:
        """End Postgres by a signal, and wait for it."""
        self.child.process.send_signal(number)
        self.child.process.wait(ANSWER_SECONDS)


@pytest.fixture(scope="module")
def place(test_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = servers.session_folder()
    name = f"postgres-{os.getpid()}"
    shim, mark = folder / f"{name}.so", folder / f"{name}.full"
    source = Path(__file__).with_name("full_disk.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", str(shim), str(source), "-ldl"], check=True)
    shim.chmod(0o755)
    told = {"LD_PRELOAD": str(shim), "FULL_DISK_MARK": str(mark)}
    server, child = servers.own_postgres(name, {"max_connections": "50", "autovacuum": "off"}, told)
    home = tmp_path_factory.mktemp("down")
    values = test_environment | {
        "MAESTRO_DATABASE_URL": server.dsn_app,
        "MAESTRO_OWNER_DATABASE_URL": server.dsn_owner,
        "MAESTRO_STATEMENT_TIMEOUT_MS": str(1000 * STATEMENT_SECONDS),
        "MAESTRO_TEST_PATIENCE": str(CONNECT_SECONDS),
        "MAESTRO_HOME": str(home),
    }
    manage(values, "migrate_tenants", "--ensure-tenant", "down")
    key = issue_key(values, "down")
    made = Place(start_web(values, threads=4), child, key, mark)
    yield made
    made.web.stop()
    made.child.process.kill()
    made.child.process.wait()


def at_once(count: int, *questions: Callable[[], tuple[int, Any, float]]) -> list[tuple[int, Any, float]]:
    """Ask all questions so many times, from as many threads."""
    with ThreadPoolExecutor(count * len(questions)) as pool:
        return [waiting.result() for waiting in [pool.submit(ask) for ask in questions * count]]


def until_well(place: Place, seconds: float = ANSWER_SECONDS) -> None:
    """Wait until a request is served."""
    deadline = time.monotonic() + seconds
    while place.ask("GET", "/api/v1/projects/")[0] != 200:
        assert time.monotonic() < deadline, "it does not recover"
        time.sleep(0.2)


def points_of(place: Place, run: str, key: str) -> list[float]:
    """Read a metric's values."""
    status, told, _ = place.ask("GET", f"{MLFLOW}/metrics/get-history?run_id={run}&metric_key={key}")
    assert status == 200, told
    return [point["value"] for point in told.get("metrics", [])]


def test_a_frozen_postgres_is_503_in_bounded_time_and_goes_on_when_it_thaws(place: Place) -> None:
    run = place.new_run()
    point = {"run_id": run, "metrics": [{"key": "frozen", "value": 1, "timestamp": 1, "step": 1}]}
    read = partial(place.timed, "GET", "/api/v1/projects/")
    search = partial(place.timed, "POST", f"{MLFLOW}/runs/search", {"experiment_ids": ["0"]})
    write = partial(place.timed, "POST", f"{MLFLOW}/runs/log-batch", point)
    # Every thread of the server holds a session by now, and the key is known.
    assert {status for status, _, _ in at_once(4, read, search)} == {200}
    postmaster = place.child.process.pid
    os.kill(postmaster, signal.SIGSTOP)
    frozen = [postmaster, *(family(postmaster) - {postmaster})]
    try:
        for pid in frozen:
            os.kill(pid, signal.SIGSTOP)
        for answers in (at_once(1, read, search, write), at_once(1, read, search, write)):
            assert [status for status, _, _ in answers] == [503, 503, 503], answers
            assert max(seconds for _, _, seconds in answers) < BOUND
        with urllib.request.urlopen(f"{place.web.url}/livez", timeout=ANSWER_SECONDS) as answer:
            assert answer.status == 200
        assert place.ask("GET", "/readyz")[0] == 503
    finally:
        for pid in frozen:
            os.kill(pid, signal.SIGCONT)
    until_well(place)
    # Nobody could know whether it was stored, so it is sent again, and counts once.
    assert write()[0] == 200
    assert points_of(place, run, "frozen") == [1]
    assert place.web.process.poll() is None


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT], ids=["restarted", "crashed"])
def test_after_postgres_was_away_the_same_server_goes_on_and_lacks_nothing(place: Place, number: int) -> None:
    run, told = place.new_run(), {}

    def log(step: int) -> None:
        metric = {"run_id": run, "key": "away", "value": step, "timestamp": 1, "step": step}
        told[step] = place.ask("POST", f"{MLFLOW}/runs/log-metric", metric)[0]

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(log, range(40)))
        assert set(told.values()) == {200}
        away = pool.map(log, range(40, 400))
        place.end_postgres(number)
        refused = [place.timed("POST", f"{MLFLOW}/runs/create", {"experiment_id": "0"}) for _ in range(4)]
        place.child = servers.start_again(place.child.program)
        list(away)
    assert [status for status, _, _ in refused] == [503] * 4, refused
    assert max(seconds for _, _, seconds in refused) < BOUND
    assert set(told.values()) == {200, 503}
    until_well(place)
    for step in range(400, 420):
        log(step)
    assert {told[step] for step in range(400, 420)} == {200}
    kept = points_of(place, run, "away")
    assert len(kept) == len(set(kept))
    assert {step for step, status in told.items() if status == 200} <= set(kept)
    assert place.web.process.poll() is None


def test_with_a_full_disk_a_batch_is_stored_whole_or_refused(place: Place) -> None:
    def log(run: str) -> tuple[int, Any]:
        params = [{"key": f"p{number}", "value": os.urandom(2000).hex()} for number in range(100)]
        return place.ask("POST", f"{MLFLOW}/runs/log-batch", {"run_id": run, "params": params})[:2]

    def params_of(run: str) -> int:
        status, told, _ = place.ask("GET", f"{MLFLOW}/runs/get?run_id={run}")
        assert status == 200, told
        return len(told["run"]["data"].get("params", []))

    runs = [place.new_run() for _ in range(12)]
    assert log(runs[0])[0] == 200
    place.mark.touch()
    try:
        answers = {run: log(run) for run in runs[1:]}
        refused = [run for run, (status, _) in answers.items() if status != 200]
        assert len(refused) > 5
        assert {status for status, _ in answers.values()} <= {200, 507}, answers
        assert "space" in answers[refused[-1]][1]["message"]
        # What is there can be read, and nothing was stored by halves.
        assert {run: params_of(run) for run in runs} == {run: 0 if run in refused else 100 for run in runs}
    finally:
        place.mark.unlink()
    assert [log(run)[0] for run in refused] == [200] * len(refused)
    assert {params_of(run) for run in runs} == {100}
    assert place.web.process.poll() is None
