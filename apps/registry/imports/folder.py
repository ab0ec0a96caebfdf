"""The registry room: a folder of another tool, read without ever leaving it: no link is followed, no device is opened."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from maestro.errors import Invalid, NotFound, TooLarge

MOST_FILES = 1_000_000
MOST_DEPTH = 64
PIECE = 2**20


class Folder:
    """A folder that was named on the command line. Paths are relative to it."""

    def __init__(self, root: Path) -> None:
        if not root.is_dir():
            raise NotFound(f"there is no folder {root}")
        self.root = root.resolve()

    def place(self, path: str) -> Path:
        """Find a path below the root. Raises Invalid for one that would leave it, by .. or by a link."""
        parts = [part for part in path.split("/") if part not in ("", ".")]
        if ".." in parts or "\0" in path:
            raise Invalid(f"{path[:200]!r} leads out of the folder", "leaves_folder")
        found = self.root
        for part in parts:
            found = found / part
            if found.is_symlink():
                raise Invalid(f"{path[:200]!r} is reached by a link, which is not followed", "link")
        return found

    def names(self, path: str) -> list[str]:
        """List a folder's names in order; none where there is no folder. Links are listed too."""
        place = self.place(path)
        return sorted(os.listdir(place)) if place.is_dir() else []

    def folders(self, path: str) -> list[str]:
        """List the names of the folders in a folder. Raises nothing for links: they are left to `place`."""
        place = self.place(path)
        return [name for name in self.names(path) if (place / name).is_dir()]

    def has(self, path: str) -> bool:
        """Say whether there is a plain file."""
        try:
            return stat.S_ISREG(self.place(path).lstat().st_mode)
        except (OSError, Invalid):
            return False

    def read(self, path: str, most: int = 16 * PIECE) -> bytes:
        """Read a small file. Raises NotFound, Invalid, TooLarge."""
        data = bytearray()
        for piece in self.stream(path):
            data += piece
            if len(data) > most:
                raise TooLarge(f"{path[:200]!r} has more than {most} bytes", "too_large")
        return bytes(data)

    def text(self, path: str, most: int = 16 * PIECE) -> str:
        """Read a small file as text. Raises NotFound, Invalid, TooLarge."""
        try:
            return self.read(path, most).decode()
        except UnicodeDecodeError as error:
            raise Invalid(f"{path[:200]!r} is no UTF-8", "bad_text") from error

    def stream(self, path: str) -> Iterator[bytes]:
        """Read a plain file piece by piece. Raises NotFound, Invalid for what is no plain file."""
        place = self.place(path)
        try:
            handle = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError as error:
            raise NotFound(f"{path[:200]!r} can't be read: {error.strerror}") from error
        with os.fdopen(handle, "rb") as file:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise Invalid(f"{path[:200]!r} is no plain file", "not_a_file")
            while piece := file.read(PIECE):
                yield piece

    def files(self, path: str) -> Iterator[tuple[str, int]]:
        """List all files below a folder with their sizes, in order. Raises Invalid for a link or a device, TooLarge."""
        for count, (inside, size) in enumerate(self.walk(self.place(path), "", 0), 1):
            if count > MOST_FILES:
                raise TooLarge(f"{path[:200]!r} has more than {MOST_FILES} files", "too_many_files")
            yield inside, size

    def walk(self, place: Path, inside: str, depth: int) -> Iterator[tuple[str, int]]:
        """Walk below a folder."""
        if depth > MOST_DEPTH:
            raise TooLarge(f"{inside[:200]!r} lies too deep", "too_deep")
        if not place.is_dir():
            return
        for name in sorted(os.listdir(place)):
            path, found = f"{inside}{name}", (place / name).lstat()
            if stat.S_ISDIR(found.st_mode):
                yield from self.walk(place / name, f"{path}/", depth + 1)
            elif stat.S_ISREG(found.st_mode):
                yield path, found.st_size
            else:
                raise Invalid(f"{path[:200]!r} is a link or a device, which is not read", "link")
