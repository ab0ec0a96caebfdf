"""The registry room's door: `manage.py restore_artifact`: take an artifact or a version out of the trash."""

from typing import Any

from django.core.management.base import CommandParser
from django_tenants.utils import tenant_context

from apps.registry.models import Artifact, ArtifactVersion
from apps.registry.trash import artifacts, pruning, versions
from apps.tenants import provisioning
from maestro.clock import now_ms
from maestro.commands import MaestroCommand
from maestro.errors import NotFound
from maestro.principals import Actor

ACTOR = Actor("command:restore_artifact")
LISTED = 1_000


class Command(MaestroCommand):
    """Restore an artifact with the versions that went with it, or, with --number, one version of an artifact.

    Without --artifact it lists what lies in the trash. Of several artifacts with one name, the one that went last comes back.
    """

    help = __doc__
    example = "manage.py restore_artifact --tenant acme --artifact encoder --number 3"

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the arguments."""
        super().add_arguments(parser)
        parser.add_argument("--tenant", required=True, metavar="SLUG")
        parser.add_argument("--artifact", metavar="NAME|ID", help="what to restore; nothing lists the trash")
        parser.add_argument("--number", type=int, help="the number of one version of it that was thrown away")

    def answer(self, **options: Any) -> dict[str, Any]:
        """Restore one thing, or list what could be."""
        with tenant_context(provisioning.fetch(options["tenant"])):
            if not options["artifact"]:
                return listed()
            if options["number"] is None:
                artifact = artifacts.bring_back(newest(options["artifact"]), ACTOR, at_ms=now_ms())
                return {"artifact": artifact.name, "id": str(artifact.pk), "versions": artifact.versions.count()}
            version = versions.bring_back(numbered(options["artifact"], options["number"]), ACTOR, at_ms=now_ms())
            return {"artifact": version.artifact.name, "version": version.number, "id": str(version.pk)}


def newest(reference: str) -> Artifact:
    """The artifact of a name or id that went last. Raises NotFound."""
    return Artifact.everything.trashed().order_by("-deleted_ms").fetch(reference)


def numbered(reference: str, number: int) -> ArtifactVersion:
    """A version of an artifact that is there. Raises NotFound."""
    artifact = Artifact.objects.fetch(reference)
    rows = ArtifactVersion.everything.trashed().select_related("artifact").filter(artifact=artifact, number=number)
    found = rows.first()
    if found is None:
        raise NotFound(f"{artifact.name} has no version {number} in the trash")
    return found


def listed() -> dict[str, Any]:
    """Name what lies in the trash, what went last first, and when it goes for ever."""
    things = list(Artifact.everything.trashed().select_related("project").order_by("-deleted_ms")[:LISTED])
    alone = ArtifactVersion.everything.trashed().filter(artifact__deleted_ms=None)
    parts = list(alone.select_related("artifact__project").order_by("-deleted_ms")[:LISTED])
    ends = pruning.goes_at([*things, *parts])
    return {
        "artifacts": [{"name": row.name, "id": str(row.pk), **told(row, ends[row.pk])} for row in things],
        "versions": [{"artifact": row.artifact.name, "number": row.number, **told(row, ends[row.pk])} for row in parts],
    }


def told(row: Artifact | ArtifactVersion, goes_at: Any) -> dict[str, str]:
    """Tell by whom a thing was thrown away, and until when it can be restored."""
    return {"deleted_by": row.deleted_by, "goes_at": goes_at.isoformat()}
