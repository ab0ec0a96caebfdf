"""The tenants room: bring the public schema, the template and every tenant to the head of the migrations.

Runs as the owner of the schemas. A tenant that fails is put into maintenance and does not stop the others.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from django.conf import settings
from django.core.management import call_command
from django.db import Error
from django_tenants.utils import schema_context
from psycopg import sql

from apps.tenants import fleet, provisioning, template
from apps.tenants.models import TemplateSchema, Tenant
from apps.tenants.role_groups import make_groups
from maestro.database.session import connection
from maestro.errors import Unavailable

Say = Callable[[str], None]
SAY_EVERY = 25
# A session remembers every table that it has touched, a megabyte a tenant; a new one begins with nothing.
SESSION_TENANTS = 100
# Who holds these, among all sessions of this database, migrates the fleet and makes the template.
FLEET_LOCK, TEMPLATE_LOCK = 7_365_001, 7_365_002


@dataclass(frozen=True)
class Outcome:
    """What became of one tenant."""

    schema: str
    ok: bool
    error: str = ""


@contextmanager
def alone(lock: int, say: Say = lambda line: None) -> Iterator[None]:
    """Let one process in at a time: another waits for its turn. A process that dies lets go at once."""
    with provisioning.owner_connection() as owner:
        owner.autocommit = True
        (is_free,) = owner.execute("SELECT pg_try_advisory_lock(%s)", [lock]).fetchone() or (False,)
        if not is_free:
            say("another process is at it: waiting")
            owner.execute("SELECT pg_advisory_lock(%s)", [lock])
        yield


def migrate_public() -> None:
    """Migrate the public schema and let the application's login work in it."""
    connection.set_schema_to_public()
    call_command("migrate_schemas", shared=True, interactive=False, verbosity=0)
    login = sql.Identifier(settings.DATABASE_LOGIN)
    with provisioning.owner_connection() as owner:
        for statement in (
            "GRANT USAGE ON SCHEMA public TO {}",
            "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {}",
            "GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {}",
            "REVOKE UPDATE, DELETE, TRUNCATE ON public.tenants_operatorevent FROM {}",
        ):
            owner.execute(sql.SQL(statement).format(login))


def make_template() -> TemplateSchema:
    """Make the SQL of an empty tenant at the current head, unless it is there."""
    with alone(TEMPLATE_LOCK):
        found = TemplateSchema.objects.filter(head=template.current_head()).first()
        return found or make_template_anew()


def make_template_anew() -> TemplateSchema:
    """Migrate an empty schema, dump it and drop it."""
    drop_template()
    with provisioning.owner_connection() as owner:
        owner.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(template.TEMPLATE)))
    try:
        call_command("migrate_schemas", schema_name=template.TEMPLATE, interactive=False, verbosity=0)
        with schema_context(template.TEMPLATE):
            make_groups()
        ddl = template.dump(settings.OWNER_DATABASE_URL)
    finally:
        connection.set_schema_to_public()
        connection.close()
        drop_template()
    return TemplateSchema.objects.create(head=template.current_head(), ddl=ddl)


def drop_template() -> None:
    """Drop a template schema that an interrupted run may have left."""
    with provisioning.owner_connection() as owner:
        owner.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(template.TEMPLATE)))


def migrate_behind(say: Say) -> Iterator[Outcome]:
    """Bring each tenant that is behind to the head: those that lack the same migrations share one script."""
    connection.set_schema_to_public()
    behind = Tenant.objects.exclude(schema_head=template.current_head()).exclude(state=Tenant.State.ERASING)
    done, groups = 0, fleet.group_by_missing(list(behind))
    total = sum(len(group.tenants) for group in groups)
    for group in groups:
        script = fleet.script_for(group)
        for start in range(0, len(group.tenants), SESSION_TENANTS):
            with provisioning.owner_connection() as owner:
                for tenant in group.tenants[start : start + SESSION_TENANTS]:
                    done += 1
                    if done % SAY_EVERY in (0, 1) or done == total:
                        say(f"[{done}/{total}] {tenant.slug}")
                    yield migrate_one(owner, tenant, script)
            connection.close()


def migrate_one(owner: psycopg.Connection, tenant: Tenant, script: fleet.Script | None) -> Outcome:
    """Migrate one schema by script, or by Django where a migration runs Python; on failure, maintenance.

    Raises Unavailable if the database went away, which says nothing about this tenant.
    """
    try:
        if script is None:
            call_command("migrate_schemas", schema_name=tenant.schema_name, interactive=False, verbosity=0)
            with owner.transaction():
                provisioning.grant(owner, tenant.schema_name)
        else:
            fleet.apply(owner, tenant.schema_name, script)
    except (Error, psycopg.Error) as error:
        if owner.closed:
            raise Unavailable(f"the database went away: {str(error).splitlines()[0]}") from error
        connection.close()
        connection.set_schema_to_public()
        Tenant.objects.filter(pk=tenant.pk).update(state=Tenant.State.MAINTENANCE)
        return Outcome(tenant.schema_name, False, str(error).splitlines()[0])
    connection.set_schema_to_public()
    healed = Tenant.State.ACTIVE if tenant.state == Tenant.State.MAINTENANCE else tenant.state
    Tenant.objects.filter(pk=tenant.pk).update(schema_head=template.current_head(), state=healed)
    return Outcome(tenant.schema_name, True)
