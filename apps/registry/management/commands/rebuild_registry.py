"""The registry room's door: restore the registry from the manifests in the store."""

from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone
from django_tenants.utils import tenant_context

from apps.registry.upkeep import rebuilding
from apps.tenants import provisioning
from apps.tenants.management.asking import operator
from maestro.commands import MaestroCommand
from maestro.principals import Actor


class Command(MaestroCommand):
    """Restore artifacts, versions, aliases and lineage from what lies beside the bytes."""

    help = (
        "Restore a tenant's artifacts, versions, aliases and lineage from the manifests in the store, after their rows were "
        "lost. What is there stays as it is; it may be repeated. Runs and logged models are not restored by it."
    )
    example = "manage.py rebuild_registry --tenant acme"

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the command's own arguments."""
        super().add_arguments(parser)
        parser.add_argument("--tenant", required=True, help="the tenant's slug")

    def answer(self, *, tenant: str, **options: Any) -> dict[str, Any]:
        """Restore one tenant's."""
        with tenant_context(provisioning.fetch(tenant)):
            result = rebuilding.rebuild(Actor(f"command:rebuild_registry by {operator()}"), timezone.now())
        return {"tenant": tenant, **vars(result)}
