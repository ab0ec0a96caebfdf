"""The registry room's door: drop bytes that nothing names any more."""

from datetime import timedelta
from typing import Any

from django.core.management.base import CommandParser
from django.db import connection
from django.utils import timezone
from django_tenants.utils import tenant_context

from apps.registry.upkeep import sweeps
from apps.tenants.models import Tenant
from maestro.commands import MaestroCommand
from maestro.errors import Invalid, NotFound

DEFAULT_HOURS = 24


class Command(MaestroCommand):
    """Drop bytes that nothing names any more, uploads that were never finished, and objects without a row."""

    help = "Drop a tenant's unnamed bytes, unfinished uploads and objects without a row, all older than --hours."
    example = "manage.py sweep_blobs --tenant acme --dry-run"

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the command's own arguments."""
        super().add_arguments(parser)
        parser.add_argument("--tenant", required=True, help="the tenant's slug")
        parser.add_argument("--hours", type=int, default=DEFAULT_HOURS, help="spare what is younger (default 24)")
        parser.add_argument("--dry-run", action="store_true", help="only say what would go")

    def answer(self, *, tenant: str, hours: int, dry_run: bool, **options: Any) -> dict[str, Any]:
        """Sweep one tenant."""
        if hours < 1:
            raise Invalid("--hours must be at least 1: uploads that are under way must not be swept")
        connection.set_schema_to_public()  # type: ignore[attr-defined]
        found = Tenant.objects.filter(slug=tenant).first()
        if found is None:
            raise NotFound(f"there is no tenant {tenant!r}")
        with tenant_context(found):
            swept = sweeps.sweep(timezone.now() - timedelta(hours=hours), dry_run=dry_run)
        return {"tenant": tenant, "dry_run": dry_run, **vars(swept)}
