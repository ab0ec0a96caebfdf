"""The tenants room's door: `manage.py import_tenant`."""

import time
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from apps.tenants.management.asking import operator
from apps.tenants.moving import arriving
from maestro.commands import MaestroCommand

EVERY_SECONDS = 2.0
NOT_WHOLE = 5


class Command(MaestroCommand):
    """Make a tenant of an export, with the ids and digests that it had."""

    help = (
        "Make a tenant of what export_tenant wrote, here or in another installation of the same release: with equal ids and "
        "digests, compared at the end and printed. Nobody may enter it before that. Killed on its way it goes on when it is "
        "repeated; what is no whole export is refused and leaves nothing. Needs MAESTRO_OWNER_DATABASE_URL."
    )
    example = "manage.py import_tenant /srv/acme --slug acme"

    last = 0.0

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the arguments."""
        super().add_arguments(parser)
        parser.add_argument("folder", metavar="FOLDER", help="what export_tenant wrote")
        parser.add_argument("--slug", default="", help="another slug, and so another host, than it had")
        parser.add_argument("--dry-run", action="store_true", help="read and check all of it, and write nothing")

    def answer(self, *, folder: str, slug: str, dry_run: bool, **options: Any) -> dict[str, Any]:
        """Bring it in, or say what would come."""
        work = arriving.foresee(Path(folder), slug, tell=self.tell) if dry_run else self.arrive(folder, slug)
        self.missing = [] if dry_run else work.missing
        kinds = {name: {**vars(both), "is_equal": both.is_equal} for name, both in work.kinds.items()}
        return {"dry_run": dry_run, **vars(work), "kinds": kinds}

    def arrive(self, folder: str, slug: str) -> arriving.Arrived:
        """Bring it in."""
        return arriving.arrive(Path(folder), slug, by=operator(), tell=self.tell)

    def show(self, result: dict[str, Any]) -> None:
        """Print what each side has. Raises CommandError if the export itself lacks bytes."""
        if self.as_json:
            super().show(result)
        else:
            self.show_table(result)
        if self.missing:
            raise CommandError(f"the export lacks the bytes of {len(self.missing)} contents", returncode=NOT_WHOLE)

    def show_table(self, result: dict[str, Any]) -> None:
        """Print for a reader."""
        self.stdout.write(f"tenant {result['slug']} {result['id']}{' (resumed)' if result['was_resumed'] else ''}")
        self.stdout.write(f"{'':36}{'source':>12}{'here':>12}  content")
        for name, kind in result["kinds"].items():
            same = "" if result["dry_run"] else "equal" if kind["is_equal"] else "DIFFERS"
            self.stdout.write(f"{name:36}{kind['source']:>12,}{kind['here']:>12,}  {same}")
        for name, stayed in result["stayed"].items():
            self.stdout.write(f"left there: {name}, {stayed['rows']:,} rows: {stayed['reason']}")
        for name, reason in result["withheld"].items():
            self.stdout.write(f"left there: {name}: {reason}")
        for sha256 in result["missing"]:
            self.stdout.write(f"not in the export: the bytes of {sha256}")

    def tell(self, line: str) -> None:
        """Say on a terminal how far it is, every few seconds."""
        if self.stderr.isatty() and time.monotonic() - self.last >= EVERY_SECONDS:
            self.last = time.monotonic()
            self.say(line)
