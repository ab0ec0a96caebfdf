"""Floor: what `python -m maestro.embedded` can do."""

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from maestro.embedded import compose
from maestro.embedded.accounts import server_account
from maestro.embedded.demo import Demo
from maestro.embedded.errors import CannotStart
from maestro.embedded.home import Home
from maestro.embedded.ports import require_free
from maestro.embedded.processes import memory_kib, read_records, send
from maestro.embedded.servers import start_servers
from maestro.embedded.supervisor import Supervisor, guard_program
from maestro.embedded.terminal import say, show

DEFAULT_PORT = 8000
DOWN_SECONDS = 60.0
LETTING_GO_SECONDS = 10.0


def find_home() -> Home:
    """Return the home that MAESTRO_HOME names, else the project's."""
    return Home(Home.default_folder(), server_account())


def web_port() -> int:
    """Return MAESTRO_PORT, else 8000."""
    text = os.environ.get("MAESTRO_PORT", "").strip() or str(DEFAULT_PORT)
    if not text.isdecimal():
        raise CannotStart(f"MAESTRO_PORT must be a port from 1 to 65535, not {text!r}.")
    return int(text)


@contextmanager
def running(options: argparse.Namespace, port: int | None = None) -> Iterator[tuple[Home, Supervisor]]:
    """Hold a home's lock and a supervisor; whatever happens inside, every server is ended after it.

    Raises CannotStart if `port` is taken by somebody who is not left from an earlier run of ours.
    """
    home = find_home()
    home.prepare()
    home.acquire()
    supervisor = Supervisor(home.run, say, watch_parent=options.with_parent)
    supervisor.listen()
    try:
        home.choose_data_folder()
        home.trim_logs()
        supervisor.clear_leftovers()
        if port is not None:
            require_free(port, "MAESTRO_PORT", "make demo")
        supervisor.launch(guard_program(os.getpid(), home.run, home.log("guard")))
        yield home, supervisor
    finally:
        if supervisor.children:
            say("stopping")
            supervisor.stop()
            say("stopped, nothing is left running")
        home.release()


def up(options: argparse.Namespace) -> int:
    """Start the whole demo and stay."""
    port = web_port()
    with running(options, port) as (home, supervisor):
        Demo(home, supervisor, port, empty=options.empty).run()
    return 0


def servers(options: argparse.Namespace) -> int:
    """Start Postgres and Valkey alone and stay."""
    with running(options) as (home, supervisor):
        start_servers(home, supervisor)
        say(f"addresses are in {home.server_env}; Ctrl-C ends both")
        supervisor.forever()
    return 0


def down(_options: argparse.Namespace) -> int:
    """End a demo that runs elsewhere, or what is left of one that was killed."""
    home = find_home()
    owner = home.owner()
    if owner is None:
        if home.run.exists():
            Supervisor(home.run, say).clear_leftovers()
        show("nothing runs")
        return 0
    send(owner, signal.SIGTERM)
    deadline = time.monotonic() + DOWN_SECONDS
    while home.owner() == owner:
        if time.monotonic() > deadline:
            raise CannotStart(f"Process {owner} did not end within {DOWN_SECONDS:.0f} s.")
        time.sleep(0.1)
    show("stopped")
    return 0


def status(options: argparse.Namespace) -> int:
    """Show what runs, since when known to us, and how much memory it takes."""
    home = find_home()
    owner = home.owner()
    processes = [
        {"name": record.name, "pid": record.pid, "memory_mb": round(memory_kib(record.pid) / 1024, 1)}
        for record in reversed(read_records(home.run))
        if record.is_alive()
    ]
    if options.output == "json":
        show(json.dumps({"running": owner is not None, "supervisor": owner, "processes": processes}))
        return 0
    show(f"running, process {owner}" if owner else "nothing runs")
    for process in processes:
        show(f"  {process['name']:<10} process {process['pid']:<8} {process['memory_mb']:>8} MB")
    return 0


def agreed(home: Home) -> bool:
    """Ask before a demo that runs is deleted. Raises CannotStart where nobody can answer."""
    if not sys.stdin.isatty():
        raise CannotStart(
            "The demo runs: end it by `make demo-stop`, or say `make demo-reset YES=1`; nothing was deleted."
        )
    return input(f"The demo runs. End it and delete all that is in {home.folder}? [y/N] ").strip().lower() in (
        "y",
        "yes",
    )


def acquire_soon(home: Home) -> None:
    """Take the lock of a demo that ends: it forgets its number a moment before it lets go. Raises CannotStart."""
    deadline = time.monotonic() + LETTING_GO_SECONDS
    while True:
        try:
            return home.acquire()
        except CannotStart:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def reset(options: argparse.Namespace) -> int:
    """End the demo and delete its data and secrets."""
    home = find_home()
    if not home.folder.exists():
        show("nothing to delete")
        return 0
    if home.owner() is not None and not options.yes and not agreed(home):
        show("nothing was deleted")
        return 0
    down(options)
    acquire_soon(home)
    home.remove()
    show(f"deleted {home.folder}")
    return 0


def env(_options: argparse.Namespace) -> int:
    """Write .env with generated secrets for compose; what is set there already stays."""
    for line in compose.fill_env():
        show(line)
    return 0


COMMANDS: dict[str, tuple[Callable[[argparse.Namespace], int], str]] = {
    "up": (up, "Start the whole demo and stay; Ctrl-C ends it. MAESTRO_PORT chooses the port."),
    "down": (down, "End a demo that runs elsewhere, or what is left of one that was killed."),
    "status": (status, "Show what runs, and its memory: proportional set size, shared pages split."),
    "reset": (reset, "End the demo and delete its data and secrets."),
    "servers": (servers, "Start Postgres and Valkey alone and stay; addresses go to server.env."),
    "env": (env, "Write .env with generated secrets for compose; what is set there already stays."),
}
