"""The registry room's door: bring in what an MLflow server, an mlruns folder or a SQLite file of MLflow keeps."""

import os
from typing import Any

from django.core.management.base import CommandParser
from django_tenants.utils import tenant_context

from apps.registry.imports.mlflow.opening import open_source
from apps.registry.imports.mlflow.whole import Wanted, Whole
from apps.registry.imports.report import Report
from apps.registry.management.importing import ImportCommand
from apps.tenants import provisioning
from apps.tracking.models import Project
from maestro.clock import now_ms
from maestro.principals import Actor


class Command(ImportCommand):
    """Bring in experiments, runs, histories, files, models, versions, aliases and traces of MLflow.

    A second time adds only what is new; after an end in the middle it goes on. At the end both sides are compared. Ends with
    code 5 if something was left out or differs.
    """

    help = __doc__
    example = "manage.py import_mlflow ./mlruns --tenant acme --project churn"

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the arguments."""
        super().add_arguments(parser)
        parser.add_argument("source", metavar="SOURCE", help="a server's URL, an mlruns folder, or a SQLite file")
        parser.add_argument(
            "--project", default="", help="the slug of the project that takes it (else the default one)"
        )
        parser.add_argument("--experiment", action="append", default=[], help="only this one; may be given again")
        parser.add_argument("--artifacts", default="", help="the folder of the files that a SQLite file tells of")

    def answer(self, **options: Any) -> dict[str, Any]:
        """Bring it in, or say what would come."""
        report = Report()
        with tenant_context(provisioning.fetch(options["tenant"])):
            names = (options["source"], report)
            kept = {"artifacts": options["artifacts"], "name": options["source_name"], "environment": os.environ}
            source = open_source(*names, **kept)
            project = Project.objects.fetch(options["project"]).pk if options["project"] else None
            wanted = Wanted(project, frozenset(options["experiment"]))
            whole = Whole(source, wanted, report, by=Actor("import_mlflow", role="operator"), now=now_ms())
            whole.tell = self.tell
            if options["dry_run"]:
                whole.foresee()
            else:
                whole.bring()
        return self.told(report, dry_run=options["dry_run"])
