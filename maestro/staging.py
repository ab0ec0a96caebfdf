"""The floor: bytes go in by way of a staging place and come out by range; on a folder or in a bucket.

A staged object is visible to nobody. `publish` moves it to its final key in one step; leaving the block without it
throws the bytes away. A crash leaves at most a staged object, which `sweep_blobs` removes after a day.
"""

import hashlib
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from django.core.files.storage import FileSystemStorage, Storage

from maestro import storage
from maestro.errors import MaestroError, NotFound, StorageFull
from maestro.lazily import Lazily
from maestro.storage import StorageProblem, is_bucket

if TYPE_CHECKING:
    from boto3.s3 import transfer
    from botocore import exceptions as faults
    from storages.backends.s3 import S3Storage
else:
    # Whose bytes lie in a folder never loads the bucket's library, which weighs as much as many of our rooms.
    transfer, faults = Lazily("boto3.s3.transfer"), Lazily("botocore.exceptions")

CHUNK_BYTES: Final = 2**20
RESERVE_BYTES: Final = 64 * 2**20
PART_BYTES: Final = 8 * 2**20
STAGING: Final = "staging"
FULL_ERRNOS = (28, 122)  # ENOSPC, EDQUOT
FULL_CODES = ("507", "InsufficientStorage", "QuotaExceeded", "XMinioStorageFull", "StorageFull")
MISSING_CODES = ("404", "NoSuchKey", "NotFound", "NoSuchUpload")


@dataclass
class Staged:
    """Bytes that have arrived whole and belong to nobody yet."""

    key: str
    sha256: str
    size_bytes: int


@dataclass
class Meter:
    """Counts and digests bytes on their way."""

    source: Iterator[bytes]
    digest: Any = field(default_factory=hashlib.sha256)
    size_bytes: int = 0
    rest: bytearray = field(default_factory=bytearray)

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self.source:
            self.digest.update(chunk)
            self.size_bytes += len(chunk)
            yield chunk

    def read(self, size: int = -1) -> bytes:
        """Read as a file does; boto3 asks so."""
        if not hasattr(self, "chunks"):
            self.chunks = iter(self)
        while size < 0 or len(self.rest) < size:
            chunk = next(self.chunks, b"")
            if not chunk:
                break
            self.rest += chunk
        end = len(self.rest) if size < 0 else size
        taken = bytes(self.rest[:end])
        del self.rest[:end]
        return taken


@contextmanager
def staged(chunks: Iterable[bytes], *, expected_bytes: int = 0) -> Iterator[Staged]:
    """Write chunks to the tenant's staging place for the time of the block. Raises StorageFull or StorageProblem."""
    store, key = storage.backend(), f"{storage.tenant_prefix()}/{STAGING}/{uuid.uuid4().hex}"
    meter = Meter(iter(chunks))
    try:
        with translated():
            if is_bucket(store):
                bucket_object(store, key).upload_fileobj(meter, Config=one_by_one())
            else:
                write_file(folder_path(store, key), meter, expected_bytes)
        yield Staged(key, meter.digest.hexdigest(), meter.size_bytes)
    finally:
        with suppress(MaestroError), translated():
            remove(key)


def publish(staged_key: str, final_key: str) -> None:
    """Move staged bytes to their final key, replacing equal bytes that may be there."""
    store = storage.backend()
    with translated():
        if is_bucket(store):
            origin = {"Bucket": store.bucket_name, "Key": located(store, staged_key)}
            bucket_object(store, final_key).copy(origin, Config=one_by_one())
            return
        target = folder_path(store, final_key)
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(folder_path(store, staged_key), target)
        sync_folder(target.parent)


def read(key: str, start: int, stop: int) -> Iterator[bytes]:
    """Stream bytes start..stop (stop excluded). Opens at once, so that a missing object raises NotFound here."""
    store = storage.backend()
    if start >= stop:
        return iter(())
    with translated():
        if is_bucket(store):
            body = bucket_object(store, key).get(Range=f"bytes={start}-{stop - 1}")["Body"]
            return body.iter_chunks(CHUNK_BYTES)
        handle = open(folder_path(store, key), "rb")  # noqa: SIM115 the generator closes it
    return read_file(handle, start, stop)


