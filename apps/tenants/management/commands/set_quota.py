"""The tenants room's door: `manage.py set_quota`."""

from typing import Any

from django.core.management.base import CommandParser

from apps.tenants import quotas
from apps.tenants.management.asking import operator
from maestro.commands import MaestroCommand
from maestro.errors import Invalid

GIGABYTE = 10**9


class Command(MaestroCommand):
    """Bound what a tenant keeps."""

    help = (
        "Bound the bytes that a tenant keeps, each content once, or unbound it. It holds within 5 s: what does not fit "
        "is refused with 507 (quota_reached), and what is there stays."
    )
    example = "manage.py set_quota --tenant acme --gigabytes 100"

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the arguments."""
        super().add_arguments(parser)
        parser.add_argument("--tenant", required=True, help="the tenant's slug")
        how = parser.add_mutually_exclusive_group(required=True)
        how.add_argument("--gigabytes", type=float, help="what it may keep, in units of 1,000,000,000 bytes")
        how.add_argument("--none", action="store_true", help="no bound")

    def answer(self, *, tenant: str, gigabytes: float | None, none: bool, **options: Any) -> dict[str, Any]:
        """Set it."""
        try:
            wanted = None if gigabytes is None else round(gigabytes * GIGABYTE)
        except (ValueError, OverflowError) as error:
            raise Invalid("--gigabytes must be a number", "bad_quota") from error
        bounded = quotas.set_quota(tenant, wanted, by=operator())
        return {"tenant": bounded.slug, "quota_bytes": bounded.quota_bytes}
