"""The access room's door: `manage.py revoke_key`."""

from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone
from django_tenants.utils import tenant_context

from apps.tenants import provisioning
from apps.tenants.access.keys import keyring
from apps.tenants.access.models import ApiKey
from maestro.commands import MaestroCommand
from maestro.errors import NotFound
from maestro.principals import Actor


class Command(MaestroCommand):
    """Revoke an API key."""

    help = (
        "Revoke an API key by its id, which stands in the key's text and in the list of keys, with its successors by "
        "rotation and the keys that any of them made. In force within 5 s."
    )
    example = "manage.py revoke_key --tenant acme --id 0a1b2c3d4e5f"

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        super().add_arguments(parser)
        parser.add_argument("--tenant", required=True, metavar="SLUG")
        parser.add_argument("--id", required=True, help="the part of the key's text after the tenant's slug")

    def answer(self, *, tenant: str, id: str, **options: Any) -> dict[str, Any]:
        """Revoke it inside the tenant, with its audit event."""
        found = provisioning.fetch(tenant)
        with tenant_context(found):
            key = ApiKey.objects.filter(pk=id[:32]).first()
            if key is None:
                raise NotFound(f"there is no key {id!r} in {tenant}")
            ended = keyring.revoke(Actor("operator"), key, timezone.now())
            key.refresh_from_db()
            return {"id": key.pk, "name": key.name, "revoked_at": key.revoked_at, "ended": ended}
