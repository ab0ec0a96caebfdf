"""The tenants room: a tenant written into a folder: its rows as of one moment, then their bytes, then the manifest.

May be repeated: rows are written anew, bytes that are there already stay. Nothing in the tenant is changed or locked.
"""

import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import psycopg
from django_tenants.utils import tenant_context

from apps.tenants import provisioning, template
from apps.tenants.actions import Act
from apps.tenants.models import OperatorEvent, Tenant
from apps.tenants.moving import rows, tables
from apps.tenants.moving.package import (
    FORMAT,
    LIST,
    MANIFEST,
    UNFINISHED,
    BlobFacts,
    Manifest,
    Package,
    StayedFacts,
    TableFacts,
    TenantFacts,
    Writing,
    entry_of,
)
from apps.tenants.moving.tables import Table
from maestro import staging, storage
from maestro.database.session import connection
from maestro.errors import Conflict, Invalid, NotFound

Tell = Callable[[str], None]
WORK = ".contents"
NAMED: Final = 20
CONTENTS = 'SELECT sha256, size_bytes, storage_key FROM tracking_blob ORDER BY sha256 COLLATE "C"'
HERE = "SELECT 1 FROM tracking_blob WHERE sha256 = %s"


@dataclass
class Left:
    """What was written. `missing` are contents that rows name and the store does not have, or has other bytes for."""

    tables: int = 0
    rows: int = 0
    blobs: int = 0
    blob_bytes: int = 0
    copied: int = 0
    missing: list[str] = field(default_factory=list)
    manifest_sha256: str = ""


def leave(slug: str, root: Path, *, by: str, tell: Tell = lambda line: None) -> Left:
    """Write a tenant into a folder. Raises NotFound, Conflict, Invalid for a folder that holds something else, Unavailable."""
    tenant, package, result = wanted(slug), Package(root), Left()
    with claimed(package, tenant), tenant_context(tenant):
        with rows.snapshot() as at:
            written = {table.name: write_table(table, package, tell) for table in tables.travelling()}
            stayed = {
                name: StayedFacts(rows.count_of(name), reason)
                for name, reason in tables.STAYS.items()
                if name in at.known
            }
            list_contents(package)
        blobs = copy_contents(package, result, tell)
        whole = Manifest(FORMAT, tenant.schema_head, at.moment, facts_of(tenant), written, blobs, stayed)
        whole.withheld = {f"{table}.{column}": why for (table, column), (_, why) in tables.WITHHELD.items()}
        result.manifest_sha256 = package.seal(whole)
    result.tables, result.rows = len(written), sum(facts.rows for facts in written.values())
    told = {"manifest_sha256": result.manifest_sha256, "rows": result.rows, "blobs": result.blobs}
    connection.set_schema_to_public()
    OperatorEvent.objects.record(
        Act.TENANT_EXPORT, actor=provisioning.actor(by), object_type="Tenant", object_id=slug, after=told
    )
    return result


def foresee(slug: str) -> dict[str, Any]:
    """Say what would be written."""
    with tenant_context(wanted(slug)), rows.snapshot():
        total = sum(rows.count_of(table.name) for table in tables.travelling())
        ((count, size),) = tables.asked("SELECT count(*), coalesce(sum(size_bytes), 0)::bigint FROM tracking_blob")
    return {"rows": total, "blobs": count, "blob_bytes": size}


def wanted(slug: str) -> Tenant:
    """Fetch the tenant. Raises NotFound, Conflict for one that is not whole or waits for its migrations."""
    tenant = provisioning.fetch(slug)
    if tenant.state in {Tenant.State.PROVISIONING, Tenant.State.ERASING}:
        raise Conflict(f"{slug} is {tenant.state}")
    if tenant.schema_head != template.current_head():
        raise Conflict(f"{slug} waits for its migrations: run `manage.py migrate_tenants` first")
    return tenant


def facts_of(tenant: Tenant) -> TenantFacts:
    """Write down a tenant as the public schema knows it."""
    return TenantFacts(str(tenant.pk), tenant.slug, tenant.name, tenant.quota_bytes)


