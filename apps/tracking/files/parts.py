"""The tracking room: parts of an upload: straight into the bucket, or through the web server as objects of their own.

Which way one goes is settled when it begins, by whether the bucket has an address for clients. What has arrived is
asked of the store, so a client that was killed, and a server that was, go on from what is really there.
"""

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from django.core import signing

from apps.tracking.files import blobs
from apps.tracking.models import Blob, Upload
from maestro import limits, multipart, staging, storage
from maestro.errors import Conflict, Invalid, MaestroError, NotFound, TooLarge
from maestro.multipart import SIGNED_SECONDS, Part, Signed
from maestro.storage import StorageProblem

FOLDER = "uploads"
SHOWN = 20


@dataclass(frozen=True)
class Gathered:
    """A whole file that lies in the store and was read there."""

    sha256: str
    size_bytes: int
    key: str


@dataclass(frozen=True)
class Claim:
    """What the address of a part that comes through the web server says."""

    upload: str
    number: int
    sha256: str


def key_for(upload: Upload) -> str:
    """Choose where a file that goes straight into the bucket will stay: no second upload ever writes there."""
    return f"{blobs.key_of(upload.sha256)}.{upload.pk.hex}" if upload.sha256 else f"blobs/up/{upload.pk.hex}"


def begin(upload: Upload) -> None:
    """Settle the way of a new upload. Raises Unavailable, StorageFull."""
    if multipart.is_offered():
        upload.storage_key = key_for(upload)
        upload.multipart_id = multipart.begin(blobs.place_of(upload.storage_key), is_checked=bool(upload.sha256))


def sign(upload: Upload, number: int, sha256: str = "") -> Signed:
    """Sign the address of a part. Through the web server it is a word that `claimed` reads, not yet an address."""
    if not upload.multipart_id:
        return Signed(signing.dumps([upload.pk.hex, number, sha256], salt=salt()), {})
    size = None if upload.size_bytes is None else upload.size_of(number)
    place = blobs.place_of(upload.storage_key)
    return multipart.sign_part(place, upload.multipart_id, number, size_bytes=size, sha256=sha256)


def claimed(word: str) -> Claim:
    """Read a word that we signed for this tenant less than an hour ago. Raises NotFound for any other."""
    try:
        return Claim(*signing.loads(word, salt=salt(), max_age=SIGNED_SECONDS))
    except (signing.BadSignature, TypeError) as error:
        raise NotFound("this address of a part is not valid, or no longer") from error


def salt() -> str:
    """Bind what is signed to the tenant."""
    return f"a part for {storage.tenant_prefix()}"


def take(upload: Upload, claim: Claim, chunks: Iterable[bytes], size_bytes: int | None) -> None:
    """Take in a part that comes through the web server. Raises Invalid for a wrong length, Conflict for other bytes."""
    expected = upload.size_of(claim.number)
    if size_bytes != expected:
        raise Invalid(f"part {claim.number} has {expected} bytes: send that as Content-Length", "part_length")
    with staging.staged(chunks, expected_bytes=expected) as arrived:
        blobs.Promise(expected, claim.sha256).check(arrived.size_bytes, arrived.sha256)
        staging.publish(arrived.key, f"{folder_of(upload)}/{claim.number}-{claim.sha256}")


def folder_of(upload: Upload) -> str:
    """Find where parts that come through the web server lie."""
    return blobs.place_of(f"{FOLDER}/{upload.pk.hex}")


def here(upload: Upload) -> dict[int, Part]:
    """Find the parts that have arrived, by number. Raises NotFound if the bucket has forgotten the upload."""
    found = list_direct(upload) if upload.multipart_id else list_through(upload)
    if upload.size_bytes is None:
        return {part.number: part for part in found}
    return {part.number: part for part in found if is_fitting(upload, part)}


def is_fitting(upload: Upload, part: Part) -> bool:
    """Say whether a part is one of those that the file has."""
    return 1 <= part.number <= upload.parts and part.size_bytes == upload.size_of(part.number)


def list_direct(upload: Upload) -> list[Part]:
    """Ask the bucket; once completed, all parts have arrived."""
    place = blobs.place_of(upload.storage_key)
    try:
        return multipart.parts_of(place, upload.multipart_id)
    except NotFound:
        if upload.size_bytes is None or staging.size_of(place) is None:
            raise
        return [Part(number, upload.size_of(number), "") for number in range(1, upload.parts + 1)]


