"""The access room's door: `manage.py prune_audit`."""

from typing import Any

from django.core.management.base import CommandParser
from django_tenants.utils import tenant_context

from apps.tenants import provisioning
from apps.tenants.access.audit import pruning
from maestro.commands import MaestroCommand


class Command(MaestroCommand):
    """Delete audit events that a tenant's retention no longer keeps."""

    help = (
        "Delete audit events that are older than the tenant's retention (Settings, Audit retention). Without one"
        " nothing is deleted; 30 days are always kept. What went is itself recorded."
    )
    example = "manage.py prune_audit --tenant acme --dry-run"

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        super().add_arguments(parser)
        parser.add_argument("--tenant", required=True, metavar="SLUG")
        parser.add_argument("--dry-run", action="store_true", help="only count")

    def answer(self, *, tenant: str, dry_run: bool, **options: Any) -> dict[str, Any]:
        """Prune inside the tenant."""
        with tenant_context(provisioning.fetch(tenant)):
            told = pruning.preview()
            gone = 0 if dry_run else pruning.prune()
            return {"keep_days": told["keep_days"], "due": told["events"], "deleted": gone, "dry_run": dry_run}
