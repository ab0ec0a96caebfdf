"""The access room's door: `manage.py erase_person`."""

from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import CommandParser
from django_tenants.utils import tenant_context

from apps.tenants import provisioning
from apps.tenants.access import erasing
from apps.tenants.management.asking import CONFIRM_HELP, confirmed, operator
from maestro.commands import MaestroCommand
from maestro.errors import NotFound


class Command(MaestroCommand):
    """Erase a person from a tenant."""

    help = (
        "Erase a person from a tenant for good: name, address, password, second factor, sign-ins and roles go, the "
        "account is closed, and a pseudonym stands wherever a row tells who did something. Without --execute it only "
        "says what would change. The audit log is not rewritten: it forgets by its retention. Names that people typed "
        "into tags, notes and files stay. Close them at the identity provider first, or they come back as new."
    )
    example = "manage.py erase_person --tenant acme --username ada --execute --yes"

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        super().add_arguments(parser)
        parser.add_argument("--tenant", required=True, metavar="SLUG")
        parser.add_argument("--username", required=True)
        parser.add_argument("--execute", action="store_true", help="erase, instead of saying what would change")
        parser.add_argument("--yes", action="store_true", help=CONFIRM_HELP)

    def answer(self, *, tenant: str, username: str, execute: bool, yes: bool, **options: Any) -> dict[str, Any]:
        """Say what would change, or change it."""
        found = provisioning.fetch(tenant)
        with tenant_context(found):
            person = User.objects.filter(username=username).first()
            if person is None:
                raise NotFound(f"there is no {username!r} in {tenant}")
            if not execute:
                return {"username": username, "erased": False, "rows": erasing.traces_of(person)}
            confirmed(tenant, f"erase {username} from {tenant}, for good", yes=yes)
            return {"username": username, "erased": True} | erasing.erase(person, f"operator:{operator()}")