@contextmanager
def claimed(package: Package, tenant: Tenant) -> Iterator[None]:
    """Keep others out of the folder. Raises Invalid if it holds anything but an export of this tenant, Conflict if it is in use."""
    package.root.mkdir(parents=True, exist_ok=True)
    mark = package.root / UNFINISHED
    if (package.root / MANIFEST).exists():
        if package.manifest()[0].tenant.id != str(tenant.pk):
            raise Invalid(f"{package.root} holds the export of another tenant", "folder_taken")
    elif not mark.exists() and any(package.root.iterdir()):
        raise Invalid(f"{package.root} is not empty, and no export", "folder_taken")
    with open(mark, "a+", opener=lambda path, flags: os.open(path, flags | os.O_NOFOLLOW, 0o600)) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise Conflict(f"another export writes into {package.root}") from error
        file.seek(0)
        if file.read() not in ("", str(tenant.pk)):
            raise Invalid(f"{package.root} holds the beginning of another tenant's export", "folder_taken")
        file.truncate(0)
        file.write(str(tenant.pk))
        file.flush()
        (package.root / MANIFEST).unlink(missing_ok=True)
        yield


def write_table(table: Table, package: Package, tell: Tell) -> TableFacts:
    """Write a table's rows into its file."""
    told, count, size = hashlib.sha256(), 0, 0
    with Writing(package.table(table.name)) as file:
        for line in rows.lines_of(table):
            file.write(line)
            told.update(line)
            count, size = count + 1, size + len(line)
            if not count % 10_000:
                tell(f"{table.name}: {count:,} rows")
    tell(f"{table.name}: {count:,} rows")
    return TableFacts(count, size, told.hexdigest(), [one.name for one in table.columns], sequences_of(table))


def sequences_of(table: Table) -> dict[str, int]:
    """How far the sequences of a table have counted; those that have not begun are not named."""
    found = {}
    for column in table.numbered:
        ((last, is_called),) = tables.asked(f"SELECT last_value, is_called FROM {column.sequence}")  # noqa: S608 quoted by Postgres
        if is_called:
            found[column.name] = int(last)
    return found


def list_contents(package: Package) -> None:
    """Note which contents there are at that moment, and where they lie."""
    raw: Any = connection.connection
    question = f"COPY ({CONTENTS}) TO STDOUT (FORMAT BINARY)"
    with Writing(package.root / WORK) as file, psycopg.Cursor(raw) as cursor, cursor.copy(question) as copy:
        copy.set_types(["text", "int8", "text"])
        for sha256, size, key in copy.rows():
            file.write(f"{sha256} {size} {key}\n".encode())


def copy_contents(package: Package, result: Left, tell: Tell) -> BlobFacts:
    """Bring all bytes into the folder, and write their list. Raises Conflict if contents were swept meanwhile."""
    told = hashlib.sha256()
    with Writing(package.root / LIST) as file:
        for line in package.lines(package.root / WORK):
            sha256, size, key = line.decode().rstrip("\n").split(" ", 2)
            if not copy_content(package, sha256, int(size), key, result):
                result.missing.append(sha256)
                continue
            entry = entry_of(sha256)
            file.write(entry)
            told.update(entry)
            result.blobs, result.blob_bytes = result.blobs + 1, result.blob_bytes + int(size)
            tell(f"{result.blobs:,} contents, {result.blob_bytes:,} bytes")
    (package.root / WORK).unlink()
    swept = [sha256 for sha256 in result.missing if not tables.asked(HERE, [sha256])]
    if swept:
        raise Conflict(f"{len(swept)} contents were swept while this was written, {swept[0]} first: run it again")
    return BlobFacts(result.blobs, result.blob_bytes, told.hexdigest(), result.missing)


def copy_content(package: Package, sha256: str, size: int, key: str, result: Left) -> bool:
    """Bring a content into the folder unless it is there. False if the store does not have it, or has other bytes."""
    place = package.blob(sha256)
    if place.exists() and place.stat().st_size == size:
        return True
    told = hashlib.sha256()
    try:
        with Writing(place) as file:
            for piece in staging.read(f"{storage.tenant_prefix()}/{key}", 0, size):
                told.update(piece)
                file.write(piece)
            if told.hexdigest() != sha256:
                raise NotFound("the store has other bytes", "bytes_missing")
    except NotFound:
        return False
    result.copied += 1
    return True
