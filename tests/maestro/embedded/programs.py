"""Small programs that stand for servers in these tests."""

import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from maestro.embedded.processes import Program
from tests.patience import ANSWER_SECONDS

# Writes its pid when it listens, and ends politely when asked.
POLITE = "import os,signal,sys,time; signal.signal(signal.SIGTERM, lambda *_: sys.exit(0)); "
NOTE_PID = "open(sys.argv[1], 'w').write(str(os.getpid())); "
SLEEP = "time.sleep(600)"
WITH_CHILD = "import subprocess; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']); "


def program(folder: Path, name: str, code: str = POLITE + NOTE_PID + SLEEP, *, stop_seconds: float = 5) -> Program:
    """Return a program that is ready when it wrote its pid to `<name>.up`."""
    mark = folder / f"{name}.up"
    return Program(
        name=name,
        command=[sys.executable, "-S", "-c", code, str(mark)],
        log=folder / f"{name}.log",
        environment={"PATH": os.defpath},
        is_ready=mark.exists,
        ready_seconds=ANSWER_SECONDS,
        stop_seconds=stop_seconds,
    )


@contextmanager
def open_folder() -> Iterator[Path]:
    """Lend a folder that the servers' user can enter when we are root; pytest closes its own to others."""
    folder = Path(tempfile.mkdtemp(prefix="maestro-home-"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def wait_for(condition: Callable[[], bool], seconds: float = ANSWER_SECONDS) -> bool:
    """Wait until something is so; False if it never is."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return condition()


def kill(pid: int) -> None:
    """Do what `kill -9` does."""
    os.kill(pid, signal.SIGKILL)