def list_through(upload: Upload) -> Iterator[Part]:
    """List the objects that the parts are."""
    for found in staging.walk(f"{FOLDER}/{upload.pk.hex}"):
        number, _, sha256 = found.key.rpartition("/")[2].partition("-")
        yield Part(int(number), found.size_bytes, "", sha256)


def gather(upload: Upload, told: list[Part] | None = None) -> Gathered:
    """Make a whole of the parts and read it: those that a client told by their marks, or all that are here.

    Raises Conflict for missing parts and for other bytes than were promised, NotFound if somebody was faster.
    """
    if not upload.multipart_id:
        return gather_through(upload)
    place = blobs.place_of(upload.storage_key)
    size = staging.size_of(place)
    if size is None:
        size = made_whole(upload, place, told)
    if size is None:
        raise NotFound("the bytes are not in the store", "bytes_missing")
    if size > limits.FILE_BYTES:
        raise TooLarge(f"a file may have at most {limits.FILE_BYTES} bytes", "file_too_large")
    sha256 = digest_of(place, size)
    blobs.Promise(upload.size_bytes, upload.sha256 or None).check(size, sha256)
    return Gathered(sha256, size, upload.storage_key)


def made_whole(upload: Upload, place: str, told: list[Part] | None) -> int | None:
    """Let the bucket make one object of the parts; of two who ask it at once, the slower one finds the other's object."""
    try:
        multipart.complete(place, upload.multipart_id, chosen(upload, told))
    except (NotFound, Conflict):
        size = staging.size_of(place)
        if size is None:
            raise
        return size
    return staging.size_of(place)


def digest_of(place: str, size_bytes: int) -> str:
    """Read an object and digest it. Raises Unavailable if the store stops in the middle."""
    digest, seen = hashlib.sha256(), 0
    for piece in multipart.read_ahead(place, size_bytes):
        digest.update(piece)
        seen += len(piece)
    if seen != size_bytes:
        raise StorageProblem(f"the store sent {seen} of {size_bytes} bytes")
    return digest.hexdigest()


def gather_through(upload: Upload) -> Gathered:
    """Write the parts one after another, as any upload is written."""
    found = here(upload)
    require_all(upload, found)
    keys = [f"{folder_of(upload)}/{number}-{found[number].sha256}" for number in sorted(found)]
    sizes = [found[number].size_bytes for number in sorted(found)]
    whole = (chunk for key, size in zip(keys, sizes, strict=True) for chunk in staging.read(key, 0, size))
    blob, _ = blobs.store(whole, blobs.Promise(upload.size_bytes, upload.sha256))
    return Gathered(blob.sha256, blob.size_bytes, blob.storage_key)


def chosen(upload: Upload, told: list[Part] | None) -> list[Part]:
    """Choose the parts of the whole. Raises Conflict if some are not here."""
    found = multipart.parts_of(blobs.place_of(upload.storage_key), upload.multipart_id)
    if told is not None:
        marks = {(part.number, part.etag.strip('"')): part for part in found}
        by_number = {one.number: marks[key] for one in told if (key := (one.number, one.etag.strip('"'))) in marks}
        require_all(upload, by_number)
        return list(by_number.values())
    fitting = {part.number: part for part in found if is_fitting(upload, part)}
    require_all(upload, fitting)
    return [Part(n, part.size_bytes, part.etag, upload.digests.get(str(n), "")) for n, part in fitting.items()]


def require_all(upload: Upload, found: dict[int, Part]) -> None:
    """Raise Conflict naming the first parts that are not here."""
    missing = [number for number in range(1, upload.parts + 1) if number not in found]
    if missing:
        named = ", ".join(map(str, missing[:SHOWN])) + (", …" if len(missing) > SHOWN else "")
        raise Conflict(f"{len(missing)} of {upload.parts} parts are missing: {named}", "parts_missing")


def drop(upload: Upload) -> None:
    """Throw away what has arrived; what a content is made of by now is spared. What can't be reached, a sweep finds."""
    with suppress(MaestroError):
        if not upload.multipart_id:
            for found in list(staging.walk(f"{FOLDER}/{upload.pk.hex}")):
                staging.remove(found.key)
            return
        place = blobs.place_of(upload.storage_key)
        multipart.abort(place, upload.multipart_id)
        if not Blob.objects.filter(storage_key=upload.storage_key).exists():
            staging.remove(place)
