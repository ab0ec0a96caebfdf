"""The tenants room's door: `manage.py suspend_tenant`."""

from typing import Any

from django.core.management.base import CommandParser

from apps.tenants import ending
from apps.tenants.management.asking import CONFIRM_HELP, confirmed, operator
from maestro.commands import MaestroCommand


class Command(MaestroCommand):
    """Close a tenant."""

    help = (
        "Close a tenant to people, keys and tasks: they hear 503 (tenant_suspended) within 5 s, and nothing is lost. "
        "Its data stays as it is; resume_tenant opens it again. Twice is no error."
    )
    example = "manage.py suspend_tenant acme --yes"

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the arguments."""
        super().add_arguments(parser)
        parser.add_argument("slug", help="the tenant")
        parser.add_argument("--yes", action="store_true", help=CONFIRM_HELP)

    def answer(self, *, slug: str, yes: bool, **options: Any) -> dict[str, Any]:
        """Close it."""
        confirmed(slug, f"close {slug} to everybody", yes=yes)
        return {"tenant": slug, "state": ending.suspend(slug, by=operator()).state}
