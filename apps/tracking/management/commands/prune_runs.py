"""The tracking room's door: `manage.py prune_runs`: let each project's rules for old runs take effect now."""

from typing import Any

from django.core.management.base import CommandParser
from django_tenants.utils import tenant_context

from apps.tenants import provisioning
from apps.tracking.models.retention import MOST_DAYS
from apps.tracking.retention import pruning
from maestro.clock import now_ms
from maestro.commands import MaestroCommand
from maestro.errors import Invalid


class Command(MaestroCommand):
    """Put runs that are too old into the trash, and delete what has been there for too long, with all it logged.

    Experiments in the trash go after the same time, once their runs are gone.

    Each project's rules say how long; --days overrides the time in the trash, for every project.
    """

    help = __doc__
    example = "manage.py prune_runs --tenant acme --days 30 --dry-run"

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the arguments."""
        super().add_arguments(parser)
        parser.add_argument("--tenant", required=True, metavar="SLUG")
        parser.add_argument("--days", type=float, default=None, help="keep younger trash, whatever the rules say")
        parser.add_argument("--dry-run", action="store_true", help="say what would go, by project, and change nothing")

    def answer(self, **options: Any) -> dict[str, Any]:
        """Prune, or count what would be."""
        days = options["days"]
        if days is not None and not 0 <= days <= MOST_DAYS:
            raise Invalid(f"--days must lie between 0 and {MOST_DAYS}", "bad_days")
        with tenant_context(provisioning.fetch(options["tenant"])):
            if not options["dry_run"]:
                done = {"trashed": pruning.expire(now_ms()), "deleted": pruning.prune(now_ms(), days=days)}
                return done | {"experiments": pruning.prune_experiments(now_ms(), days=days)}
            by_project = pruning.outlook(now_ms(), days=days)
            totals = {name: sum(counts[name] for counts in by_project.values()) for name in pruning.FORESEEN}
            return totals | {"by_project": by_project}
