"""The registry room's doors: what commands that import share: arguments, progress, the table at the end, the exit code."""

import time
from typing import Any

from django.core.management.base import CommandError, CommandParser

from apps.registry.imports.report import Report
from maestro.commands import MaestroCommand

EVERY_SECONDS = 2.0
NOT_WHOLE = 5


class ImportCommand(MaestroCommand):
    """A command that brings in what another tool keeps."""

    last = 0.0

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare what all share."""
        super().add_arguments(parser)
        parser.add_argument("--tenant", required=True, metavar="SLUG")
        parser.add_argument("--dry-run", action="store_true", help="say what would come, and write nothing")
        parser.add_argument(
            "--source-name", default="", help="what the source is called, if it was moved since last time"
        )

    def tell(self, line: str) -> None:
        """Say on a terminal how far it is, every few seconds."""
        if self.stderr.isatty() and time.monotonic() - self.last >= EVERY_SECONDS:
            self.last = time.monotonic()
            self.say(line)

    def told(self, report: Report, *, dry_run: bool) -> dict[str, Any]:
        """Write the outcome; remember whether anything is missing."""
        self.is_whole = dry_run or report.is_whole
        return {"dry_run": dry_run, **report.told()}

    def show(self, result: dict[str, Any]) -> None:
        """Print the outcome: what each side has, what was left out, what differs. Raises CommandError unless all is here."""
        if self.as_json:
            super().show(result)
        else:
            self.show_table(result)
        if not self.is_whole:
            raise CommandError("not all of the source is here as it is there", returncode=NOT_WHOLE)

    def show_table(self, result: dict[str, Any]) -> None:
        """Print for a reader."""
        self.stdout.write(f"{'':20}{'source':>12}{'here':>12}{'new':>12}  content")
        for kind, tally in result["kinds"].items():
            same = "equal" if tally["source_sha256"] == tally["here_sha256"] else "DIFFERS"
            counts = "".join(f"{tally[name]:>12,}" for name in ("source", "here", "new"))
            self.stdout.write(f"{kind:20}{counts}  {'' if result['dry_run'] else same}")
        for line in result["mapped"]:
            self.stdout.write(f"mapped: {line}")
        for line in result["admitted"]:
            self.stdout.write(f"stands before a gate that it did not pass here: {line}")
        for one in result["left"]:
            self.stdout.write(f"left out: {one['kind']} {one['identity']}: {one['reason']}")
        for line in result["differences"]:
            self.stdout.write(f"differs: {line}")
        for name, shown in (("left_count", "left"), ("difference_count", "differences")):
            if result[name] > len(result[shown]):
                self.stdout.write(f"… and {result[name] - len(result[shown])} more of that")
