"""The tracking room: bytes in by sha256, verified; bytes out by range. The door names nothing in the store."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from django.db import connection, transaction
from django.db.models.functions import Now

from apps.tracking.models import Blob
from maestro import limits, staging, storage
from maestro.errors import Conflict, Invalid, TooLarge


@dataclass(frozen=True)
class Promise:
    """What an uploader said about its bytes before sending them; None is unsaid."""

    size_bytes: int | None = None
    sha256: str | None = None

    def check(self, size_bytes: int, sha256: str) -> None:
        """Raise Invalid for a body cut short, Conflict for other bytes than were promised."""
        if self.size_bytes is not None and size_bytes != self.size_bytes:
            raise Invalid(f"{size_bytes} of {self.size_bytes} bytes arrived; nothing is stored", "body_cut_short")
        if self.sha256 is not None and sha256 != self.sha256:
            raise Conflict(f"the bytes have sha256 {sha256}, not {self.sha256}; nothing is stored", "digest_mismatch")


def key_of(sha256: str) -> str:
    """Name a content's place below the tenant's prefix."""
    return f"blobs/{sha256[:2]}/{sha256}"


def store(chunks: Iterable[bytes], promise: Promise | None = None) -> tuple[Blob, bool]:
    """Take bytes in. Returns the blob and whether its content is new here. Bytes that break the promise leave nothing.

    Raises Invalid, Conflict, TooLarge, StorageFull, Unavailable
    """
    promise = promise or Promise()
    with staging.staged(bounded(chunks), expected_bytes=promise.size_bytes or 0) as arrived:
        promise.check(arrived.size_bytes, arrived.sha256)
        key = key_of(arrived.sha256)
        with transaction.atomic():
            hold(arrived.sha256)
            found = Blob.objects.filter(pk=arrived.sha256).first()
            place = f"{storage.tenant_prefix()}/{key}"
            if found is None or staging.size_of(place) != arrived.size_bytes:
                # A row whose bytes the store has lost is healed by whoever brings them again.
                staging.publish(arrived.key, place)
            if found is not None:
                # A sweep spares what was offered lately, so that the caller has time to give it a name.
                Blob.objects.filter(pk=found.pk).update(created_at=Now())
                return found, False
            made = Blob.objects.create(sha256=arrived.sha256, size_bytes=arrived.size_bytes, storage_key=key)
            return made, True


def store_text(text: str) -> Blob:
    """Take a small text in."""
    return store([text.encode()])[0]


def hold(sha256: str) -> None:
    """Keep sweeper and uploader of one content apart until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [int(sha256[:15], 16)])


def bounded(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Pass bytes on up to the bound of a file. Raises TooLarge."""
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > limits.FILE_BYTES:
            raise TooLarge(f"a file may have at most {limits.FILE_BYTES} bytes", "file_too_large")
        yield chunk


def read(blob: Blob, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
    """Stream a part of a blob; needs no database once it has begun. Raises NotFound if the store lost it."""
    last = blob.size_bytes if stop is None else stop
    return staging.read(f"{storage.tenant_prefix()}/{blob.storage_key}", start, last)
