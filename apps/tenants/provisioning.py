"""The tenants room: create a tenant, and drop its schema.

Schemas and roles are made over a connection of the owner's, which only operators' commands have.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import redis
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from psycopg import sql

from apps.tenants import template
from apps.tenants.actions import Act
from apps.tenants.models import Domain, OperatorEvent, Tenant
from apps.tenants.models.tenants import check_slug, schema_for
from maestro.database.base import role_of
from maestro.database.session import connection
from maestro.errors import AlreadyExists, Invalid, NotFound, Unavailable

logger = logging.getLogger("maestro.tenants")
APPEND_ONLY = ("access_auditevent",)
READ_ONLY = ("django_migrations",)


@contextmanager
def owner_connection() -> Iterator[psycopg.Connection]:
    """Open a connection that may make schemas. Raises Unavailable where none is configured."""
    if not settings.OWNER_DATABASE_URL:
        raise Unavailable("this needs MAESTRO_OWNER_DATABASE_URL, the login that owns the schemas")
    try:
        owner = psycopg.connect(settings.OWNER_DATABASE_URL, connect_timeout=settings.PATIENCE["owner"])
    except psycopg.OperationalError as error:
        raise Unavailable(f"the owner's login does not work: {str(error).splitlines()[0]}") from error
    with owner:
        yield owner


def create(slug: str, *, name: str = "", domain: str = "", by: str = "") -> Tenant:
    """Make a tenant: its row, host, role and schema. Raises Invalid or AlreadyExists; leaves nothing by halves."""
    with made(slug, name=name, domain=domain) as tenant:
        tenant.state, tenant.schema_head = Tenant.State.ACTIVE, template.current_head()
        tenant.save(update_fields=["state", "schema_head"])
        told = {"slug": slug, "id": str(tenant.pk), "host": host_of(slug, domain)}
        OperatorEvent.objects.record(
            Act.TENANT_CREATE, actor=actor(by), object_type="Tenant", object_id=slug, after=told
        )
    return tenant


@contextmanager
def made(slug: str, *, name: str = "", domain: str = "", **facts: Any) -> Iterator[Tenant]:
    """Make a tenant that nobody may enter yet: row, host, role and schema; the block is of the same transaction.

    Raises Invalid, AlreadyExists
    """
    try:
        check_slug(slug)
    except ValidationError as error:
        raise Invalid(error.messages[0], "bad_slug") from error
    connection.set_schema_to_public()
    ddl = template.ensure().ddl
    try:
        with transaction.atomic():
            tenant = Tenant.objects.create(slug=slug, schema_name=schema_for(slug), name=name or slug, **facts)
            Domain.objects.create(tenant=tenant, domain=host_of(slug, domain), is_primary=True)
            with owner_connection() as owner:
                make_schema(owner, tenant.schema_name, ddl)
            yield tenant
    except (IntegrityError, ValidationError, psycopg.errors.DuplicateSchema) as error:
        raise AlreadyExists(f"there is a tenant or a host named {slug!r} already") from error


def host_of(slug: str, domain: str = "") -> str:
    """Name a tenant's host: its own, or one below the base host."""
    return (domain or f"{slug}.{settings.BASE_HOST}").lower()


def actor(by: str) -> str:
    """Name an operator in their log."""
    return f"operator:{by}" if by else "system"


def create_if_missing(slug: str, *, by: str = "") -> bool:
    """Make a tenant unless it is there. Returns whether it was made."""
    connection.set_schema_to_public()
    if Tenant.objects.filter(slug=slug).exists():
        return False
    create(slug, by=by)
    return True


def make_schema(owner: psycopg.Connection, schema: str, ddl: str) -> None:
    """Make a role and a schema in one transaction."""
    role = role_of(schema)
    drop_leftover(owner, schema)
    if owner.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone() is None:
        owner.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(role)))
    owner.execute("SET LOCAL check_function_bodies = off")
    owner.execute(template.sql_for(schema, ddl))
    grant(owner, schema)


