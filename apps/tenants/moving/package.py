"""The tenants room: the folder that a tenant travels in: a manifest, a file of JSON lines a table, bytes by their digest.

    manifest.json          what is here, written last: without it the folder is not whole
    tables/<table>.jsonl   a row a line
    blobs.sha256           every content, as `sha256sum -c` reads it
    blobs/ab/<sha256>      its bytes

Names are made here from what is known, never read from the folder, and no link is followed.
"""

import hashlib
import os
import re
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Annotated, Any, Final

import msgspec

from maestro import limits
from maestro.errors import Invalid, NotFound

FORMAT: Final = 1
MANIFEST, LIST, UNFINISHED = "manifest.json", "blobs.sha256", ".unfinished"
LINE = re.compile(rb"([0-9a-f]{64})  blobs/([0-9a-f]{2})/([0-9a-f]{64})\n")
MOST_MANIFEST_BYTES: Final = 64 * 2**20
MOST_LINE_BYTES: Final = 256 * 2**20
PIECE: Final = 2**20

Count = Annotated[int, msgspec.Meta(ge=0, le=limits.INT64_MAX)]
TableName = Annotated[str, msgspec.Meta(pattern="^[a-z][a-z0-9_]{0,62}$")]
Sha256 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]


class TableFacts(msgspec.Struct, forbid_unknown_fields=True):
    """A table's file, and how far its sequences have counted."""

    rows: Count
    bytes: Count
    sha256: Sha256
    columns: list[str]
    sequences: dict[str, Annotated[int, msgspec.Meta(ge=1, le=limits.INT64_MAX)]] = {}


class BlobFacts(msgspec.Struct, forbid_unknown_fields=True):
    """The bytes: how many contents, and the digest of their list. `missing`: named by rows, and not in the source's store."""

    count: Count
    bytes: Count
    sha256: Sha256
    missing: list[Sha256] = []


class TenantFacts(msgspec.Struct, forbid_unknown_fields=True):
    """The tenant as the public schema knows it."""

    id: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
    slug: Annotated[str, msgspec.Meta(max_length=limits.SLUG_CHARS)]
    name: Annotated[str, msgspec.Meta(max_length=200)]
    quota_bytes: Annotated[int, msgspec.Meta(ge=0, le=limits.QUOTA_BYTES)] | None = None


class StayedFacts(msgspec.Struct, forbid_unknown_fields=True):
    """A table that did not travel: how many rows it has there, and why."""

    rows: Count
    reason: str


class Manifest(msgspec.Struct, forbid_unknown_fields=True):
    """All that is in the folder. `head` names the migrations of its tables, `at` the moment of which it is a picture."""

    format: int
    head: Sha256
    at: str
    tenant: TenantFacts
    tables: dict[TableName, TableFacts]
    blobs: BlobFacts
    stayed: dict[str, StayedFacts] = {}
    withheld: dict[str, str] = {}


class Version(msgspec.Struct):
    """The one thing that is read of any manifest, whatever release wrote it."""

    format: int


class Package:
    """A folder with a tenant in it, or one that is to hold one."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def table(self, name: str) -> Path:
        """Name the file of a table."""
        return self.root / "tables" / f"{name}.jsonl"

    def blob(self, sha256: str) -> Path:
        """Name the file of a content."""
        return self.root / "blobs" / sha256[:2] / sha256

    def open(self, place: Path) -> IO[bytes]:
        """Open a plain file. Raises NotFound, Invalid for a link or a device."""
        shown = place.relative_to(self.root)
        try:
            if self.root.resolve() not in place.parent.resolve().parents and place.parent != self.root:
                raise Invalid(f"{shown} is reached by a link, which is not followed", "link")
            handle = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError as error:
            raise NotFound(f"{shown} can't be read: {error.strerror}") from error
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            os.close(handle)
            raise Invalid(f"{shown} is no plain file", "not_a_file")
        return os.fdopen(handle, "rb")

    def pieces(self, place: Path) -> Iterator[bytes]:
        """Read a plain file piece by piece. Raises NotFound, Invalid."""
        with self.open(place) as file:
            while piece := file.read(PIECE):
                yield piece

    def lines(self, place: Path) -> Iterator[bytes]:
        """Read a file line by line. Raises NotFound, Invalid for a line without an end, or without any end in sight."""
        with self.open(place) as file:
            while line := file.readline(MOST_LINE_BYTES):
                if not line.endswith(b"\n"):
                    raise Invalid(f"{place.relative_to(self.root)} is cut, or has a line that never ends", "cut_short")
                yield line

    def contents(self) -> Iterator[str]:
        """Read the list of contents, in order. Raises NotFound, Invalid for a line that is no digest beside its own place."""
        last = ""
        for line in self.lines(self.root / LIST):
            match = LINE.fullmatch(line)
            sha256 = match[1].decode() if match and match[1] == match[3] and match[1][:2] == match[2] else ""
            if sha256 <= last:
                raise Invalid(f"{LIST} has a line that names no content, or out of order: {line[:120]!r}", "bad_list")
            last = sha256
            yield sha256

    def digest(self, place: Path) -> tuple[str, int]:
        """Digest and measure a file. Raises NotFound, Invalid."""
        told, size = hashlib.sha256(), 0
        for piece in self.pieces(place):
            told.update(piece)
            size += len(piece)
        return told.hexdigest(), size

    def manifest(self) -> tuple[Manifest, str]:
        """Read the manifest, and its own digest. Raises NotFound, Invalid for another format or a broken one."""
        if not self.root.is_dir():
            raise NotFound(f"there is no folder {self.root}")
        with self.open(self.root / MANIFEST) as file:
            data = file.read(MOST_MANIFEST_BYTES + 1)
        if len(data) > MOST_MANIFEST_BYTES:
            raise Invalid(f"{MANIFEST} has more than {MOST_MANIFEST_BYTES} bytes", "too_large")
        try:
            version = msgspec.json.decode(data, type=Version).format
            if version != FORMAT:
                raise Invalid(f"this export has format {version}; this Maestro reads format {FORMAT}", "unknown_format")
            return msgspec.json.decode(data, type=Manifest), hashlib.sha256(data).hexdigest()
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Invalid(f"{MANIFEST} is no manifest: {error}", "bad_manifest") from error

    def seal(self, manifest: Manifest) -> str:
        """Write the manifest, after all else. Returns its digest."""
        data = msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n"
        with Writing(self.root / MANIFEST) as file:
            file.write(data)
        with suppress(FileNotFoundError):
            (self.root / UNFINISHED).unlink()
        return hashlib.sha256(data).hexdigest()


def entry_of(sha256: str) -> bytes:
    """Write a content's line of the list."""
    return f"{sha256}  blobs/{sha256[:2]}/{sha256}\n".encode()


class Writing:
    """A file that appears whole or not at all."""

    def __init__(self, place: Path) -> None:
        self.place, self.making = place, place.with_name(f"{place.name}.part")

    def __enter__(self) -> IO[bytes]:
        self.place.parent.mkdir(parents=True, exist_ok=True)
        self.file = open(self.making, "wb")
        return self.file

    def __exit__(self, kind: Any, *_: object) -> None:
        with self.file:
            self.file.flush()
            os.fsync(self.file.fileno())
        if kind is None:
            os.replace(self.making, self.place)
        else:
            self.making.unlink(missing_ok=True)
