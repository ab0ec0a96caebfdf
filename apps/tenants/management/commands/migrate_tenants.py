"""The tenants room's door: `manage.py migrate_tenants`."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from apps.tenants import migrating, provisioning
from apps.tenants.management.asking import operator
from maestro.commands import MaestroCommand


class Command(MaestroCommand):
    """Bring the public schema, the template and every tenant to the head of the migrations."""

    help = (
        "Migrate the public schema, make the template for new tenants, and bring every tenant to the head. "
        "Safe to repeat and to interrupt: what is done is skipped. Needs MAESTRO_OWNER_DATABASE_URL. "
        "A tenant that fails is put into maintenance and reported; the exit code is then 1."
    )
    example = "manage.py migrate_tenants --output json"

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        super().add_arguments(parser)
        parser.add_argument("--template-only", action="store_true", help="only make the template for new tenants")

        parser.add_argument(
            "--ensure-tenant", action="append", default=[], metavar="SLUG", help="make this tenant too if it is missing"
        )

    def answer(self, *, template_only: bool, ensure_tenant: list[str], **options: Any) -> dict[str, Any]:
        """Run the three steps, one process at a time."""
        if template_only:
            self.say("making the template for new tenants")
            return {"head": migrating.make_template().head[:12]}
        with migrating.alone(migrating.FLEET_LOCK, self.say):
            return self.migrate(ensure_tenant)

    def migrate(self, ensure_tenant: list[str]) -> dict[str, Any]:
        """Migrate all, then make the tenants that must be there."""
        self.say("migrating the public schema")
        migrating.migrate_public()
        self.say("making the template for new tenants")
        head = migrating.make_template().head
        outcomes = list(migrating.migrate_behind(self.say))
        failed = {o.schema: o.error for o in outcomes if not o.ok}
        if failed:
            raise CommandError(f"{len(failed)} tenants failed and are in maintenance: {failed}")
        created = [slug for slug in ensure_tenant if provisioning.create_if_missing(slug, by=operator())]
        return {"head": head[:12], "migrated": len(outcomes), "failed": 0, "created": ", ".join(created)}
