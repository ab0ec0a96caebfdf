"""The registry room: bytes that nothing names any more.

Dropping is done under the lock that uploads of the same content take, so an upload and a sweep never meet in the middle.
The row goes first and for good, the object after it: a sweep that is killed leaves an object without a row, which the next
one finds, and never a row without its object, which somebody could name.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from apps.registry.models import VersionFile
from apps.registry.models.versions import SHA256
from apps.registry.upkeep import manifests
from apps.tracking.files import blobs, uploads
from apps.tracking.models import Blob, Offer
from maestro import staging, storage

BATCH = 500


@dataclass
class Swept:
    """What a sweep found, or dropped."""

    blobs: int = 0
    blob_bytes: int = 0
    staged: int = 0
    staged_bytes: int = 0
    orphans: int = 0
    orphan_bytes: int = 0
    uploads: int = 0
    manifests: int = 0


def naming() -> list[tuple[str, str]]:
    """List the tables that name contents, however many rooms have such, and the column of each."""
    links: list[Any] = [link for link in Blob._meta.get_fields(include_hidden=True) if link.one_to_many]
    return sorted((link.related_model._meta.db_table, link.field.column) for link in links)


def only_named_by(versions: str) -> str:
    """Write the question how many contents, of how many bytes, nothing names but some versions: an array, bound."""
    own = VersionFile._meta.db_table
    absent = "".join(
        f" AND NOT EXISTS (SELECT FROM {table} f WHERE f.{column} = b.sha256"
        + (f" AND f.version_id <> ALL({versions}))" if table == own else ")")
        for table, column in naming()
    )
    return f"""SELECT count(*), coalesce(sum(size_bytes), 0)::bigint FROM tracking_blob b
 WHERE b.sha256 IN (SELECT f.blob_id FROM {own} f WHERE f.version_id = ANY({versions})){absent}"""  # noqa: S608


def question(tail: str) -> str:
    """Write the question for contents that no table names. What lies in the trash still names its own."""
    absent = "".join(
        f" AND NOT EXISTS (SELECT FROM {table} f WHERE f.{column} = b.sha256)" for table, column in naming()
    )
    return f"SELECT sha256, size_bytes FROM tracking_blob b WHERE created_at < %s{absent} {tail}"  # noqa: S608


def unnamed(before: datetime) -> Iterator[tuple[str, int]]:
    """List contents that nothing names and that nobody has offered since `before`."""
    last, sql = "", question(f"AND sha256 > %s ORDER BY sha256 LIMIT {BATCH}")
    while True:
        with connection.cursor() as cursor:
            cursor.execute(sql, [before, last])
            rows = cursor.fetchall()
        if not rows:
            return
        yield from rows
        last = rows[-1][0]


def sweep(before: datetime, *, dry_run: bool) -> Swept:
    """Drop what is unnamed, what was staged and never published, and objects and parts that no row knows; all older than `before`."""
    swept = Swept()
    for sha256, size_bytes in unnamed(before):
        if dry_run or drop(sha256, before):
            swept.blobs += 1
            swept.blob_bytes += size_bytes
    if not dry_run:
        Offer.objects.filter(at__lt=before).delete()
    sweep_staged(before, swept, dry_run=dry_run)
    swept.manifests = 0 if dry_run else manifests.repair()
    swept.uploads = uploads.strays(before, dry_run=dry_run)
    for found in staging.walk("blobs"):
        if found.modified < before.timestamp() and drop_orphan(found, dry_run=dry_run):
            swept.orphans += 1
            swept.orphan_bytes += found.size_bytes
    return swept


def sweep_staged(before: datetime, swept: Swept, *, dry_run: bool) -> None:
    """Remove what was staged and never published."""
    for found in staging.walk(staging.STAGING):
        if found.modified < before.timestamp():
            swept.staged += 1
            swept.staged_bytes += found.size_bytes
            if not dry_run:
                staging.remove(found.key)


def drop(sha256: str, before: datetime) -> bool:
    """Delete one content, row and object, unless somebody has named or offered it meanwhile."""
    with transaction.atomic():
        blobs.hold(sha256)
        with connection.cursor() as cursor:
            cursor.execute(question("AND sha256 = %s"), [before, sha256])
            row = cursor.fetchone()
        if row is None:
            return False
        blob = Blob.objects.get(pk=sha256)
        key = blob.storage_key
        blob.delete()
    drop_object(key, sha256)
    return True


def drop_object(key: str, sha256: str) -> bool:
    """Delete an object unless a row knows it, as one does whose content was brought again meanwhile."""
    with transaction.atomic():
        blobs.hold(sha256)
        if Blob.objects.filter(storage_key=key).exists():
            return False
        staging.remove(blobs.place_of(key))
    return True


def drop_orphan(found: staging.Stored, *, dry_run: bool) -> bool:
    """Delete an object that no row knows."""
    name = found.key.rpartition("/")[2]
    key, sha256 = found.key.removeprefix(f"{storage.tenant_prefix()}/"), name.partition(".")[0]
    if dry_run:
        return not Blob.objects.filter(storage_key=key).exists()
    return drop_object(key, sha256 if SHA256.fullmatch(sha256) else hashlib.sha256(name.encode()).hexdigest())
