"""The tenants room: a tenant made of an export. Nobody may enter it until all is here and is what it was there.

Killed on its way it goes on when it is repeated: tables are there as a whole or not at all, bytes one by one. What turns
out to be no whole export is taken back.
"""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.db import transaction
from django.utils import timezone

from apps.tenants import provisioning, routing, template
from apps.tenants.actions import Act
from apps.tenants.models import Job, OperatorEvent, Tenant
from apps.tenants.moving import bringing, checking
from apps.tenants.moving.bringing import Compared
from apps.tenants.moving.checking import Tell
from apps.tenants.moving.package import Manifest, Package
from maestro import clearing, storage
from maestro.clock import uuid7
from maestro.database.session import connection
from maestro.errors import AlreadyExists, Conflict, Invalid, NotFound

KIND = "import_tenant"
ALONE = "SELECT pg_try_advisory_lock(hashtextextended('import_tenant ' || %s, 0))"


@dataclass
class Arrived:
    """What came: each table, and the contents, as they are there and here; and what did not."""

    slug: str
    id: str = ""
    was_resumed: bool = False
    kinds: dict[str, Compared] = field(default_factory=dict)
    blob_bytes: int = 0
    missing: list[str] = field(default_factory=list)
    stayed: dict[str, dict[str, Any]] = field(default_factory=dict)
    withheld: dict[str, str] = field(default_factory=dict)


def arrive(root: Path, slug: str, *, by: str, tell: Tell = lambda line: None) -> Arrived:
    """Make a tenant of an export. Raises Invalid, NotFound, AlreadyExists, Conflict, Unavailable, StorageFull."""
    package = Package(root)
    manifest, sha256 = package.manifest()
    result = begun(manifest, slug or manifest.tenant.slug)
    with alone(result.slug):
        known = unfinished(result.slug, sha256)
        checking.examine(package, manifest, tell, reads_bytes=False)
        tenant = known or begin(manifest, result.slug, sha256)
        result.id, result.was_resumed = str(tenant.pk), known is not None
        try:
            work = bringing.Bringing(tenant, package, manifest, tell)
            work.bring()
        except (Invalid, NotFound, Conflict):
            take_back(tenant)
            raise
        result.kinds = work.compared
        open_to_all(tenant, result, sha256, by)
    return result


def foresee(root: Path, slug: str, *, tell: Tell = lambda line: None) -> Arrived:
    """Say what would come, having read all of it. Raises as `arrive` does."""
    package = Package(root)
    manifest, sha256 = package.manifest()
    result = begun(manifest, slug or manifest.tenant.slug)
    result.was_resumed = unfinished(result.slug, sha256) is not None
    checking.examine(package, manifest, tell, reads_bytes=True)
    result.kinds = {name: Compared(facts.rows) for name, facts in manifest.tables.items()}
    result.kinds["contents"] = Compared(manifest.blobs.count)
    return result


def begun(manifest: Manifest, slug: str) -> Arrived:
    """Begin the report with what the manifest says."""
    result = Arrived(slug, blob_bytes=manifest.blobs.bytes, missing=manifest.blobs.missing)
    result.stayed = {
        name: {"rows": one.rows, "reason": one.reason} for name, one in manifest.stayed.items() if one.rows
    }
    result.withheld = dict(manifest.withheld)
    return result


@contextmanager
def alone(slug: str) -> Iterator[None]:
    """Let one import of a name run at a time. Raises Conflict; who dies lets go at once."""
    with provisioning.owner_connection() as owner:
        owner.autocommit = True
        (is_free,) = owner.execute(ALONE, [slug]).fetchone() or (False,)
        if not is_free:
            raise Conflict(f"another import into {slug} is under way")
        yield


def unfinished(slug: str, sha256: str) -> Tenant | None:
    """The tenant that an earlier import of this very export began. Raises AlreadyExists, Conflict for any other of that name."""
    connection.set_schema_to_public()
    tenant = Tenant.objects.filter(slug=slug).first()
    if tenant is None:
        return None
    job = Job.objects.filter(kind=KIND, tenant=tenant, state=Job.State.RUNNING).first()
    if tenant.state != Tenant.State.PROVISIONING or job is None:
        raise AlreadyExists(f"there is a tenant named {slug!r} already; --slug gives another name")
    if job.message != f"of {sha256}":
        raise Conflict(f"an import of another export into {slug} has not ended: repeat that one, or erase {slug} first")
    return tenant


def begin(manifest: Manifest, slug: str, sha256: str) -> Tenant:
    """Make the tenant's row and an empty schema, closed to all. Its id is the one that it had, where that is free."""
    told, head = manifest.tenant, template.current_head()
    with provisioning.made(
        slug, name=told.name, pk=free_id(manifest), schema_head=head, quota_bytes=told.quota_bytes
    ) as tenant:
        Job.objects.create(
            kind=KIND, tenant=tenant, state=Job.State.RUNNING, message=f"of {sha256}", started_at=timezone.now()
        )
        bringing.empty(tenant)
    return tenant


def free_id(manifest: Manifest) -> uuid.UUID:
    """Keep the tenant's id unless another tenant has it, or bytes lie below its prefix that are not ours to touch."""
    connection.set_schema_to_public()
    wanted = uuid.UUID(manifest.tenant.id)
    is_taken = Tenant.objects.filter(pk=wanted).exists() or clearing.weigh(storage.prefix_of(wanted)).objects
    return uuid7() if is_taken else wanted


def take_back(tenant: Tenant) -> None:
    """Leave nothing of an import that can't end well."""
    connection.set_schema_to_public()
    Job.objects.filter(kind=KIND, tenant=tenant).update(state=Job.State.FAILED, ended_at=timezone.now())
    provisioning.drop_schema(tenant)
    clearing.clear(storage.prefix_of(tenant.pk))
    provisioning.forget_tenant(tenant)


def open_to_all(tenant: Tenant, result: Arrived, sha256: str, by: str) -> None:
    """Let people, keys and tasks in, and write down who did it."""
    told = {"id": str(tenant.pk), "manifest_sha256": sha256, "rows": sum(both.here for both in result.kinds.values())}
    connection.set_schema_to_public()
    with transaction.atomic():
        Tenant.objects.filter(pk=tenant.pk).update(state=Tenant.State.ACTIVE)
        ended = {"state": Job.State.DONE, "percent": 100, "ended_at": timezone.now()}
        Job.objects.filter(kind=KIND, tenant=tenant, state=Job.State.RUNNING).update(**ended)
        OperatorEvent.objects.record(
            Act.TENANT_IMPORT, actor=provisioning.actor(by), object_type="Tenant", object_id=result.slug, after=told
        )
    routing.forget()
