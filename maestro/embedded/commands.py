"""Floor: what `python -m maestro.embedded` can do."""

import argparse
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from maestro.embedded.accounts import server_account
from maestro.embedded.home import Home
from maestro.embedded.servers import start_servers
from maestro.embedded.supervisor import Supervisor, guard_program
from maestro.embedded.terminal import say


def find_home() -> Home:
    """Return the home that MAESTRO_HOME names, else the project's."""
    return Home(Home.default_folder(), server_account())


@contextmanager
def running(options: argparse.Namespace) -> Iterator[tuple[Home, Supervisor]]:
    """Hold a home's lock and a supervisor; whatever happens inside, every server is ended after it."""
    home = find_home()
    home.prepare()
    home.acquire()
    try:
        home.choose_data_folder()
        supervisor = Supervisor(home.run, say, watch_parent=options.with_parent)
        supervisor.listen()
        supervisor.clear_leftovers()
        try:
            supervisor.launch(guard_program(os.getpid(), home.run, home.log("guard")))
            yield home, supervisor
        finally:
            supervisor.stop()
            say("stopped")
    finally:
        home.release()


def servers(options: argparse.Namespace) -> int:
    """Start Postgres and Valkey alone and stay, for development."""
    with running(options) as (home, supervisor):
        start_servers(home, supervisor)
        say(f"addresses are in {home.server_env}; Ctrl-C ends both")
        supervisor.forever()
    return 0


COMMANDS: dict[str, tuple[Callable[[argparse.Namespace], int], str]] = {
    "servers": (servers, "Start Postgres and Valkey alone and stay; addresses go to server.env."),
}
