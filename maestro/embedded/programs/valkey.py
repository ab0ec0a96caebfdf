"""Floor: a Valkey of our own: the broker, the cache and the throttles of the demo and the tests."""

import os
import socket
from pathlib import Path

from maestro.embedded.accounts import Account, give
from maestro.embedded.ports import HOST
from maestro.embedded.processes import Program


def url(port: int, password: str) -> str:
    """Return the address for redis clients."""
    return f"redis://:{password}@{HOST}:{port}/0"


def program(
    binary: Path, folder: Path, *, port: int, password: str, log: Path, account: Account | None, durable: bool
) -> Program:
    """Return the server as a program. `durable` keeps queued tasks over a restart, at most 1 s behind."""
    folder.mkdir(mode=0o700, exist_ok=True)
    give(folder, account)
    settings = folder / "valkey.conf"
    settings.unlink(missing_ok=True)
    settings.touch(mode=0o600)
    lines = [f"bind {HOST}", f"port {port}", "protected-mode yes", f"requirepass {password}", f'dir "{folder}"']
    lines += ['save ""', f"appendonly {'yes' if durable else 'no'}", "maxmemory-policy noeviction"]
    settings.write_text("\n".join(lines) + "\n")
    give(settings, account)
    return Program(
        name="valkey",
        # In a file, as every user of the machine can read a command line.
        command=[str(binary), str(settings)],
        log=log,
        environment={"PATH": os.defpath, "HOME": str(folder), "LANG": "C.UTF-8"},
        is_ready=lambda: pong(port, password),
        account=account,
        ready_seconds=15,
        stop_seconds=5,
        note=f" on {HOST}:{port}",
    )


def pong(port: int, password: str) -> bool:
    """True if the server answers PING to somebody who knows the password."""
    try:
        with socket.create_connection((HOST, port), timeout=1) as connection:
            connection.sendall(f"AUTH {password}\r\nPING\r\n".encode())
            answer = b""
            while answer.count(b"\r\n") < 2:
                part = connection.recv(256)
                if not part:
                    return False
                answer += part
    except OSError:
        return False
    return answer == b"+OK\r\n+PONG\r\n"
