"""The registry room's door: check that all bytes are there and are what they were."""

from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone
from django_tenants.utils import tenant_context

from apps.registry.upkeep import checks
from apps.tenants import provisioning
from maestro.commands import MaestroCommand
from maestro.errors import Conflict, Invalid
from maestro.templatetags.maestro import bytesize

SHOWN, MEGABYTE = 20, 10**6


class Command(MaestroCommand):
    """Check that all bytes are there and, with --contents, that their digests are what they were."""

    help = (
        "Check a tenant's bytes against their rows. A check that was stopped goes on from where it was. Ends with code 5 "
        "if some are missing or changed."
    )
    example = "manage.py verify_blobs --tenant acme --contents --megabytes-per-second 50"

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the command's own arguments."""
        super().add_arguments(parser)
        parser.add_argument("--tenant", required=True, help="the tenant's slug")
        parser.add_argument("--contents", action="store_true", help="read everything and compare digests")
        parser.add_argument("--megabytes-per-second", type=float, metavar="N", help="read no faster than this")
        parser.add_argument("--anew", action="store_true", help="begin anew, though a check was stopped on its way")

    def answer(self, *, tenant: str, contents: bool, anew: bool, **options: Any) -> dict[str, Any]:
        """Check one tenant."""
        rate = options["megabytes_per_second"]
        if rate is not None and not 0 < rate < float("inf"):
            raise Invalid("--megabytes-per-second must be more than 0")
        pace = checks.Pace(None if rate is None else rate * MEGABYTE)
        manner = checks.Manner(contents, anew, pace, self.tell)
        with tenant_context(provisioning.fetch(tenant)):
            result = checks.verify(timezone.now(), manner)
        if not result.is_sound:
            bad = ", ".join([*result.missing, *result.changed][:SHOWN])
            raise Conflict(f"{len(result.missing)} contents are missing and {len(result.changed)} changed: {bad}")
        return {"tenant": tenant, **vars(result)}

    def tell(self, done: int, of: int) -> None:
        """Say how far it has come."""
        self.say(f"{bytesize(done)} of {bytesize(of)} read")
