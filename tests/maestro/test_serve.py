"""The web server: workers share what was loaded, and a killed one comes back."""

import http.client
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django_tenants.utils import tenant_context
from granian.cli import cli

from apps.tenants.models import Tenant
from apps.tracking.models import Experiment, Run
from config.serve import OURS, threads_of
from maestro.http.heavy import WEB_THREADS
from tests.patience import ANSWER_SECONDS, START_SECONDS
from tests.web import WebServer, start_web


@pytest.fixture(scope="module")
def two(test_environment: dict[str, str], django_db_setup: None) -> Iterator[WebServer]:
    server = start_web(test_environment | {"MAESTRO_DEBUG": "0"}, workers=2)
    yield server
    server.stop()


def children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(word) for word in text.split()]


def shared_share(pid: int) -> float:
    """The part of a process's resident memory that another process uses too."""
    sizes = dict(line.split(":") for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:])
    size = {name: int(value.split()[0]) for name, value in sizes.items()}
    return (size["Shared_Clean"] + size["Shared_Dirty"]) / size["Rss"]


def test_workers_share_the_application(two: WebServer) -> None:
    workers = children(two.process.pid)
    assert len(workers) == 2
    # Spawned workers share little but the interpreter's and libraries' code, a seventh of what they hold.
    assert all(shared_share(pid) > 0.5 for pid in workers)


def test_a_killed_worker_is_replaced(two: WebServer) -> None:
    before = children(two.process.pid)
    os.kill(before[0], signal.SIGKILL)
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and not set(children(two.process.pid)) - set(before):
        time.sleep(0.1)
    after = children(two.process.pid)
    assert before[0] not in after
    assert len(after) == 2
    answers = [urllib.request.urlopen(f"{two.url}/readyz", timeout=ANSWER_SECONDS).status for _ in range(20)]
    assert answers == [200] * 20


def test_a_worker_that_holds_too_much_is_replaced(test_environment: dict[str, str], django_db_setup: None) -> None:
    little = ("--workers-max-rss", "20", "--rss-sample-interval", "1", "--rss-samples", "1")
    server = start_web(test_environment | {"MAESTRO_DEBUG": "0"}, options=little)
    try:
        before = children(server.process.pid)
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and before[0] in children(server.process.pid):
            time.sleep(0.1)
        assert before[0] not in children(server.process.pid)
        assert urllib.request.urlopen(f"{server.url}/livez", timeout=ANSWER_SECONDS).status == 200
    finally:
        server.stop()


def test_a_worker_that_leaves_costs_no_request(two: WebServer, committed: Tenant, key_for: Callable[..., str]) -> None:
    before = children(two.process.pid)
    with tenant_context(committed):
        home = Experiment.objects.get(pk=0)
        run = Run.objects.create(experiment=home, name="slow", start_ms=0, last_write_ms=0)
    link = http.client.HTTPConnection("127.0.0.1", two.port, timeout=ANSWER_SECONDS)
    link.putrequest("PUT", f"/api/2.0/mlflow-artifacts/artifacts/0/{run.pk.hex}/artifacts/slow.bin")
    for name, value in {"Authorization": f"Bearer {key_for(committed)}", "Content-Length": "2000000"}.items():
        link.putheader(name, value)
    link.endheaders(bytes(1_000_000))
    two.process.send_signal(signal.SIGHUP)
    deadline = time.monotonic() + START_SECONDS
    while not set(children(two.process.pid)) - set(before) and time.monotonic() < deadline:
        assert urllib.request.urlopen(f"{two.url}/livez", timeout=ANSWER_SECONDS).status == 200
    link.send(bytes(1_000_000))
    assert link.getresponse().status == 200
    while set(children(two.process.pid)) & set(before) and time.monotonic() < deadline:
        assert urllib.request.urlopen(f"{two.url}/livez", timeout=ANSWER_SECONDS).status == 200
    assert not set(children(two.process.pid)) & set(before)


def test_how_many_threads_there_are_is_read_as_the_server_reads_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRANIAN_BLOCKING_THREADS", "6")
    assert threads_of(cli, [*OURS, "config.wsgi:application"]) == 6
    assert threads_of(cli, [*OURS, "--workers", "2", "--blocking-threads", "4", "config.wsgi:application"]) == 4
    assert threads_of(cli, ["--blocking-threads", "none"]) == WEB_THREADS


def test_an_unsafe_start_ends_in_one_line(test_environment: dict[str, str]) -> None:
    unsafe = os.environ | test_environment | {"MAESTRO_SECRET_KEY": "changeme", "MAESTRO_DEBUG": "0"}
    command = [sys.executable, "-m", "config.serve", "--port", "1", "--workers", "2"]
    done = subprocess.run(command, env=unsafe, capture_output=True, text=True, timeout=ANSWER_SECONDS, check=False)
    assert done.returncode != 0
    assert "MAESTRO_SECRET_KEY" in done.stderr.strip().splitlines()[-1]