def read_file(handle: Any, start: int, stop: int) -> Iterator[bytes]:
    """Stream a part of an open file and close it."""
    with handle:
        handle.seek(start)
        left = stop - start
        while left and (chunk := handle.read(min(left, CHUNK_BYTES))):
            left -= len(chunk)
            yield chunk


def size_of(key: str) -> int | None:
    """Ask the store how large an object is; None if it has no such object."""
    store = storage.backend()
    try:
        with translated():
            if is_bucket(store):
                return int(bucket_object(store, key).content_length)
            return folder_path(store, key).stat().st_size
    except NotFound:
        return None


def remove(key: str) -> None:
    """Delete an object; a missing one is no error."""
    store = storage.backend()
    with translated():
        if is_bucket(store):
            bucket_object(store, key).delete()
        else:
            folder_path(store, key).unlink(missing_ok=True)


@dataclass(frozen=True)
class Stored:
    """An object as the store itself lists it. `modified` is in seconds since the epoch."""

    key: str
    size_bytes: int
    modified: float


def walk(prefix: str) -> Iterator[Stored]:
    """List every object of the tenant below a prefix, such as `blobs`."""
    store, root = storage.backend(), storage.tenant_prefix()
    with translated():
        if is_bucket(store):
            base = located(store, root) + "/"
            for found in store.bucket.objects.filter(Prefix=f"{base}{prefix}/"):
                key = f"{root}/{found.key.removeprefix(base)}"
                yield Stored(key, found.size, found.last_modified.timestamp())
            return
        top = folder_path(store, root)
        for path in sorted((top / prefix).rglob("*")):
            if path.is_file():
                facts = path.stat()
                yield Stored(f"{root}/{path.relative_to(top)}", facts.st_size, facts.st_mtime)


def write_file(path: Path, meter: Meter, expected_bytes: int) -> None:
    """Write to a new file and wait until the disk has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if shutil.disk_usage(path.parent).free < expected_bytes + RESERVE_BYTES:
        raise StorageFull(f"there is no room for {expected_bytes} bytes")
    with open(path, "xb") as handle:
        for chunk in meter:
            handle.write(chunk)
        handle.flush()
        os.fsync(handle.fileno())


def sync_folder(folder: Path) -> None:
    """Wait until the disk knows a folder's new entry."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def folder_path(store: Storage, key: str) -> Path:
    """Find a key's place in the folder; keys are made here, and the storage still checks that they stay inside."""
    assert isinstance(store, FileSystemStorage)  # noqa: S101 backend() makes no third kind
    return Path(store.path(key))


def located(store: "S3Storage", key: str) -> str:
    """Put the bucket's own prefix before a key."""
    return str(store._normalize_name(key))


def one_by_one() -> Any:
    """Send part after part, without threads."""
    return transfer.TransferConfig(multipart_threshold=PART_BYTES, multipart_chunksize=PART_BYTES, use_threads=False)


def bucket_object(store: "S3Storage", key: str) -> Any:
    """Address an object of the bucket."""
    return store.bucket.Object(located(store, key))


@contextmanager
def translated() -> Iterator[None]:
    """Turn the store's errors into ours."""
    try:
        yield
    except FileNotFoundError as error:
        raise NotFound("the bytes are not in the store", "bytes_missing") from error
    except OSError as error:
        raise outage(error.errno in FULL_ERRNOS, error) from error
    except Exception as error:
        # Whoever met no bucket need not load its library to see that this is none of its errors.
        if not type(error).__module__.startswith("botocore."):
            raise
        raise of_bucket(error) from error


def of_bucket(error: Exception) -> Exception:
    """Translate what the bucket's library raised."""
    if isinstance(error, faults.ClientError):
        code = str(error.response.get("Error", {}).get("Code", ""))
        if code in MISSING_CODES:
            return NotFound("the bytes are not in the store", "bytes_missing")
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        return outage(code in FULL_CODES or status == 507, error)
    return outage(False, error) if isinstance(error, faults.BotoCoreError) else error


def outage(is_full: bool, error: Exception) -> MaestroError:
    """Say whether the store is full or away."""
    if is_full:
        return StorageFull("the store has no room left")
    return StorageProblem(f"the store does not work: {type(error).__name__}")
