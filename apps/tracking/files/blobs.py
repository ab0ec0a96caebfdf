"""The tracking room: bytes in by sha256, verified; bytes out by range. The door names nothing in the store."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from django.db import connection, transaction
from django.db.models.functions import Now
from django.utils import timezone

from apps.tracking.files import quotas
from apps.tracking.files.quotas import Share
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


def store(
    chunks: Iterable[bytes], promise: Promise | None = None, *, share: Share | None = None, is_counted: bool = True
) -> tuple[Blob, bool]:
    """Take bytes in. Returns the blob and whether its content is new here. Bytes that break the promise leave nothing.

    share       the project where they are to be named
    is_counted  False where room was asked for by the caller

    Raises Invalid, Conflict, TooLarge, QuotaReached, StorageFull, Unavailable
    """
    promise = promise or Promise()
    with staging.staged(bounded(chunks), expected_bytes=promise.size_bytes or 0) as arrived:
        promise.check(arrived.size_bytes, arrived.sha256)
        if is_counted:
            quotas.take({arrived.sha256: arrived.size_bytes}, share)
        key = key_of(arrived.sha256)
        with transaction.atomic():
            hold(arrived.sha256)
            found = Blob.objects.filter(pk=arrived.sha256).first()
            place = place_of(found.storage_key if found else key)
            if found is None or staging.size_of(place) != arrived.size_bytes:
                # A row whose bytes the store has lost is healed by whoever brings them again.
                staging.publish(arrived.key, place)
            if found is not None:
                # A sweep spares what was offered lately, so that the caller has time to give it a name.
                Blob.objects.filter(pk=found.pk).update(created_at=Now())
                return found, False
            made = Blob.objects.create(sha256=arrived.sha256, size_bytes=arrived.size_bytes, storage_key=key)
            return made, True


def adopt(key: str, size_bytes: int, sha256: str) -> Blob:
    """Make the content of bytes that lie in the store at `key`, digested before. In a transaction.

    Where the content is here already it stays where it is, and nothing points at `key`.
    """
    hold(sha256)
    found = Blob.objects.filter(pk=sha256).first()
    if found is None:
        return Blob.objects.create(sha256=sha256, size_bytes=size_bytes, storage_key=key)
    if staging.size_of(place_of(found.storage_key)) != size_bytes:
        found.storage_key = key
    found.created_at = timezone.now()
    found.save(update_fields=["storage_key", "created_at"])
    return found


def place_of(key: str) -> str:
    """Find a key's place in the store."""
    return f"{storage.tenant_prefix()}/{key}"


def store_text(text: str) -> Blob:
    """Take a small text in."""
    return store([text.encode()])[0]


def store_texts(texts: Iterable[str]) -> list[Blob]:
    """Take small texts in, within a transaction."""
    pieces = [text.encode() for text in texts]
    with quotas.room_for({hashlib.sha256(piece).hexdigest(): len(piece) for piece in pieces}):
        return [store([piece], is_counted=False)[0] for piece in pieces]


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
    return staging.read(place_of(blob.storage_key), start, last)
