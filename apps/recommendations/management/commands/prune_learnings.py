"""The recommendations room's door: `manage.py prune_learnings`."""

from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone
from django_tenants.utils import tenant_context

from apps.recommendations.work import pruning
from apps.tenants import provisioning
from maestro.commands import MaestroCommand


class Command(MaestroCommand):
    """Delete what old trainings left."""

    help = (
        "Delete models, forecasts and advice of old trainings that no page, no rollback and no evidence needs. "
        "The schedule does it every night; it may be repeated."
    )
    example = "manage.py prune_learnings --tenant acme --dry-run"

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the arguments."""
        super().add_arguments(parser)
        parser.add_argument("--tenant", required=True, help="the tenant's slug")
        parser.add_argument("--keep", type=int, default=pruning.KEEP_TRAININGS, help="trainings kept in any case")
        parser.add_argument("--days", type=float, default=pruning.KEEP_DAYS, help="days that every training is kept")
        parser.add_argument("--dry-run", action="store_true", help="only say what would be deleted")

    def answer(self, *, tenant: str, keep: int, days: float, dry_run: bool, **options: Any) -> dict[str, Any]:
        """Prune one tenant."""
        with tenant_context(provisioning.fetch(tenant)):
            verb = pruning.foresee if dry_run else pruning.prune
            gone = verb(timezone.now(), keep_trainings=max(keep, 1), days=max(days, 0.0))
        return {"tenant": tenant, "dry_run": dry_run, **gone}
