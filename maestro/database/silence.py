"""The floor: let go of sessions whose server has fallen silent.

Postgres itself ends a statement that takes too long (statement_timeout). A Postgres that is frozen ends nothing, its kernel
goes on to confirm what arrives, so no keepalive fails, and libpq waits for ever. The thread that asked would then serve
nobody. So one thread a process looks at what its sessions wait for, and shuts the way to a server that has neither sent nor
taken anything for longer than a statement may last; who waits there gets the error of a lost connection.

Costs nothing on the way of a statement: since when a way is silent is known to the kernel (`struct tcp_info`, linux/tcp.h).
"""

import logging
import os
import socket
import struct
import threading
import time
import weakref
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus

logger = logging.getLogger(__name__)

GRACE = 2.0
TCP_INFO_BYTES = 104
LAST_SENT, LAST_RECEIVED = (
    44,
    52,
)  # where tcpi_last_data_sent and tcpi_last_data_recv begin, each 32 bits of milliseconds
lock = threading.Lock()
links: "weakref.WeakSet[psycopg.Connection[Any]]" = weakref.WeakSet()
# How long a silence may last, and the process that has a thread to look for it: a fork takes no threads along.
bound: float = 0
looking: int | None = None


def give_up_after(statement_seconds: float) -> None:
    """Let no session of this process, and of those it forks, wait much longer. Zero: statements may last for ever."""
    global bound
    bound = statement_seconds + GRACE if statement_seconds > 0 else 0


def watch(link: "psycopg.Connection[Any]") -> None:
    """Look after a session until it is closed, if this process was told to."""
    global looking
    if not bound:
        return
    with lock:
        links.add(link)
        if looking != os.getpid():
            looking = os.getpid()
            threading.Thread(target=look, args=(bound,), name="silence", daemon=True).start()


def silent_seconds(way: socket.socket) -> float:
    """Tell for how many seconds nothing was sent or received. Raises OSError where a way is no TCP."""
    told = way.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, TCP_INFO_BYTES)
    return min(struct.unpack_from("=I", told, place)[0] for place in (LAST_SENT, LAST_RECEIVED)) / 1000


def end_silent(seconds: float) -> int:
    """Shut the ways on which somebody has waited for so long; returns how many."""
    with lock:
        known = list(links)
    ended = 0
    for link in known:
        server = link.pgconn
        try:
            if server.transaction_status != TransactionStatus.ACTIVE:
                continue
            with socket.fromfd(server.socket, socket.AF_INET, socket.SOCK_STREAM) as way:
                if silent_seconds(way) > seconds and server.transaction_status == TransactionStatus.ACTIVE:
                    way.shutdown(socket.SHUT_RDWR)
                    ended += 1
        except (OSError, psycopg.Error):
            # It was closed meanwhile, or is a socket of this machine: that has no such clock.
            continue
    return ended


def look(seconds: float) -> None:
    """Look each second, until the process ends."""
    while True:
        time.sleep(1)
        if ended := end_silent(seconds):
            logger.warning("the database said nothing for %.0f s: gave up %d sessions", seconds, ended)
