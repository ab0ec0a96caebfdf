"""The access room's door: `manage.py issue_key`."""

from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone
from django_tenants.utils import tenant_context

from apps.tenants import provisioning
from apps.tenants.access.keys import keyring
from apps.tenants.access.models import ApiKey
from apps.tenants.access.models.keys import DEFAULT_DAYS, MOST_DAYS
from maestro.commands import MaestroCommand
from maestro.principals import ROLES, Actor


class Command(MaestroCommand):
    """Issue an API key and print it once."""

    help = "Issue an API key for a service account. The key is printed once and can't be read again."
    example = "manage.py issue_key --tenant acme --role contributor --name ci --output json"

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        super().add_arguments(parser)
        parser.add_argument("--tenant", required=True, metavar="SLUG")
        parser.add_argument("--role", required=True, choices=ROLES)
        parser.add_argument("--name", required=True, help="what the key is for, as the admin and the audit log show it")
        parser.add_argument("--project", metavar="SLUG", help="bind the key to one project")
        parser.add_argument(
            "--days", type=int, default=DEFAULT_DAYS, help=f"days until it expires, at most {MOST_DAYS}"
        )

    def answer(
        self, *, tenant: str, role: str, name: str, days: int, project: str | None, **options: Any
    ) -> dict[str, Any]:
        """Issue it inside the tenant, with its audit event."""
        found = provisioning.fetch(tenant)
        with tenant_context(found):
            project_id = ApiKey.objects.project_id_of(project) if project else None
            wish = keyring.Wish(name, role, days, project_id)
            key, text = keyring.issue_by_operator(wish, slug=found.slug, by=Actor("operator"), at=timezone.now())
        return {"key": text, "id": key.pk, "role": role, "expires_at": key.expires_at.isoformat()}
