"""The registry room: whether all that is kept is still there and still the same: read again, bit by bit.

What a check has found, and how far it has come, stands in a row, so that one which was stopped goes on from there.
"""

import hashlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from django.db.models import QuerySet, Sum

from apps.registry.models import ArtifactVersion, BlobCheck
from apps.tracking.files import blobs
from apps.tracking.models import Blob
from maestro.errors import NotFound

BATCH: Final = 500
NOTED_BYTES: Final = 64 * 2**20
NAMED: Final = 1_000


@dataclass
class Verified:
    """What a check found. `missing` and `changed` hold digests, `drifted` names versions whose origin has changed."""

    blobs: int = 0
    bytes_read: int = 0
    missing: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    drifted: list[str] = field(default_factory=list)
    was_resumed: bool = False

    @property
    def is_sound(self) -> bool:
        """Say whether all bytes are there and are what they were."""
        return not self.missing and not self.changed


@dataclass
class Pace:
    """How fast a check may read; None: as fast as it can. `wait` sleeps so many seconds."""

    bytes_per_second: float | None = None
    wait: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    started: float = 0.0
    read: int = 0

    def spend(self, size: int) -> None:
        """Wait until so many more bytes are due."""
        if self.bytes_per_second is None:
            return
        self.started = self.started or self.clock()
        self.read += size
        ahead = self.read / self.bytes_per_second - (self.clock() - self.started)
        if ahead > 0:
            self.wait(ahead)


@dataclass(frozen=True)
class Manner:
    """How to check: reading `contents` or only whether they are there; how fast; anew, or on from where one stopped."""

    contents: bool
    is_anew: bool = False
    pace: Pace = field(default_factory=Pace)
    tell: Callable[[int, int], None] = lambda done, of: None


def verify(now: datetime, manner: Manner) -> Verified:
    """Check that every content is in the store and, where asked, read it and compare its digest."""
    row, was_resumed = begin(now, manner)
    result = Verified(row.blobs, row.bytes_read, list(row.missing), list(row.changed), was_resumed=was_resumed)
    total = int(Blob.objects.aggregate(size=Sum("size_bytes"))["size"] or 0)
    noted = result.bytes_read
    for number, blob in enumerate(left(row.position).iterator(chunk_size=BATCH), 1):
        result.blobs += 1
        try:
            check(blob, result, manner)
        except NotFound:
            if Blob.objects.filter(pk=blob.pk).exists():  # else it was swept meanwhile
                result.missing.append(blob.sha256)
        if number % BATCH == 0 or result.bytes_read - noted >= NOTED_BYTES:
            noted = result.bytes_read
            note(row, result, blob.sha256)
            manner.tell(result.bytes_read, total)
    BlobCheck.objects.filter(pk=row.pk).delete()
    result.drifted = [str(version) for version in drifted()]
    return result


def left(position: str) -> QuerySet[Blob]:
    """Contents that a check has not come to yet."""
    return Blob.objects.filter(pk__gt=position).order_by("pk")


def begin(now: datetime, manner: Manner) -> tuple[BlobCheck, bool]:
    """Find the check of this kind that was stopped, or begin one."""
    rows = BlobCheck.objects.filter(contents=manner.contents)
    if manner.is_anew:
        rows.delete()
    row, is_new = rows.get_or_create(contents=manner.contents, defaults={"started_at": now})
    return row, not is_new


def note(row: BlobCheck, result: Verified, position: str) -> None:
    """Write down how far a check has come, and the first of what it has found."""
    BlobCheck.objects.filter(pk=row.pk).update(
        position=position,
        blobs=result.blobs,
        bytes_read=result.bytes_read,
        missing=result.missing[:NAMED],
        changed=result.changed[:NAMED],
    )


def check(blob: Blob, result: Verified, manner: Manner) -> None:
    """Read a blob, or its last byte. Raises NotFound."""
    digest, size = hashlib.sha256(), 0
    start = 0 if manner.contents else max(blob.size_bytes - 1, 0)
    for chunk in blobs.read(blob, start):
        digest.update(chunk)
        size += len(chunk)
        manner.pace.spend(len(chunk))
    result.bytes_read += size
    if size != blob.size_bytes - start or (manner.contents and digest.hexdigest() != blob.sha256):
        result.changed.append(blob.sha256)


def drifted() -> Iterator[ArtifactVersion]:
    """List versions from a run's folder whose files there are not those that were registered."""
    for version in ArtifactVersion.everything.select_related("artifact", "run__experiment").filter(
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
