"""Floor: `python -m maestro.embedded`: the servers of the demo from the command line."""

import argparse
import os
import sys
from collections.abc import Callable

from maestro.embedded.errors import CannotStart, Stopped

try:
    from maestro.embedded import commands
except ModuleNotFoundError as missing:
    sys.exit(f"maestro: the package {missing.name} is missing: `make install` installs it.")


def main(arguments: list[str]) -> int:
    """Run one command. Exit codes: 0 done or asked to stop, 1 failed, 2 wrong usage."""
    options = parser().parse_args(arguments)
    os.umask(0o077)  # logs, artifacts and data of a demo are nobody else's
    chosen: Callable[[argparse.Namespace], int] = options.run
    try:
        return chosen(options)
    except (Stopped, KeyboardInterrupt):
        return 0
    except CannotStart as problem:
        return fail(str(problem))
    except OSError as problem:
        return fail(f"{problem.strerror or problem}: {problem.filename or 'no file named'}")


def fail(text: str) -> int:
    """Say what is wrong in one line; return the exit code."""
    print(f"maestro: {' '.join(text.split())}", file=sys.stderr, flush=True)
    return 1


def parser() -> argparse.ArgumentParser:
    """Return the command line's grammar."""
    made = argparse.ArgumentParser(prog="python -m maestro.embedded", description=__doc__.partition(": ")[2])
    names = made.add_subparsers(required=True, metavar="COMMAND")
    for name, (run, text) in commands.COMMANDS.items():
        sub = names.add_parser(name, help=text, description=text)
        sub.set_defaults(run=run)
        if name in ("up", "servers"):
            sub.add_argument("--with-parent", action="store_true", help="end when the process that started it does")
        if name == "up":
            sub.add_argument("--empty", action="store_true", help="load no history: for work of your own")
        if name == "reset":
            sub.add_argument("--yes", action="store_true", help="delete a demo that runs without asking")
        if name == "status":
            sub.add_argument("--output", choices=["text", "json"], default="text")
    return made


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
