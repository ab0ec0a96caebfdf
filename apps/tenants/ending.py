"""The tenants room: closing a tenant, opening it again, and erasing it with its bytes, while others go on.

Erasing: nobody is let in any more; a moment later no process remembers otherwise; then the schema and the role go,
which ends whatever is still at work there; then the bytes, again and again until nothing arrives.
"""

import time
from dataclasses import dataclass
from typing import Any

import psycopg
from django.db import transaction
from django.utils import timezone

from apps.tenants import provisioning, routing
from apps.tenants.actions import Act
from apps.tenants.models import Job, OperatorEvent, Tenant
from maestro import clearing, storage
from maestro.clearing import Heap
from maestro.database.session import connection
from maestro.errors import Conflict, Unavailable

SETTLE_SECONDS = routing.KEEP_SECONDS + 1
MOST_ROUNDS = 20
SIZE = """SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint, count(*) FILTER (WHERE c.relkind IN ('r', 'p'))
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = %s AND c.relkind IN ('r', 'p', 'm')"""
State = Tenant.State
ACTS = {State.SUSPENDED: Act.TENANT_SUSPEND, State.ACTIVE: Act.TENANT_RESUME}


@dataclass(frozen=True)
class Belongings:
    """What an erasing takes away."""

    tables: int
    table_bytes: int
    heap: Heap


def belongings_of(tenant: Tenant) -> Belongings:
    """Count what a tenant has."""
    connection.set_schema_to_public()
    with connection.cursor() as cursor:
        cursor.execute(SIZE, [tenant.schema_name])
        table_bytes, tables = cursor.fetchone()
    return Belongings(tables, table_bytes, clearing.weigh(storage.prefix_of(tenant.id)))


def suspend(slug: str, *, by: str) -> Tenant:
    """Close a tenant to requests and tasks. Raises NotFound, or Conflict for one that is not open."""
    return move(slug, State.ACTIVE, State.SUSPENDED, "suspend_tenant", by)


def resume(slug: str, *, by: str) -> Tenant:
    """Open a suspended tenant. Raises NotFound, or Conflict for one that is not suspended."""
    return move(slug, State.SUSPENDED, State.ACTIVE, "resume_tenant", by)


def move(slug: str, before: Tenant.State, after: Tenant.State, kind: str, by: str) -> Tenant:
    """Change a tenant's state, once, and keep who did."""
    tenant = provisioning.fetch(slug)
    if tenant.state == after:
        return tenant
    with transaction.atomic():
        if not Tenant.objects.filter(pk=tenant.pk, state=before).update(state=after):
            raise Conflict(f"{slug} is {tenant.state}, not {before}")
        keep(kind, tenant, f"{slug}: {before} to {after}, by {by}")
        told(tenant, ACTS[after], by, before={"state": before}, after={"state": after})
    tenant.refresh_from_db()
    return tenant


def erase(slug: str, *, by: str, settle_seconds: float = SETTLE_SECONDS) -> Belongings:
    """Erase a suspended tenant, or one that was only half imported: schema, role, rows, cached values and bytes. Safe to repeat after an interruption.

    Raises NotFound, Conflict for one that is in use, Unavailable if its tables stay locked or the store is away.
    """
    tenant = provisioning.fetch(slug)
    if tenant.state not in {State.SUSPENDED, State.ERASING, State.PROVISIONING}:
        raise Conflict(f"{slug} is {tenant.state}: suspend it first")
    found, prefix = belongings_of(tenant), storage.prefix_of(tenant.id)
    with transaction.atomic():
        Tenant.objects.filter(pk=tenant.pk).update(state=State.ERASING)
        told(tenant, Act.TENANT_BEGIN_ERASING, by, before={"state": tenant.state}, after={"state": State.ERASING})
    time.sleep(settle_seconds)
    try:
        # The row goes last: until then the command can be repeated.
        provisioning.drop_schema(tenant)
    except psycopg.errors.LockNotAvailable as error:
        raise Unavailable(f"work in {slug} holds its tables; try again when it has ended") from error
    swept = sweep(prefix, settle_seconds)
    heap = f"{swept.objects} objects of {swept.size_bytes} bytes"
    gone = {"id": str(tenant.id), "tables": found.tables, "objects": swept.objects, "object_bytes": swept.size_bytes}
    with transaction.atomic():
        provisioning.forget_tenant(tenant)
        keep("erase_tenant", None, f"{slug} ({tenant.id}): {found.tables} tables, {heap}, by {by}")
        told(tenant, Act.TENANT_ERASE, by, before=gone)
    return Belongings(found.tables, found.table_bytes, swept)


def sweep(prefix: str, settle_seconds: float) -> Heap:
    """Clear a prefix until a whole pause brings nothing more. Raises Unavailable if bytes keep arriving."""
    whole = clearing.clear(prefix)
    for _ in range(MOST_ROUNDS):
        time.sleep(settle_seconds)
        late = clearing.clear(prefix)
        if not late.objects:
            return whole
        whole += late
    raise Unavailable("bytes keep arriving for this tenant; end its uploads and try again")


def told(tenant: Tenant, action: Act, by: str, *, before: Any = None, after: Any = None) -> None:
    """Write down in the operators' log what one of them did to a tenant."""
    OperatorEvent.objects.record(
        action,
        actor=provisioning.actor(by),
        object_type="Tenant",
        object_id=tenant.slug,
        before=before,
        after=after,
    )


def keep(kind: str, tenant: Tenant | None, message: str) -> None:
    """Show what an operator did among the jobs."""
    at = timezone.now()
    Job.objects.create(
        kind=kind, tenant=tenant, state=Job.State.DONE, percent=100, message=message, started_at=at, ended_at=at
    )
