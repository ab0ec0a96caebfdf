"""The access room's door: `manage.py close_person`."""

from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone
from django_tenants.utils import tenant_context

from apps.tenants import provisioning
from apps.tenants.access.closing import close, heir_named, named
from apps.tenants.management.asking import CONFIRM_HELP, confirmed, operator
from maestro.commands import MaestroCommand
from maestro.principals import Actor


class Command(MaestroCommand):
    """Close a person's account in a tenant."""

    help = (
        "Close a person's account in a tenant: their browsers, their programs' tokens and the keys that they issued end, "
        "or --hand-over-to gives the keys to somebody else, who answers for them. Nothing is deleted; add_person opens "
        "the account again, with a new password, and revives nothing else."
    )
    example = "manage.py close_person --tenant acme --username ada --hand-over-to grace --yes"

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        super().add_arguments(parser)
        parser.add_argument("--tenant", required=True, metavar="SLUG")
        parser.add_argument("--username", required=True)
        parser.add_argument("--hand-over-to", metavar="USERNAME", help="who takes their keys, which then go on")
        parser.add_argument("--yes", action="store_true", help=CONFIRM_HELP)

    def answer(
        self, *, tenant: str, username: str, hand_over_to: str | None, yes: bool, **options: Any
    ) -> dict[str, Any]:
        """Close it inside the tenant, with its events."""
        found = provisioning.fetch(tenant)
        with tenant_context(found):
            person = named(username)
            heir = heir_named(hand_over_to, person) if hand_over_to else None
            confirmed(tenant, f"close the account of {username} in {tenant}", yes=yes)
            ended = close(Actor(f"operator:{operator()}"), person, at=timezone.now(), heir=heir)
        return {"username": username, **asdict(ended)}
