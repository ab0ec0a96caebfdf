"""The tracking room's door: `manage.py prune_runs`: delete what has been in the trash for long enough."""

from typing import Any

from django.core.management.base import CommandParser
from django_tenants.utils import tenant_context

from apps.tenants import provisioning
from apps.tracking import retention
from maestro.clock import now_ms
from maestro.commands import MaestroCommand
from maestro.errors import Invalid


class Command(MaestroCommand):
    """Delete runs that have been in a tenant's trash for longer than --days, with all they logged."""

    help = __doc__
    example = "manage.py prune_runs --tenant acme --days 30 --dry-run"

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the arguments."""
        super().add_arguments(parser)
        parser.add_argument("--tenant", required=True, metavar="SLUG")
        parser.add_argument("--days", type=float, default=retention.KEEP_TRASH_DAYS, help="keep younger trash")
        parser.add_argument("--dry-run", action="store_true", help="count, and delete nothing")

    def answer(self, **options: Any) -> dict[str, Any]:
        """Prune, or count what would be."""
        days = options["days"]
        if not 0 <= days <= 36_500:
            raise Invalid("--days must lie between 0 and 36500", "bad_days")
        with tenant_context(provisioning.fetch(options["tenant"])):
            if options["dry_run"]:
                return {"would_delete": retention.prunable(now_ms(), days=days).count()}
            return {"deleted": retention.prune(now_ms(), days=days)}
