"""The registry room: bytes that nothing names any more, and whether what is named is still there and still the same.

Dropping is done under the lock that uploads of the same content take, so an upload and a sweep never meet in the middle.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from apps.registry.models import ArtifactVersion
from apps.tracking.files import blobs
from apps.tracking.models import Blob, Offer
from maestro import staging, storage
from maestro.errors import NotFound

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


@dataclass
class Verified:
    """What a check found. `missing` and `changed` hold digests, `drifted` names versions whose origin has changed."""

    blobs: int = 0
    bytes_read: int = 0
    missing: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    drifted: list[str] = field(default_factory=list)

    @property
    def is_sound(self) -> bool:
        """Say whether all bytes are there and are what they were."""
        return not self.missing and not self.changed


def question(tail: str) -> str:
    """Write the question for contents that no table names, however many rooms have such tables."""
    links: list[Any] = [link for link in Blob._meta.get_fields(include_hidden=True) if link.one_to_many]
    naming = sorted((link.related_model._meta.db_table, link.field.column) for link in links)
    absent = "".join(f" AND NOT EXISTS (SELECT FROM {table} f WHERE f.{column} = b.sha256)" for table, column in naming)
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
    """Drop what is unnamed, what was staged and never published, and objects that no row knows; all older than `before`."""
    swept = Swept()
    for sha256, size_bytes in unnamed(before):
        if dry_run or drop(sha256, before):
            swept.blobs += 1
            swept.blob_bytes += size_bytes
    if not dry_run:
        Offer.objects.filter(at__lt=before).delete()
    sweep_staged(before, swept, dry_run=dry_run)
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
        Blob.objects.filter(pk=sha256).delete()
        staging.remove(f"{storage.tenant_prefix()}/{blobs.key_of(sha256)}")
    return True


def drop_orphan(found: staging.Stored, *, dry_run: bool) -> bool:
    """Delete an object that no row knows."""
    sha256 = found.key.rpartition("/")[2]
    with transaction.atomic():
        blobs.hold(hashlib.sha256(sha256.encode()).hexdigest() if len(sha256) != 64 else sha256)
        if Blob.objects.filter(pk=sha256).exists():
            return False
        if not dry_run:
            staging.remove(found.key)
    return True


def verify(*, contents: bool) -> Verified:
    """Check that every named content is in the store, and with `contents` read it and compare its digest."""
    result = Verified()
    for blob in Blob.objects.order_by("pk").iterator(chunk_size=BATCH):
        result.blobs += 1
        try:
            check(blob, result, contents)
        except NotFound:
            result.missing.append(blob.sha256)
    result.drifted = [str(version) for version in drifted()]
    return result


def check(blob: Blob, result: Verified, contents: bool) -> None:
    """Read a blob, or its last byte. Raises NotFound."""
    digest, size = hashlib.sha256(), 0
    start = 0 if contents else max(blob.size_bytes - 1, 0)
    for chunk in blobs.read(blob, start):
        digest.update(chunk)
        size += len(chunk)
    result.bytes_read += size
    if size != blob.size_bytes - start or (contents and digest.hexdigest() != blob.sha256):
        result.changed.append(blob.sha256)


def drifted() -> Iterator[ArtifactVersion]:
    """List versions from a run's folder whose files there are not those that were registered."""
    for version in ArtifactVersion.objects.select_related("artifact", "run__experiment").filter(
        logged_model=None, run__isnull=False, download_uri__startswith="mlflow-artifacts:"
    ):
        root = version.run.artifact_uri if version.run else ""
        if not version.download_uri.startswith(root):
            continue
        inside = version.download_uri[len(root) :].strip("/")
        prefix = f"{inside}/" if inside else ""
        rows = version.run.files.filter(path__startswith=prefix).values_list("path", "blob_id") if version.run else ()
        now = {(path[len(prefix) :], sha256) for path, sha256 in rows}
        if now != set(version.files.values_list("path", "blob_id")):
            yield version
