"""The tenants room's door: `manage.py create_tenant`."""

from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser

from apps.tenants import provisioning
from apps.tenants.management.asking import operator
from maestro.commands import MaestroCommand
from maestro.errors import AlreadyExists


class Command(MaestroCommand):
    """Make a tenant: its schema, role and host."""

    help = "Make a tenant: a schema, a Postgres role that sees nothing else, and a host, <slug>.<base host>."
    example = "manage.py create_tenant acme --name 'Acme research'"

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the arguments."""
        super().add_arguments(parser)
        parser.add_argument("slug", help="2 to 40 lower-case letters, digits and hyphens")
        parser.add_argument("--name", default="", help="the name that people read; the slug if left out")
        parser.add_argument("--domain", default="", help="a host of its own instead of <slug>.<base host>")
        parser.add_argument("--if-missing", action="store_true", help="succeed if the tenant is there already")

    def answer(self, *, slug: str, name: str, domain: str, if_missing: bool, **options: Any) -> dict[str, Any]:
        """Make it, or say that it is there."""
        created = True
        try:
            tenant = provisioning.create(slug, name=name, domain=domain, by=operator())
        except AlreadyExists:
            if not if_missing:
                raise
            tenant, created = provisioning.fetch(slug), False
        primary = tenant.get_primary_domain()
        return {
            "tenant": tenant.slug,
            "schema": tenant.schema_name,
            "host": primary.domain if primary else f"{tenant.slug}.{settings.BASE_HOST}",
            "created": created,
        }
