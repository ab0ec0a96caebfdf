"""The tenants room: what each schema lacks, and one SQL script for all schemas that lack the same.

Django's own way asks a thousand schemas one by one, with a scan of the catalog each. Here one query in batches finds
what is missing, Django writes the SQL once, and each schema gets it in one transaction with its bookkeeping.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
from django.apps import apps
from django.conf import settings
from django.contrib.auth.management import create_permissions
from django.contrib.contenttypes.management import create_contenttypes
from django.db.migrations import AddField, CreateModel, Migration, RunPython, RunSQL, SeparateDatabaseAndState
from django.db.migrations.loader import MigrationLoader
from django_tenants.utils import schema_context
from psycopg import sql

from apps.tenants import provisioning
from apps.tenants.models import Tenant
from apps.tenants.role_groups import make_groups
from maestro.database.session import connection

BATCH = 200
LOCK_TIMEOUT = "3s"
Names = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Group:
    """Tenants that lack the same migrations, in the order in which they must run."""

    missing: Names
    tenants: tuple[Tenant, ...]


@dataclass(frozen=True)
class Script:
    """What to run in a schema, what to note as applied, and whether new models need permissions, new tables grants."""

    statements: tuple[str, ...]
    names: Names
    makes_models: bool
    needs_grants: bool


def group_by_missing(tenants: list[Tenant]) -> list[Group]:
    """Put tenants together that lack the same migrations."""
    wanted = wanted_names()
    groups: dict[Names, list[Tenant]] = defaultdict(list)
    for start in range(0, len(tenants), BATCH):
        batch = tenants[start : start + BATCH]
        applied = applied_in([tenant.schema_name for tenant in batch])
        for tenant in batch:
            groups[tuple(name for name in wanted if name not in applied[tenant.schema_name])].append(tenant)
    return [Group(missing, tuple(members)) for missing, members in groups.items()]


def wanted_names() -> list[tuple[str, str]]:
    """List the migrations of a tenant's schema in an order that respects their dependencies."""
    loader = MigrationLoader(None, ignore_no_migrations=True)
    labels = {config.label for config in apps.get_app_configs() if config.name in settings.TENANT_APPS}
    plan: dict[tuple[str, str], None] = {}
    for leaf in sorted(loader.graph.leaf_nodes()):
        plan.update(dict.fromkeys(loader.graph.forwards_plan(leaf)))
    return [name for name in plan if name[0] in labels]


def applied_in(schemas: list[str]) -> dict[str, set[tuple[str, str]]]:
    """Ask many schemas at once what they have."""
    found: dict[str, set[tuple[str, str]]] = {schema: set() for schema in schemas}
    part = sql.SQL("SELECT {name}, app, name FROM {table}")
    query = sql.SQL(" UNION ALL ").join(
        part.format(name=sql.Literal(schema), table=sql.Identifier(schema, "django_migrations")) for schema in schemas
    )
    with provisioning.owner_connection() as owner:
        for schema, app, name in owner.execute(query):
            found[schema].add((app, name))
    return found


def script_for(group: Group) -> Script | None:
    """Let Django write the SQL once, standing in the first tenant. None if a migration runs Python."""
    loader = MigrationLoader(None, ignore_no_migrations=True)
    migrations = [loader.graph.nodes[name] for name in group.missing]
    if any(isinstance(operation, RunPython) for m in migrations for operation in operations_of(m)):
        return None
    with schema_context(group.tenants[0].schema_name):
        own = MigrationLoader(connection, ignore_no_migrations=True)
        # One at a time: a plan is read from the state before its first migration, which lacks the other rooms' models.
        statements = [line for migration in migrations for line in own.collect_sql([(migration, False)])]
    operations = [operation for m in migrations for operation in operations_of(m)]
    makes_models = any(isinstance(operation, CreateModel) for operation in operations)
    lines = tuple(s for s in statements if s.strip() and not s.startswith("--") and s not in ("BEGIN;", "COMMIT;"))
    return Script(lines, group.missing, makes_models, any(map(makes_tables, operations)))


def makes_tables(operation: object) -> bool:
    """Say whether a migration's operation may leave tables that the tenant's role has no right to yet."""
    if isinstance(operation, AddField):
        return bool(operation.field.many_to_many)
    return isinstance(operation, CreateModel | RunSQL)


def operations_of(migration: Migration) -> Iterator[object]:
    """List a migration's operations, with those inside SeparateDatabaseAndState."""
    for operation in migration.operations:
        yield operation
        if isinstance(operation, SeparateDatabaseAndState):
            yield from operation.database_operations


def apply(owner: psycopg.Connection, schema: str, script: Script) -> None:
    """Run a script in one schema, with its bookkeeping and grants, in one transaction. Raises psycopg.Error."""
    with owner.transaction():
        path = sql.SQL("SET LOCAL search_path = {}, public").format(sql.Identifier(schema))
        owner.execute(path)
        owner.execute(sql.SQL("SET LOCAL lock_timeout = {}").format(sql.Literal(LOCK_TIMEOUT)))
        for statement in script.statements:
            owner.execute(statement.encode())
        record(owner, script.names)
        if script.needs_grants:
            provisioning.grant(owner, schema)
    if script.makes_models:
        make_permissions(schema)


def record(owner: psycopg.Connection, names: Names) -> None:
    """Note migrations as applied."""
    rows = [list(name) for name in names]
    owner.cursor().executemany("INSERT INTO django_migrations (app, name, applied) VALUES (%s, %s, now())", rows)


def make_permissions(schema: str) -> None:
    """Give new models their content types, permissions and places in the role groups."""
    with schema_context(schema):
        for config in apps.get_app_configs():
            if config.name in settings.TENANT_APPS:
                create_contenttypes(config, verbosity=0)
                create_permissions(config, verbosity=0)
        make_groups()
    connection.set_schema_to_public()
