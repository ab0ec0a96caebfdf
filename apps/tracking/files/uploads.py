"""The tracking room: uploads in parts: begun, signed part by part, made whole, given up, and forgotten after a day.

Nothing of an upload is seen before its bytes were read and digested by us. Each step may be repeated, and two may meet:
the last word is said with the row held.
"""

import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction

from apps.tenants.access.keys.keyring import is_in_force
from apps.tracking.files import blobs, parts, quotas
from apps.tracking.files.quotas import Share
from apps.tracking.models import Blob, Upload
from maestro import limits, multipart, staging
from maestro.errors import Conflict, Invalid, NotFound, QuotaReached, TooLarge
from maestro.multipart import Part, Signed

KEEP = timedelta(hours=24)
MIB = 2**20
PART_BYTES, LEAST_PART_BYTES, MOST_PART_BYTES = 16 * MIB, 5 * MIB, 5 * 2**30


@dataclass(frozen=True)
class Wanted:
    """A file that somebody wants to send: its digest and size, and how large a part shall be if they care."""

    sha256: str
    size_bytes: int
    part_size_bytes: int | None = None

    def part_bytes(self) -> int:
        """Choose the size of a part. Raises Invalid for one with which there would be too many."""
        size = self.part_size_bytes
        if size is None:
            needed = -(-self.size_bytes // (limits.UPLOAD_PARTS * MIB)) * MIB
            return max(PART_BYTES, needed)
        if not LEAST_PART_BYTES <= size <= MOST_PART_BYTES or self.size_bytes > size * limits.UPLOAD_PARTS:
            most = f"and {limits.UPLOAD_PARTS} parts at most"
            raise Invalid(f"a part has {LEAST_PART_BYTES} to {MOST_PART_BYTES} bytes, {most}", "bad_part_size")
        return size


def begin(wanted: Wanted, *, owner: str, now: datetime) -> tuple[Upload, bool]:
    """Begin an upload, or go on with the owner's own of the same content. Says whether it is new.

    Raises Invalid, TooLarge, Conflict for another size or too many that are open, Unavailable, StorageFull
    """
    if wanted.size_bytes > limits.FILE_BYTES:
        raise TooLarge(f"a file may have at most {limits.FILE_BYTES} bytes", "file_too_large")
    open_ones = Upload.objects.filter(owner=owner, sha256=wanted.sha256, path="", done_at=None)
    found = open_ones.first()
    if found is not None and found.expires_at <= now:
        discard(found)
        found = None
    if found is not None:
        if found.size_bytes != wanted.size_bytes:
            raise Conflict(f"an upload of this content is open with {found.size_bytes} bytes", "size_differs")
        return found, False
    size = wanted.part_bytes()
    upload = Upload(
        owner=owner,
        sha256=wanted.sha256,
        size_bytes=wanted.size_bytes,
        part_size_bytes=size,
        parts=-(-wanted.size_bytes // size),
    )
    try:
        return start(upload, now), True
    except IntegrityError as error:
        found = open_ones.first()
        if found is None:
            raise Conflict("the same upload was begun and ended just now; ask again", "upload_raced") from error
        return found, False


def begin_at(path: str, count: int, *, owner: str, now: datetime) -> Upload:
    """Begin an upload whose digest is not known, to be a file of a folder. It goes straight into the bucket."""
    return start(Upload(owner=owner, path=path, parts=count), now)


def start(upload: Upload, now: datetime) -> Upload:
    """Begin in the store, then write the row; without its row it costs a day at most."""
    require_room(upload.owner)
    quotas.check(lambda: promised([*Upload.objects.filter(done_at=None).defer("digests"), upload]))
    upload.created_at, upload.expires_at = now, now + KEEP
    parts.begin(upload)
    try:
        with transaction.atomic():
            upload.save(force_insert=True)
    except BaseException:
        parts.drop(upload)
        raise
    return upload


def promised(rows: Iterable[Upload]) -> dict[str, int]:
    """What uploads will bring, by digest: it lies in the store in parts already, or may tomorrow, and is nobody's yet.

    Of one that did not say its size, the least that so many parts have.
    """
    return {row.sha256 or row.pk.hex: row.size_bytes or (row.parts - 1) * LEAST_PART_BYTES + 1 for row in rows}


def require_room(owner: str) -> None:
    """Raise Conflict while somebody has too many uploads open."""
    most = limits.UPLOADS_OPEN_PERSON
    if Upload.objects.filter(owner=owner, done_at=None).count() >= most:
        raise Conflict(f"{most} uploads of yours are open; finish or abort some", "too_many_uploads")


def fetch(identity: uuid.UUID, *, now: datetime, owner: str | None = None, path: str = "") -> Upload:
    """Fetch an upload of somebody, that has not expired. Raises NotFound."""
    found = Upload.objects.filter(pk=identity, path=path, expires_at__gt=now)
    upload = (found if owner is None else found.filter(owner=owner)).first()
    if upload is None:
        raise no_upload()
    return upload


def no_upload() -> NotFound:
    """Make the refusal of an upload that is not there."""
    return NotFound("there is no such upload, or no longer: begin it again")


def here(upload: Upload) -> dict[int, Part]:
    """Find the parts that have arrived. Raises NotFound, and forgets the upload, if the store has lost it."""
    if upload.done_at is not None:
        return {}
    try:
        return parts.here(upload)
    except NotFound as error:
        require_done(upload, error)
        return {}


def require_done(upload: Upload, error: NotFound) -> Upload:
    """Find the upload done, of which the store knows nothing any more. Raises NotFound, and gives it up, if it is not."""
    found = Upload.objects.filter(pk=upload.pk).first()
    if found is not None and found.done_at is not None:
        return found
    if found is not None:
        discard(found)
    raise no_upload() from error


def sign(upload: Upload, asked: Mapping[int, str]) -> dict[int, Signed]:
    """Sign the addresses of parts, by number, for bytes with these digests. Raises Invalid, Conflict, NotFound."""
    with transaction.atomic():
        held = hold(upload)
        if held is None or held.done_at is not None:
            raise no_upload()
        for number, sha256 in asked.items():
            if not 1 <= number <= held.parts:
                raise Invalid(f"there is no part {number}: they are numbered 1 to {held.parts}", "no_such_part")
            if held.digests.setdefault(str(number), sha256) != sha256:
                raise Conflict(f"part {number} was said to have another sha256; abort and begin again", "part_differs")
        held.save(update_fields=["digests"])
    return {number: parts.sign(held, number, sha256) for number, sha256 in asked.items()}


def take(word: str, chunks: Iterable[bytes], size_bytes: int | None, *, now: datetime) -> str:
    """Take in a part that comes through the web server, by the word that was signed for it. Returns its sha256.

    Raises NotFound for a word that is not valid, or an upload that is over or whose owner may not come in any more; Invalid,
    Conflict, StorageFull, Unavailable.
    """
    claim = parts.claimed(word)
    upload = Upload.objects.filter(pk=uuid.UUID(claim.upload), done_at=None, expires_at__gt=now).first()
    if upload is None or not is_in_force(upload.owner, now):
        raise no_upload()
    parts.take(upload, claim, chunks, size_bytes)
    return claim.sha256


def hold(upload: Upload) -> Upload | None:
    """Lock an upload's row; None if it is gone."""
    return Upload.objects.select_for_update().filter(pk=upload.pk).first()


def commit(
    upload: Upload,
    *,
    now: datetime,
    then: Callable[[Blob], None],
    told: list[Part] | None = None,
    share: Share | None = None,
) -> tuple[Blob, bool]:
    """Make an upload's parts one content, once they were read; `then` names it in the same transaction.

    Says whether this call did it. Raises Conflict for missing parts, or for other bytes than were promised, which
    ends the upload, as does QuotaReached; NotFound if it was given up, Unavailable.
    """
    if upload.done_at is not None:
        return settled(upload), False
    try:
        whole = parts.gather(upload, told)
        if upload.multipart_id:
            quotas.take({whole.sha256: whole.size_bytes}, share)
    except NotFound as error:
        return settled(require_done(upload, error)), False
    except (Conflict, Invalid, TooLarge, QuotaReached) as error:
        if error.code not in ("parts_missing", "parts_refused"):
            discard(upload)
        raise
    with transaction.atomic():
        held = hold(upload)
        if held is None:
            raise no_upload()
        if held.done_at is not None:
            return settled(held), False
        blob = blobs.adopt(whole.key, whole.size_bytes, whole.sha256)
        then(blob)
        held.done_at, held.sha256, held.size_bytes = now, whole.sha256, whole.size_bytes
        held.save(update_fields=["done_at", "sha256", "size_bytes"])
    parts.drop(held)
    return blob, True


def settled(upload: Upload) -> Blob:
    """Find what an upload has become. Raises NotFound if that was swept since."""
    blob = Blob.objects.filter(pk=upload.sha256).first()
    if blob is None:
        raise no_upload()
    return blob


def discard(upload: Upload) -> None:
    """Give an upload up and throw its parts away. What it has become already stays."""
    with transaction.atomic():
        held = hold(upload)
        if held is not None:
            held.delete()
    parts.drop(upload)


def is_due() -> bool:
    """Say whether the tenant has uploads at all."""
    return Upload.objects.exists()


def expire(now: datetime) -> int:
    """Give up what has waited for a day, and forget what was done a day ago. Returns how many."""
    count = 0
    for upload in Upload.objects.filter(expires_at__lte=now).order_by("expires_at").iterator(chunk_size=100):
        discard(upload)
        count += 1
    return count


def strays(before: datetime, *, dry_run: bool) -> int:
    """Throw away parts that no upload knows, older than `before`: of uploads whose row was never written. Returns how many."""
    count = 0
    known = {pk.hex for pk in Upload.objects.values_list("pk", flat=True)}
    for found in list(staging.walk(parts.FOLDER)):
        if found.modified < before.timestamp() and found.key.split("/")[-2] not in known:
            count += 1
            if not dry_run:
                staging.remove(found.key)
    if multipart.is_offered():
        told = set(Upload.objects.filter(done_at=None).values_list("multipart_id", flat=True))
        for key, name, begun in list(multipart.unfinished()):
            if begun < before.timestamp() and name not in told:
                count += 1
                if not dry_run:
                    multipart.abort(key, name)
    return count
