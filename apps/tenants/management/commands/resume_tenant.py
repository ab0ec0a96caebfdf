"""The tenants room's door: `manage.py resume_tenant`."""

from typing import Any

from django.core.management.base import CommandParser

from apps.tenants import ending
from apps.tenants.management.asking import operator
from maestro.commands import MaestroCommand


class Command(MaestroCommand):
    """Open a suspended tenant."""

    help = (
        "Open a suspended tenant to people, keys and tasks again, as it was; in force within 5 s in every process. "
        "A tenant that is being erased, or waits for its migrations, is not opened (exit code 5). Twice is no error."
    )
    example = "manage.py resume_tenant acme"

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the argument."""
        super().add_arguments(parser)
        parser.add_argument("slug", help="the tenant")

    def answer(self, *, slug: str, **options: Any) -> dict[str, Any]:
        """Open it."""
        return {"tenant": slug, "state": ending.resume(slug, by=operator()).state}
