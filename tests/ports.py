"""Ports for the tests' servers: free, and claimed until this process ends, so that no other test run takes one before it is used."""

import fcntl
import os
import tempfile
from pathlib import Path

from maestro.embedded.errors import CannotStart
from maestro.embedded.ports import free_ports

TRIES = 100


def claim(port: int) -> bool:
    """Take a port for this process. The kernel gives it back when the process ends, however it does."""
    folder = Path(tempfile.gettempdir()) / f"maestro-test-ports-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    handle = os.open(folder / str(port), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return False
    return True


def claim_ports(count: int) -> list[int]:
    """Return ports that are free now and that no other test run has claimed, all different."""
    found: list[int] = []
    for _ in range(TRIES):
        found += [port for port in free_ports(count - len(found)) if claim(port)]
        if len(found) == count:
            return found
    raise CannotStart(f"No {count} ports that no other test run has claimed.")
