"""The access room's door: `manage.py add_person`."""

import secrets
from typing import Any

from django.core.management.base import CommandParser
from django_tenants.utils import tenant_context

from apps.tenants import provisioning
from apps.tenants.access.accounts import add_person
from maestro.commands import MaestroCommand
from maestro.principals import ROLES, Actor


class Command(MaestroCommand):
    """Let a person into a tenant's admin, with a generated password that is printed once."""

    help = (
        "Make a person in a tenant, or give one a new password and this role instead of another: in the whole tenant, or "
        "with --project in that project only. "
        "The password is generated and printed once."
    )
    example = "manage.py add_person --tenant acme --username ada --role approver"

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        super().add_arguments(parser)
        parser.add_argument("--tenant", required=True, metavar="SLUG")
        parser.add_argument("--username", required=True)
        parser.add_argument("--role", required=True, choices=ROLES)
        parser.add_argument("--project", metavar="SLUG", help="give the role in this project instead of the tenant")

    def answer(self, *, tenant: str, username: str, role: str, project: str | None, **options: Any) -> dict[str, Any]:
        """Make or change the person inside the tenant, with the audit event."""
        found = provisioning.fetch(tenant)
        password = secrets.token_urlsafe(12)
        with tenant_context(found):
            created = add_person(username, password=password, role=role, project=project, by=Actor("operator"))
        return {"username": username, "password": password, "role": role, "created": created}
