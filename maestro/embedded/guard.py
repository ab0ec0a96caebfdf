"""Floor: a small process that waits for its owner to die and then ends what the owner left running.

Run as `python -m maestro.embedded.guard OWNER_PID PID_FOLDER [FOLDER_TO_REMOVE]`. It is what keeps
`kill -9` of the supervisor, or of pytest, from leaving servers behind. SIGTERM makes it clean up at once.
"""

import contextlib
import os
import select
import shutil
import signal
import sys
import time
from pathlib import Path
from types import FrameType

from maestro.embedded.processes import Record, read_records, start_time, stop_records

STOP_SECONDS = 8.0


def main(arguments: list[str]) -> int:
    """Wait for the owner's end (or SIGTERM), then stop every recorded process but this one."""
    owner, folder = int(arguments[0]), Path(arguments[1])
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, leave)
    with contextlib.suppress(SystemExit):
        wait_for_end(owner)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    clean_up(folder)
    own = Record.read(folder / "guard.pid")
    if own is not None and own.pid == os.getpid():
        (folder / "guard.pid").unlink(missing_ok=True)
    if len(arguments) > 2:
        shutil.rmtree(arguments[2], ignore_errors=True)
        Path(f"{arguments[2]}.lock").unlink(missing_ok=True)
    return 0


def leave(_number: int, _frame: FrameType | None) -> None:
    """Turn SIGTERM into an exception, so that the wait ends."""
    raise SystemExit(0)


def wait_for_end(owner: int) -> None:
    """Block until the process is gone; costs nothing while it lives."""
    try:
        handle = os.pidfd_open(owner)
    except ProcessLookupError:
        return
    except OSError:  # a kernel before 5.3, or a sandbox that forbids it
        started = start_time(owner)
        while start_time(owner) == started:
            time.sleep(0.5)
        return
    try:
        select.select([handle], [], [])
    finally:
        os.close(handle)


def clean_up(folder: Path) -> None:
    """Stop what the pid files name. Files that a newer run wrote meanwhile are left alone."""
    records = [record for record in read_records(folder) if record.pid != os.getpid()]
    stop_records(records, STOP_SECONDS)
    for record in records:
        path = folder / f"{record.name}.pid"
        if Record.read(path) == record:
            path.unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
