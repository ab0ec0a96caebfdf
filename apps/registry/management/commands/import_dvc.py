"""The registry room's door: bring in what a DVC repository keeps."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser
from django_tenants.utils import tenant_context

from apps.registry.imports.dvc.cache import Cache
from apps.registry.imports.dvc.releases import Releases
from apps.registry.imports.dvc.repository import LOCK, Repository, WorkTree
from apps.registry.imports.dvc.whole import Whole
from apps.registry.imports.folder import Folder
from apps.registry.imports.named import Origin
from apps.registry.imports.report import Report
from apps.registry.management.importing import ImportCommand
from apps.tenants import provisioning
from apps.tracking.models import Project
from maestro.clock import now_ms
from maestro.principals import Actor


class Command(ImportCommand):
    """Bring in outputs of DVC as artifacts, their contents as versions, their stages as lineage.

    Reads dvc.lock, *.dvc, the `artifacts:` of dvc.yaml, at the commits that GTO tagged too, and bytes from the cache or from a
    remote that is a folder. A second time
    adds only what is new. Ends with code 5 if something was left out, such as bytes that no cache has.
    """

    help = __doc__
    example = "manage.py import_dvc ./repository --tenant acme --cache /srv/dvc-remote"

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the arguments."""
        super().add_arguments(parser)
        parser.add_argument("path", metavar="PATH", help="a repository's folder, or a dvc.lock")
        parser.add_argument(
            "--project", default="", help="the slug of the project that it belongs to (else all share it)"
        )
        parser.add_argument("--cache", action="append", default=[], help="a cache or remote folder; may be given again")

    def answer(self, **options: Any) -> dict[str, Any]:
        """Bring it in, or say what would come."""
        report, path = Report(), Path(options["path"])
        root = path.parent if path.name == LOCK else path
        own = root / ".dvc" / "cache"
        caches = [Folder(Path(one)) for one in options["cache"]] + ([Folder(own)] if own.is_dir() else [])
        with tenant_context(provisioning.fetch(options["tenant"])):
            project = Project.objects.fetch(options["project"]).pk if options["project"] else None
            name, by = options["source_name"] or str(root), Actor("import_dvc", role="operator")
            origin, folder = Origin(name, project, by, now_ms()), Folder(root)
            repository, releases = Repository(WorkTree(folder), report), Releases(folder, report)
            whole = Whole(repository, Cache(caches), report, origin=origin, releases=releases)
            whole.bring(dry_run=options["dry_run"])
        return self.told(report, dry_run=options["dry_run"])
