"""The tracking room's door: `manage.py export_runs`: write a tenant's runs to a CSV, JSON Lines or Parquet file."""

import os
import sys
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone
from django_tenants.utils import tenant_context

from apps.tenants import provisioning
from apps.tracking.exports import orders, parquet, rows
from apps.tracking.files import blobs
from apps.tracking.models import Experiment, Export, Project, Run
from apps.tracking.runs import selection
from apps.tracking.runs.selection import Wanted
from maestro.commands import MaestroCommand
from maestro.errors import Invalid, NotFound
from maestro.http.streams import pieces

VIEWS = {"active": "ACTIVE_ONLY", "deleted": "DELETED_ONLY", "all": "ALL"}


class Command(MaestroCommand):
    """Write runs to a file, as many as there are: all that a filter finds, a page in memory at a time."""

    help = __doc__
    example = 'manage.py export_runs --tenant acme --format parquet --file runs.parquet --filter "metrics.auc > 0.9"'

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the arguments."""
        super().add_arguments(parser)
        parser.add_argument("--tenant", required=True, metavar="SLUG")
        parser.add_argument("--format", choices=("csv", "jsonl", "parquet"), default="csv")
        parser.add_argument("--file", metavar="PATH", help="what to write, or - for standard output")
        parser.add_argument("--export", type=uuid.UUID, metavar="ID", help="write what was asked for over the API")
        parser.add_argument("--filter", default="", help="as in MLflow's runs/search, with OR and NOT")
        parser.add_argument("--project", metavar="SLUG", help="only runs of this project")
        parser.add_argument("--experiment", type=int, action="append", metavar="NUMBER", help="may be repeated")
        parser.add_argument("--status", default="", choices=Run.Status.values)
        parser.add_argument("--view", choices=tuple(VIEWS), default="active", help="whether the trash counts")
        parser.add_argument("--order-by", action="append", default=[], metavar="CLAUSE", help="may be repeated")
        parser.add_argument(
            "--column", action="append", default=[], help="metrics.<name>, params.<name> or tags.<name>; all without it"
        )

    def answer(self, **options: Any) -> dict[str, Any]:
        """Write the file."""
        if options["export"]:
            with tenant_context(provisioning.fetch(options["tenant"])):
                return self.write_asked(options["export"])
        if not options["file"]:
            raise Invalid("--file says what to write", "no_file")
        if options["file"] == "-" and options["format"] == "parquet":
            raise Invalid("Parquet needs a file to write to", "bad_file")
        with tenant_context(provisioning.fetch(options["tenant"])):
            wanted = self.wanted(options)
            wanted.parsed()
            if options["file"] == "-":
                self.write_text(sys.stdout.buffer, wanted, options)
                return {}
            path = Path(options["file"])
            with replacing(path) as partial:
                count = self.write_file(partial, wanted, options)
        return {"runs": count, "bytes": path.stat().st_size, "file": str(path)}

    def write_asked(self, identity: uuid.UUID) -> dict[str, Any]:
        """Write an export that waits; what it comes to is in its row. Raises NotFound."""
        asked = Export.objects.filter(pk=identity)
        export = asked.first()
        if export is None:
            raise NotFound("there is no such export")
        asked.update(state=Export.State.RUNNING, runs=0, reason="")
        self.tell = lambda count: asked.update(runs=count)  # type: ignore[method-assign,assignment]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "runs"
            chosen = {"format": export.format, "column": export.question["columns"]}
            count = self.write_file(path, orders.wanted_of(export.question), chosen)
            with open(path, "rb") as file:
                blob, _ = blobs.store(pieces(file.read))
        asked.update(state=Export.State.DONE, runs=count, blob=blob, ended_at=timezone.now())
        return {"runs": count, "bytes": blob.size_bytes, "export": str(identity)}

    def wanted(self, options: dict[str, Any]) -> Wanted:
        """Read which runs are meant. Raises NotFound."""
        homes = Experiment.objects.all() if options["view"] != "active" else Experiment.objects.active()
        if options["project"]:
            homes = homes.filter(project=Project.objects.fetch(options["project"]))
        if options["experiment"]:
            homes = homes.filter(pk__in=options["experiment"])
        numbers = list(homes.order_by("-pk").values_list("pk", flat=True))
        return Wanted(numbers, options["filter"], options["order_by"], VIEWS[options["view"]], options["status"])

    def write_file(self, path: Path, wanted: Wanted, options: dict[str, Any]) -> int:
        """Write one file; returns how many runs it holds."""
        if options["format"] == "parquet":
            columns = rows.read_columns(options["column"]) or rows.all_columns(selection.pages(wanted))
            return parquet.write(path, selection.pages(wanted), columns, self.tell)
        with open(path, "wb") as file:
            return self.write_text(file, wanted, options)

    def write_text(self, file: Any, wanted: Wanted, options: dict[str, Any]) -> int:
        """Write CSV or JSON Lines; returns how many runs."""
        count = 0

        def pages() -> Iterator[Sequence[Any]]:
            nonlocal count
            count = 0
            for page in selection.pages(wanted):
                yield page
                count += len(page)
                self.tell(count)

        for piece in rows.pieces(options["format"], pages, options["column"]):
            file.write(piece)
        return count

    def tell(self, count: int) -> None:
        """Say how far it has come, where somebody may be watching."""
        if sys.stderr.isatty():
            self.say(f"{count} runs")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Write beside a file and put it in its place when it is whole: nobody finds half of one."""
    if path.is_dir() or not path.parent.is_dir():
        raise Invalid(f"{path} can't be written: its folder must be there, and it must be no folder", "bad_file")
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
