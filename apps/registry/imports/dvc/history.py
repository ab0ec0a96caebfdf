"""The registry room: commits of the past, read out of git's own folder, of which only DVC's files are looked at. Nothing is run."""

import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dulwich import errors as faults
from dulwich.object_store import DiskObjectStore
from dulwich.objects import Blob, Commit, ObjectID, ShaFile, Tag, Tree

from apps.registry.imports.dvc.repository import LOCK, PIPELINE, is_pointer
from apps.registry.imports.folder import Folder
from maestro.errors import Invalid, NotFound, TooLarge

SHA1 = re.compile(r"[0-9a-f]{40}")
MOST_BYTES, MOST_ENTRIES, MOST_DEPTH, MOST_TAGS = 16 * 2**20, 1_000_000, 64, 10_000
SKIPPED = (b".git", b".dvc", b"node_modules", b".venv")
# All that git's objects may break with.
BROKEN = (
    faults.FileFormatException,
    faults.ObjectFormatException,
    faults.ChecksumMismatch,
    KeyError,
    ValueError,
    AssertionError,
    EOFError,
    OSError,
    struct.error,
    zlib.error,
)


@dataclass(frozen=True)
class Past:
    """A commit that was tagged: its id and the DVC files of its tree. Units: `made` and `tagged` in seconds since the epoch."""

    sha: str
    made: int
    tagged: int
    store: "History"
    blobs: dict[str, bytes]

    def paths(self) -> list[str]:
        """The paths of DVC's files."""
        return sorted(self.blobs)

    def read(self, path: str) -> bytes:
        """Read one. Raises Invalid, TooLarge."""
        found = self.store.object(self.blobs[path])
        if not isinstance(found, Blob):
            raise Invalid(f"{path[:200]!r} is no file at {self.sha[:12]}", "not_a_file")
        if len(found.data) > MOST_BYTES:
            raise TooLarge(f"{path[:200]!r} has more than {MOST_BYTES} bytes", "too_large")
        return found.data


class History:
    """A repository's tags and commits. Objects of other repositories, and what is reached by links, are not read."""

    def __init__(self, folder: Folder) -> None:
        self.folder = folder
        for part in (".git/objects/info/alternates", ".git/objects/info/http-alternates"):
            if folder.has(part):
                raise Invalid("this repository borrows objects of another one, which are not read", "alternates")
        packs = folder.place(".git/objects/pack")
        for place in (folder.place(".git/objects"), *(packs.iterdir() if packs.is_dir() else ())):
            folder.place(str(Path(place).relative_to(folder.root)))
        self.objects = DiskObjectStore(str(folder.place(".git/objects")))

    def tags(self) -> dict[str, str]:
        """The names of tags, with what they point at."""
        found = {}
        if self.folder.has(".git/packed-refs"):
            for line in self.folder.text(".git/packed-refs").splitlines():
                sha, _, name = line.partition(" refs/tags/")
                if name and SHA1.fullmatch(sha):
                    found[name] = sha
        for name, _ in self.folder.files(".git/refs/tags"):
            sha = self.folder.text(f".git/refs/tags/{name}", 200).strip()
            if SHA1.fullmatch(sha):
                found[name] = sha
        if len(found) > MOST_TAGS:
            raise TooLarge(f"this repository has more than {MOST_TAGS} tags", "too_many_tags")
        return dict(sorted(found.items()))

    def object(self, sha: bytes) -> ShaFile:
        """Fetch an object. Raises NotFound, Invalid."""
        try:
            return self.objects[ObjectID(sha)]
        except KeyError as error:
            raise NotFound(f"git's folder has no object {sha.decode(errors='replace')[:40]}") from error
        except BROKEN as error:
            raise Invalid(f"git's object {sha.decode(errors='replace')[:40]} can't be read", "bad_object") from error

    def commit(self, sha: str) -> Past:
        """Find the commit that a tag points at, with its DVC files. Raises NotFound, Invalid."""
        found, tagged = self.object(sha.encode()), None
        for _ in range(MOST_DEPTH):
            if not isinstance(found, Tag):
                break
            tagged = tagged or found.tag_time
            found = self.object(found.object[1])
        if not isinstance(found, Commit):
            raise Invalid(f"{sha} is no commit", "bad_object")
        try:
            blobs = dict(self.files(found.tree, "", 0, [0]))
            return Past(found.id.decode(), int(found.commit_time), int(tagged or found.commit_time), self, blobs)
        except BROKEN as error:
            raise Invalid(f"the commit {sha} can't be read", "bad_object") from error

    def files(self, tree: bytes, below: str, depth: int, count: list[int]) -> Iterator[tuple[str, bytes]]:
        """Walk a tree for DVC's files. Raises TooLarge."""
        found = self.object(tree)
        if not isinstance(found, Tree):
            return
        for entry in found.items():
            count[0] += 1
            if depth > MOST_DEPTH or count[0] > MOST_ENTRIES:
                raise TooLarge("a commit has too many files, or lies too deep", "too_many_files")
            name = (entry.path or b"").decode(errors="replace")
            path = f"{below}{name}"
            if entry.mode == 0o040000 and entry.path not in SKIPPED:
                yield from self.files(entry.sha or b"", f"{path}/", depth + 1, count)
            elif entry.mode in (0o100644, 0o100755) and (name in (LOCK, PIPELINE) or is_pointer(path)):
                yield path, entry.sha or b""
