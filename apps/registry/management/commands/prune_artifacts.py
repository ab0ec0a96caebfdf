"""The registry room's door: `manage.py prune_artifacts`: empty the old trash of artifacts and versions now."""

from typing import Any

from django.core.management.base import CommandParser
from django_tenants.utils import tenant_context

from apps.registry.trash import pruning
from apps.tenants import provisioning
from apps.tracking.models.retention import MOST_DAYS
from maestro.clock import now_ms
from maestro.commands import MaestroCommand
from maestro.errors import Invalid


class Command(MaestroCommand):
    """Delete artifacts and versions for ever that have been in the trash for too long.

    The rules for runs say how long: of an artifact's project, or of all projects for what is shared. --days overrides them.
    The bytes that nothing names then are dropped by sweep_blobs; the dry run counts them.
    """

    help = __doc__
    example = "manage.py prune_artifacts --tenant acme --dry-run"

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the arguments."""
        super().add_arguments(parser)
        parser.add_argument("--tenant", required=True, metavar="SLUG")
        parser.add_argument("--days", type=float, default=None, help="keep younger trash, whatever the rules say")
        parser.add_argument("--dry-run", action="store_true", help="say what would go, and change nothing")

    def answer(self, **options: Any) -> dict[str, Any]:
        """Prune, or count what would be."""
        days = options["days"]
        if days is not None and not 0 <= days <= MOST_DAYS:
            raise Invalid(f"--days must lie between 0 and {MOST_DAYS}", "bad_days")
        with tenant_context(provisioning.fetch(options["tenant"])):
            act = pruning.outlook if options["dry_run"] else pruning.prune
            return {"dry_run": options["dry_run"], **act(now_ms(), days=days)}
