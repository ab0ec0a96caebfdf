"""The tenants room's door: `manage.py export_tenant`."""

import time
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from apps.tenants.management.asking import operator
from apps.tenants.moving import leaving
from maestro.commands import MaestroCommand

EVERY_SECONDS = 2.0
NOT_WHOLE = 5


class Command(MaestroCommand):
    """Write a whole tenant into a folder, in open formats, as of one moment."""

    help = (
        "Write a whole tenant into a folder: rows as JSON Lines, a file a table, bytes by their sha256, and a manifest with the "
        "sha256 of each file. As of one moment, while work goes on. Keys, passwords and other secrets stay. Repeated, it "
        "writes rows anew and brings only bytes that are not there. Ends with code 5 if the store lacks bytes."
    )
    example = "manage.py export_tenant acme --to /srv/acme"

    last = 0.0

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the arguments."""
        super().add_arguments(parser)
        parser.add_argument("slug", help="the tenant")
        parser.add_argument("--to", required=True, metavar="FOLDER", help="a folder that is empty, or holds its export")
        parser.add_argument("--dry-run", action="store_true", help="say what would be written, and write nothing")

    def answer(self, *, slug: str, to: str, dry_run: bool, **options: Any) -> dict[str, Any]:
        """Write it, or say what would be written."""
        self.missing: list[str] = []
        if dry_run:
            return {"tenant": slug, "dry_run": True, **leaving.foresee(slug)}
        left = leaving.leave(slug, Path(to), by=operator(), tell=self.tell)
        self.missing = left.missing
        return {"tenant": slug, "folder": to, **vars(left)}

    def show(self, result: dict[str, Any]) -> None:
        """Print what was written. Raises CommandError if the store lacks bytes."""
        super().show(result)
        if self.missing:
            raise CommandError(f"the store lacks {len(self.missing)} contents", returncode=NOT_WHOLE)

    def tell(self, line: str) -> None:
        """Say on a terminal how far it is, every few seconds."""
        if self.stderr.isatty() and time.monotonic() - self.last >= EVERY_SECONDS:
            self.last = time.monotonic()
            self.say(line)
