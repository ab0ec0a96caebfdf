"""The tenants room's door: `manage.py erase_tenant`."""

from typing import Any

from django.core.management.base import CommandParser

from apps.tenants import ending, provisioning
from apps.tenants.management.asking import CONFIRM_HELP, confirmed, operator
from maestro.commands import MaestroCommand


class Command(MaestroCommand):
    """Erase a tenant for good."""

    help = (
        "Erase a suspended tenant for good: its schema with all people, runs, models and audit events, its Postgres "
        "role, its hosts, its cached values and all its bytes on disk or in the bucket. Without --execute it only says "
        "what would go. Export or back up first: nothing brings it back. Safe to repeat after an interruption. "
        "Needs MAESTRO_OWNER_DATABASE_URL."
    )
    example = "manage.py erase_tenant acme --execute"

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the arguments."""
        super().add_arguments(parser)
        parser.add_argument("slug", help="the tenant, which has to be suspended")
        parser.add_argument("--execute", action="store_true", help="erase, instead of saying what would go")
        parser.add_argument("--yes", action="store_true", help=CONFIRM_HELP)

    def answer(self, *, slug: str, execute: bool, yes: bool, **options: Any) -> dict[str, Any]:
        """Say what would go, or erase it."""
        if not execute:
            tenant = provisioning.fetch(slug)
            return shown(slug, ending.belongings_of(tenant), erased=False) | {"state": tenant.state}
        confirmed(slug, f"erase {slug} and all that it has, for good", yes=yes)
        self.say(f"erasing {slug}")
        return shown(slug, ending.erase(slug, by=operator()), erased=True)


def shown(slug: str, found: ending.Belongings, *, erased: bool) -> dict[str, Any]:
    """Write what goes, or went."""
    return {
        "tenant": slug,
        "erased": erased,
        "tables": found.tables,
        "table_bytes": found.table_bytes,
        "objects": found.heap.objects,
        "object_bytes": found.heap.size_bytes,
    }
