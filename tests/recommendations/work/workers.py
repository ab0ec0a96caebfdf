"""Real workers and a broker of a test's own, to kill."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from maestro.embedded.accounts import server_account
from maestro.embedded.programs import binaries, valkey
from tests import servers
from tests.patience import START_SECONDS
from tests.ports import claim_ports

ROOT = Path(__file__).resolve().parents[3]
BOOT = """
import sys
from config.celery import app
# A sweep for messages that are taken for lost comes every second, not every hundred (10 s, each tenth time).
app.conf.broker_transport_options = {
    "visibility_timeout": int(sys.argv[1]), "unacked_restore_interval": 1, "unacked_restore_throttle": 1
}
app.worker_main(["worker", "--loglevel", "INFO", "--without-gossip", "--without-mingle", *sys.argv[2:]])
"""


@dataclass
class Worker:
    """A Celery worker in a process group of its own."""

    process: subprocess.Popen[bytes]
    log: Path

    def kill(self) -> None:
        """End the worker and its pool as a power cut would, not its trainings: those have to notice by themselves."""
        pool = [int(pid) for pid in children(self.process.pid)]
        for pid in (self.process.pid, *pool):
            os.kill(pid, signal.SIGKILL)
        self.process.wait()

    def is_alive(self) -> bool:
        """Say whether it runs."""
        return self.process.poll() is None

    def said(self, text: str) -> int:
        """How often a text stands in its log."""
        return self.log.read_text(errors="replace").count(text)

    def training(self) -> int | None:
        """The process that does a training, once there is one."""
        for pool in children(self.process.pid):
            for child in children(int(pool)):
                line = Path(f"/proc/{child}/cmdline")
                # Its wish to die with its parent is set, and its memory bounded, after Django has started.
                if line.exists() and b"run_training" in line.read_bytes() and is_bounded(int(child)):
                    return int(child)
        return None


@dataclass
class Broker:
    """A Valkey that can be killed and comes back empty on the same port."""

    folder: Path
    port: int = field(default_factory=lambda: claim_ports(1)[0])
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its address."""
        return valkey.url(self.port, "broker-of-a-test")

    def start(self) -> None:
        """Start it, with nothing in it."""
        account = server_account()
        binary = binaries.valkey_program(account, servers.session_folder() / "programs")
        program = valkey.program(
            binary,
            self.folder / "valkey",
            port=self.port,
            password="broker-of-a-test",
            log=self.folder / "valkey.log",
            account=None,
            durable=False,
        )
        self.process = subprocess.Popen(program.command, env=dict(program.environment), stdout=subprocess.DEVNULL)
        wait_for(program.is_ready)

    def kill(self) -> None:
        """End it as a power cut would; what it held is gone."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()


@contextmanager
def a_worker(environment: dict[str, str], folder: Path, *arguments: str, visibility: int = 3600) -> Iterator[Worker]:
    """A worker on a test's database; ended afterwards, with all that it started."""
    log = folder / f"worker-{time.monotonic_ns()}.log"
    with log.open("wb") as words:
        process = subprocess.Popen(
            [sys.executable, "-c", BOOT, str(visibility), *arguments],
            cwd=ROOT,
            env=os.environ | environment,
            stdout=words,
            stderr=words,
        )
    worker = Worker(process, log)
    try:
        yield worker
    finally:
        if worker.is_alive():
            worker.kill()


def children(pid: int) -> list[str]:
    """The processes that a process has started, by any of its threads."""
    found: list[str] = []
    for listed in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += listed.read_text().split()
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def is_running(pid: int) -> bool:
    """Say whether a process is there and more than an entry that nobody has asked about yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def is_bounded(pid: int) -> bool:
    """Say whether a process has bounded its memory."""
    limits = Path(f"/proc/{pid}/limits").read_text()
    line = next(one for one in limits.splitlines() if one.startswith("Max data size"))
    return "unlimited" not in line.split()[3]


def wait_for(found: Callable[[], Any], seconds: float = START_SECONDS) -> Any:
    """Wait for a condition, or fail."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        result = found()
        if result:
            return result
        time.sleep(0.05)
    raise AssertionError("it did not happen in time")
