"""The registry room's door: check that all bytes are there and are what they were."""

from typing import Any

from django.core.management.base import CommandParser
from django.db import connection
from django_tenants.utils import tenant_context

from apps.registry import sweeps
from apps.tenants.models import Tenant
from maestro.commands import MaestroCommand
from maestro.errors import Conflict, NotFound

SHOWN = 20


class Command(MaestroCommand):
    """Check that all bytes are there and, with --contents, that their digests are what they were."""

    help = "Check a tenant's bytes against their rows. Ends with code 5 if some are missing or changed."
    example = "manage.py verify_blobs --tenant acme --contents"

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the command's own arguments."""
        super().add_arguments(parser)
        parser.add_argument("--tenant", required=True, help="the tenant's slug")
        parser.add_argument("--contents", action="store_true", help="read everything and compare digests")

    def answer(self, *, tenant: str, contents: bool, **options: Any) -> dict[str, Any]:
        """Check one tenant."""
        connection.set_schema_to_public()  # type: ignore[attr-defined]
        found = Tenant.objects.filter(slug=tenant).first()
        if found is None:
            raise NotFound(f"there is no tenant {tenant!r}")
        with tenant_context(found):
            result = sweeps.verify(contents=contents)
        if not result.is_sound:
            bad = ", ".join([*result.missing, *result.changed][:SHOWN])
            raise Conflict(f"{len(result.missing)} contents are missing and {len(result.changed)} changed: {bad}")
        return {"tenant": tenant, **vars(result)}