def drop_leftover(owner: psycopg.Connection, schema: str) -> None:
    """Drop a schema that a killed creation left: made whole, but its tenant's row was never committed.

    The caller holds the row of this name, so no tenant lives there. A schema that was not made by us stays.
    """
    ours = "SELECT to_regclass(%s) IS NOT NULL AND EXISTS (SELECT FROM pg_roles WHERE rolname = %s)"
    table = sql.Identifier(schema, "django_migrations").as_string(None)
    if (owner.execute(ours, [table, role_of(schema)]).fetchone() or (False,))[0]:
        logger.warning("schema %s was left by a creation that did not end; it is made anew", schema)
        owner.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(schema)))


def grant(owner: psycopg.Connection, schema: str) -> None:
    """Give a tenant's role what it may do in its schema, and nothing anywhere else."""
    names = {
        "schema": sql.Identifier(schema),
        "role": sql.Identifier(role_of(schema)),
        "login": sql.Identifier(settings.DATABASE_LOGIN),
    }
    for statement in (
        "GRANT USAGE ON SCHEMA {schema} TO {role}",
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {role}",
        "GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA {schema} TO {role}",
        "ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {role}",
        "ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT USAGE, SELECT ON SEQUENCES TO {role}",
        "GRANT {role} TO {login}",
    ):
        owner.execute(sql.SQL(statement).format(**names))
    for table in APPEND_ONLY:
        forbid(owner, schema, table, "UPDATE, DELETE, TRUNCATE")
    for table in READ_ONLY:
        forbid(owner, schema, table, "INSERT, UPDATE, DELETE, TRUNCATE")


def forbid(owner: psycopg.Connection, schema: str, table: str, rights: str) -> None:
    """Take rights on one table from a tenant's own role."""
    statement = sql.SQL("REVOKE {} ON {} FROM {}").format(
        sql.SQL(rights), sql.Identifier(schema, table), sql.Identifier(role_of(schema))
    )
    owner.execute(statement)


def fetch(slug: str) -> Tenant:
    """Fetch a tenant by slug. Raises NotFound."""
    connection.set_schema_to_public()
    tenant = Tenant.objects.filter(slug=slug).first()
    if tenant is None:
        raise NotFound(f"there is no tenant {slug!r}")
    return tenant


def erase(slug: str) -> None:
    """Drop a tenant's schema, role and rows at once. Its bytes stay: `ending.erase` is the whole way."""
    tenant = fetch(slug)
    Tenant.objects.filter(pk=tenant.pk).update(state=Tenant.State.ERASING)
    drop_schema(tenant)
    forget_tenant(tenant)


def drop_schema(tenant: Tenant) -> None:
    """Drop a tenant's schema and role. Raises psycopg's LockNotAvailable if work holds the tables for a minute."""
    schema, role = sql.Identifier(tenant.schema_name), sql.Identifier(role_of(tenant.schema_name))
    with owner_connection() as owner:
        owner.execute("SET LOCAL lock_timeout = '60s'")
        owner.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(schema))
        drop_role(owner, role)


def forget_tenant(tenant: Tenant) -> None:
    """Delete a tenant's row and hosts, and what is cached of it."""
    connection.set_schema_to_public()
    Tenant.objects.filter(pk=tenant.pk).delete()
    forget_cached(tenant.schema_name)


def drop_role(owner: psycopg.Connection, role: sql.Identifier) -> None:
    """Drop a tenant's role, unless another database of the server has a tenant of that name and needs it."""
    try:
        with owner.transaction():
            owner.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(role))
    except psycopg.errors.DependentObjectsStillExist:
        logger.info("a role is kept, because another database of this server uses it")


def forget_cached(schema: str) -> None:
    """Drop one tenant's cached values. `cache.clear()` would empty the whole server, waiting tasks included."""
    wait = settings.PATIENCE
    client = redis.Redis.from_url(
        settings.REDIS_URL, socket_connect_timeout=wait["connect"], socket_timeout=wait["forget"]
    )
    try:
        for name in client.scan_iter(match=f"{schema}:*", count=500):
            client.delete(name)
    except redis.RedisError as error:
        logger.warning("cached values of %s stay until they expire: %s", schema, type(error).__name__)
