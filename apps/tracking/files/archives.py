"""The tracking room: many files as one zip or tar, written while they are read; the same files make the same bytes.

Sorted by path, without compression, with fixed times and rights, so that the length is known before and a digest stays.

Source  APPNOTE 4.5 of PKWARE (zip, zip64), as Python's zipfile writes it; POSIX pax (tar)
"""

import hashlib
import tarfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from zipfile import ZIP64_LIMIT, ZIP_FILECOUNT_LIMIT, ZipFile, ZipInfo

from django.db.models import QuerySet

from apps.tracking.files import blobs
from apps.tracking.files.paths import clean_directory
from maestro import limits, staging
from maestro.errors import NotFound, TooLarge

EPOCH_OF_ZIP = (1980, 1, 1, 0, 0, 0)
UNIX = 3
RIGHTS = 0o644
HEADER, CENTRAL, LAST, LAST_64 = 30, 46, 22, 76
DESCRIPTOR, DESCRIPTOR_64, EXTRA_64 = 16, 24, 20


@dataclass(frozen=True, slots=True)
class Member:
    """A file of an archive: its name there, and where its bytes are in the store."""

    path: str
    place: str
    sha256: str
    size_bytes: int


Reader = Callable[[Member], Iterator[bytes]]


@dataclass(frozen=True)
class Archive:
    """Files as one: what is sent, how long it is, and a mark that changes only with them."""

    content_type: str
    size_bytes: int
    mark: str
    pieces: Callable[[], Iterator[bytes]]


def members_of(files: "QuerySet[Any]", folder: str = "") -> list[Member]:
    """Find files with `path` and `blob`, all or those in a folder. Raises NotFound for none, TooLarge for too many."""
    folder = clean_directory(folder)
    if folder:
        files = files.filter(path__startswith=f"{folder}/")
    rows = files.values_list("path", "blob__storage_key", "blob_id", "blob__size_bytes")[: limits.ARCHIVE_FILES + 1]
    found = [Member(path, blobs.place_of(key), sha256, size) for path, key, sha256, size in rows]
    if not found:
        raise NotFound("there are no files in it")
    if len(found) > limits.ARCHIVE_FILES:
        raise TooLarge(f"an archive has at most {limits.ARCHIVE_FILES} files: name a folder", "too_many_files")
    return sorted(found, key=lambda member: member.path)


def bytes_of(member: Member) -> Iterator[bytes]:
    """Read a file; it is opened when its turn has come. Raises NotFound if the store lost it."""
    yield from staging.read(member.place, 0, member.size_bytes)


def archive(kind: str, members: list[Member], read: Reader = bytes_of) -> Archive:
    """Lay out an archive. Raises NotFound for a kind that there is not."""
    if kind not in KINDS:
        raise NotFound(f"there is no such archive: ask for {' or '.join(KINDS)}")
    content_type, size, write = KINDS[kind]
    lines = "".join(f"{member.sha256}  {member.path}\n" for member in members)
    mark = f"{hashlib.sha256(lines.encode()).hexdigest()}.{kind}"
    return Archive(content_type, size(members), mark, lambda: write(members, read))


class Sink:
    """Where zipfile writes: what it wrote is taken on at once. It has no place to go back to."""

    def __init__(self) -> None:
        self.written: list[bytes] = []

    def write(self, data: bytes) -> int:
        """Keep some bytes."""
        self.written.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing waits."""

    def take(self) -> Iterator[bytes]:
        """Give what was written since."""
        written, self.written = self.written, []
        yield from written


def zip_pieces(members: Iterable[Member], read: Reader) -> Iterator[bytes]:
    """Write a zip."""
    sink = Sink()
    with ZipFile(sink, "w") as out:  # type: ignore[call-overload]  # all that it needs is write and flush
        for member in members:
            info = ZipInfo(member.path, EPOCH_OF_ZIP)
            info.create_system, info.external_attr, info.file_size = UNIX, RIGHTS << 16, member.size_bytes
            with out.open(info, "w") as entry:
                yield from sink.take()
                for chunk in read(member):
                    entry.write(chunk)
                    yield from sink.take()
            yield from sink.take()
    yield from sink.take()


def zip_bytes(members: Iterable[Member]) -> int:
    """Compute how long `zip_pieces` will be."""
    at = central = count = 0
    for member in members:
        name, size = len(member.path.encode()), member.size_bytes
        is_large = size * 1.05 > ZIP64_LIMIT
        extra = 2 * (size > ZIP64_LIMIT) + (at > ZIP64_LIMIT)
        central += CENTRAL + name + (4 + 8 * extra if extra else 0)
        at += HEADER + name + size + (EXTRA_64 + DESCRIPTOR_64 if is_large else DESCRIPTOR)
        count += 1
    is_large = count > ZIP_FILECOUNT_LIMIT or at > ZIP64_LIMIT or central > ZIP64_LIMIT
    return at + central + LAST + (LAST_64 if is_large else 0)


def tar_head(member: Member) -> bytes:
    """Write what stands before a file in a tar."""
    info = tarfile.TarInfo(member.path)
    info.size, info.mode = member.size_bytes, RIGHTS
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "strict")


def padding(size: int) -> int:
    """How many bytes fill the last block of a file."""
    return -size % tarfile.BLOCKSIZE


def tar_pieces(members: Iterable[Member], read: Reader) -> Iterator[bytes]:
    """Write a tar."""
    for member in members:
        yield tar_head(member)
        yield from read(member)
        yield bytes(padding(member.size_bytes))
    yield bytes(2 * tarfile.BLOCKSIZE)


def tar_bytes(members: Iterable[Member]) -> int:
    """Compute how long `tar_pieces` will be."""
    inside = sum(len(tar_head(one)) + one.size_bytes + padding(one.size_bytes) for one in members)
    return inside + 2 * tarfile.BLOCKSIZE


KINDS = {
    "zip": ("application/zip", zip_bytes, zip_pieces),
    "tar": ("application/x-tar", tar_bytes, tar_pieces),
}
