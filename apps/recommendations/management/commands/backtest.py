"""Recommendations room, a command: answer case folders with what the product would have shown."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.recommendations.cases import backtest


class Command(BaseCommand):
    """Run every case through the same functions that serve tenants."""

    help = "Answer the case folders below DIR and write one CSV row per score, forecast, effect or refusal."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """DIR and FILE, and which kind of case."""
        parser.add_argument("--cases", type=Path, required=True, metavar="DIR", help="folder of case folders")
        parser.add_argument("--output", type=Path, required=True, metavar="FILE", help="CSV file to write")
        parser.add_argument("--only", choices=backtest.KINDS, help="answer one kind of case alone")

    def handle(self, *args: Any, cases: Path, output: Path, only: str | None = None, **options: Any) -> None:
        """Answer, telling each case on the error stream."""
        if not cases.is_dir():
            raise CommandError(f"{cases} is not a folder", returncode=4)
        if not output.parent.is_dir():
            raise CommandError(f"{output.parent} is not a folder", returncode=4)

        def tell(number: int, of: int, name: str) -> None:
            self.stderr.write(f"[{number}/{of}] {name}")

        try:
            count = backtest.run_cases(cases, output, tell, only=only)
        except (OSError, KeyError, ValueError) as error:
            raise CommandError(f"a case could not be read: {error}", returncode=2) from error
        if not count:
            raise CommandError(f"no case folder below {cases}", returncode=4)
        self.stdout.write(f"answered {count} cases into {output}")
