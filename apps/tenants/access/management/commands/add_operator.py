"""The tenants room's door: `manage.py add_operator`."""

import secrets
from typing import Any

from django.core.management.base import CommandParser

from apps.tenants.access.accounts import add_operator
from apps.tenants.management.asking import operator
from maestro.commands import MaestroCommand
from maestro.database.session import connection
from maestro.errors import Invalid
from maestro.principals import Actor

PASSWORD_BYTES = 12


class Command(MaestroCommand):
    """Let a person into the operators' admin on the base host."""

    help = (
        "Make an operator of the base host's admin (tenants, domains, jobs; no tenant's data), or give one a new "
        "password. The password is made here and printed once."
    )
    example = "manage.py add_operator --username root --output json"

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        super().add_arguments(parser)
        parser.add_argument("--username", required=True, metavar="NAME", help="the name to sign in with")

    def answer(self, *, username: str, **options: Any) -> dict[str, Any]:
        """Make the operator, or give them a new password."""
        if not username.strip() or len(username) > 150:
            raise Invalid("username must have 1 to 150 characters", "bad_username")
        connection.set_schema_to_public()
        password = secrets.token_urlsafe(PASSWORD_BYTES)
        created = add_operator(username, password=password, by=Actor(f"operator:{operator()}"))
        return {"username": username, "password": password, "created": created}
