"""The access room's door: `manage.py erase_person`."""

from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone
from django_tenants.utils import tenant_context

from apps.tenants import provisioning
from apps.tenants.access import erasing
from apps.tenants.access.closing import heir_named, named
from apps.tenants.management.asking import CONFIRM_HELP, confirmed, operator
from maestro.commands import MaestroCommand
from maestro.principals import Actor


class Command(MaestroCommand):
    """Erase a person from a tenant."""

    help = (
        "Erase a person from a tenant for good: name, address, password, second factor, sign-ins and roles go, the "
        "account is closed, keys that they issued end, or go to --hand-over-to, and a pseudonym stands wherever a row "
        "tells who did something. Without --execute it only says what would change. The audit log is not rewritten: it "
        "forgets by its retention. Names that people typed "
        "into tags, notes and files stay. Close them at the identity provider first, or they come back as new."
    )
    example = "manage.py erase_person --tenant acme --username ada --execute --yes"

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        super().add_arguments(parser)
        parser.add_argument("--tenant", required=True, metavar="SLUG")
        parser.add_argument("--username", required=True)
        parser.add_argument("--execute", action="store_true", help="erase, instead of saying what would change")
        parser.add_argument("--hand-over-to", metavar="USERNAME", help="who takes their keys, which then go on")
        parser.add_argument("--yes", action="store_true", help=CONFIRM_HELP)

    def answer(
        self, *, tenant: str, username: str, execute: bool, yes: bool, hand_over_to: str | None, **options: Any
    ) -> dict[str, Any]:
        """Say what would change, or change it."""
        found = provisioning.fetch(tenant)
        with tenant_context(found):
            person = named(username)
            heir = heir_named(hand_over_to, person) if hand_over_to else None
            if not execute:
                return {"username": username, "erased": False, "rows": erasing.traces_of(person)}
            confirmed(tenant, f"erase {username} from {tenant}, for good", yes=yes)
            done = erasing.erase(person, Actor(f"operator:{operator()}"), timezone.now(), heir)
            return {"username": username, "erased": True} | done
