"""The registry room's door: bring in what a Feast registry keeps."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser
from django_tenants.utils import tenant_context

from apps.registry.imports.feast.dump import Dump
from apps.registry.imports.feast.whole import Whole
from apps.registry.imports.folder import Folder
from apps.registry.imports.named import Origin
from apps.registry.imports.report import Report
from apps.registry.management.importing import ImportCommand
from apps.tenants import provisioning
from apps.tracking.models import Project
from maestro.clock import now_ms
from maestro.principals import Actor

MOST_BYTES = 256 * 2**20


class Command(ImportCommand):
    """Bring in feature views as artifacts, each state of one as a version, and the services that read them as lineage.

    Reads what `feast registry-dump` printed. A second time adds only what has changed, and notes which columns did. Ends with
    code 5 if something was left out.
    """

    help = __doc__
    example = "feast registry-dump > feast.json && manage.py import_feast feast.json --tenant acme"

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the arguments."""
        super().add_arguments(parser)
        parser.add_argument("file", metavar="FILE", help="the output of `feast registry-dump`")
        parser.add_argument(
            "--project", default="", help="the slug of the project that it belongs to (else all share it)"
        )

    def answer(self, **options: Any) -> dict[str, Any]:
        """Bring it in, or say what would come."""
        report, path = Report(), Path(options["file"])
        dump = Dump(Folder(path.parent).read(path.name, MOST_BYTES), report)
        with tenant_context(provisioning.fetch(options["tenant"])):
            project = Project.objects.fetch(options["project"]).pk if options["project"] else None
            name = options["source_name"] or f"feast:{dump.project}"
            whole = Whole(dump, report, Origin(name, project, Actor("import_feast", role="operator"), now_ms()))
            if options["dry_run"]:
                whole.foresee()
            else:
                whole.bring()
        return self.told(report, dry_run=options["dry_run"])
