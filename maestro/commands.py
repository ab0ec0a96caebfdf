"""The floor: the base of every management command: --output json, progress on stderr, the exit codes of docs/api.md.

Exit codes: 0 done, 1 unexpected, 2 usage, 3 not allowed, 4 not found, 5 conflict, 7 unavailable, 8 time-out.
"""

import argparse
import json
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError

from maestro import errors
from maestro.errors import MaestroError

EXIT_CODES: tuple[tuple[type[MaestroError], int], ...] = (
    (errors.Unauthenticated, 3),
    (errors.Forbidden, 3),
    (errors.NotFound, 4),
    (errors.Conflict, 5),
    (errors.Invalid, 2),
    (errors.Unavailable, 7),
)


def exit_code_for(error: MaestroError) -> int:
    """Choose the exit code of a refusal."""
    return next((code for kind, code in EXIT_CODES if isinstance(error, kind)), 1)


class MaestroCommand(BaseCommand):
    """A command that answers a person or a script. Subclasses implement `answer` and may add `example` lines."""

    requires_system_checks: list[str] = []
    example = ""

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        """Show the example below the help."""
        epilog = f"example:\n  {self.example}" if self.example else None
        return super().create_parser(
            prog_name,
            subcommand,
            epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            **kwargs,
        )

    def add_arguments(self, parser: CommandParser) -> None:
        """Add what all commands share."""
        parser.add_argument("--output", choices=("table", "json"), default="table", help="how to print the result")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run, print, and turn a refusal into an exit code."""
        self.as_json = options["output"] == "json"
        try:
            result = self.answer(**options)
        except MaestroError as error:
            raise CommandError(error.detail, returncode=exit_code_for(error)) from error
        except OperationalError as error:
            raise CommandError(f"the database does not answer: {str(error).splitlines()[0]}", returncode=7) from error
        self.show(result)

    def answer(self, *args: Any, **options: Any) -> dict[str, Any]:
        """Do the work; return what to print."""
        raise NotImplementedError

    def show(self, result: dict[str, Any]) -> None:
        """Print data on stdout: one JSON document, or a line for each value."""
        if self.as_json:
            self.stdout.write(json.dumps(result, default=str))
            return
        width = max((len(name) for name in result), default=0)
        for name, value in result.items():
            self.stdout.write(f"{name.ljust(width)}  {value}")

    def say(self, line: str) -> None:
        """Print progress on stderr, so that stdout stays data."""
        self.stderr.write(line, style_func=lambda text: text)
        sys.stderr.flush()
