"""Floor: ports on this machine's loopback: which are free, and a message for one that is not."""

import contextlib
import random
import socket

from maestro.embedded.errors import CannotStart

HOST = "127.0.0.1"
# Below Linux's range for outgoing connections (32768 and up), so that no client takes one meanwhile.
LOWEST, HIGHEST = 20_000, 32_000


def is_free(port: int) -> bool:
    """True if a server could listen on the port now. Lingering closed connections do not count."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def is_taken_on_ipv6(port: int) -> bool:
    """True if somebody listens on ::1, where `localhost` leads first: people would meet them, not us."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("::1", port)) == 0
    return False


def free_ports(count: int) -> list[int]:
    """Return ports that are free now, all different."""
    found: list[int] = []
    for port in random.sample(range(LOWEST, HIGHEST), k=min(2_000, HIGHEST - LOWEST)):
        if is_free(port):
            found.append(port)
        if len(found) == count:
            return found
    raise CannotStart(f"No {count} free ports between {LOWEST} and {HIGHEST} on {HOST}.")


def same_or_free(port: int | None) -> int:
    """Return the port of the last run if nobody took it, else another one."""
    if port is not None and is_free(port):
        return port
    return free_ports(1)[0]


def require_free(port: int, variable: str, command: str) -> None:
    """Raise CannotStart, naming the way out, if somebody else has the port."""
    if not 1 <= port <= 65_535:
        raise CannotStart(f"{variable} must be a port from 1 to 65535, not {port}.")
    if not is_free(port) or is_taken_on_ipv6(port):
        other = port + 1 if port < 65_535 else port - 1
        raise CannotStart(
            f"Port {port} on {HOST} is taken or not allowed: choose another one, "
            f"for example `{variable}={other} {command}`."
        )
