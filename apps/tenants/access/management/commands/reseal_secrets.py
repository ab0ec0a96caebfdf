"""The access room's door: `manage.py reseal_secrets`."""

from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone
from django_tenants.utils import schema_context, tenant_context

from apps.tenants.access.sign_in import resealing
from apps.tenants.management.asking import operator
from apps.tenants.models import Tenant
from maestro.commands import MaestroCommand
from maestro.database.base import PUBLIC
from maestro.errors import Unavailable
from maestro.principals import Actor


class Command(MaestroCommand):
    """Move what is sealed from older secrets of the server to today's."""

    help = (
        "Seal the secrets of second factors and identity providers anew, by today's MAESTRO_SECRET_KEY, in every tenant and "
        "for operators, and count the API keys and recovery codes that still need an older pepper: they move when they are "
        "next used. When it says 0 secrets and 0 unreadable, and enough time went by for sessions, the older ones can go "
        "(docs/operators.md). Safe to run again, and while requests go on."
    )
    example = "manage.py reseal_secrets --dry-run --output json"

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        super().add_arguments(parser)
        parser.add_argument("--dry-run", action="store_true", help="count only")

    def answer(self, *, dry_run: bool, **options: Any) -> dict[str, Any]:
        """Go through the operators' schema and every tenant. Raises Unavailable for secrets that nothing opens."""
        by, total = Actor(f"operator:{operator()}"), resealing.Resealed()
        with schema_context(PUBLIC):
            total.add(resealing.reseal_all(by, timezone.now(), dry_run=dry_run))
            tenants = list(Tenant.objects.exclude(state=Tenant.State.ERASING).order_by("slug"))
        for number, tenant in enumerate(tenants, 1):
            with tenant_context(tenant):
                found = resealing.reseal_all(by, timezone.now(), dry_run=dry_run)
            total.add(found)
            self.say(f"[{number}/{len(tenants)}] {tenant.slug}: {found.secrets} secrets")
        if total.unreadable:
            told = f"{total.unreadable} secrets can't be read by any secret given: add the one they were sealed with"
            raise Unavailable(f"{told} to MAESTRO_SECRET_KEY_FALLBACKS, or have them entered again")
        return {"tenants": len(tenants), "dry_run": dry_run, **asdict(total)}
