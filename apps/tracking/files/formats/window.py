"""The tracking room: looking into a large file here and there, with a bound on how much is read."""

import struct
from collections.abc import Callable, Iterator

PIECE_BYTES, MOST_PIECES = 16 * 1024, 256
MOST_BYTES, MOST_LOOKS = 8 * 2**20, 400_000
Read = Callable[[int, int], Iterator[bytes]]


class Unreadable(Exception):
    """A file is not what its name says, or its header is longer than is looked at."""


class Window:
    """A file's bytes by range: pieces are fetched when they are asked for.

    At most MOST_PIECES of them and MOST_BYTES in all; and at most MOST_LOOKS at what they hold, as many a second as may be.
    """

    def __init__(self, read: Read, size_bytes: int) -> None:
        self.read, self.size_bytes = read, size_bytes
        self.left, self.pieces, self.looks = MOST_BYTES, MOST_PIECES, MOST_LOOKS
        self.start, self.piece = 0, b""

    def at(self, start: int, length: int) -> bytes:
        """Read exactly so many bytes. Raises Unreadable beyond the end or the bound."""
        if length < 0 or start < 0 or start + length > self.size_bytes:
            raise Unreadable("the file ends before its header says so")
        self.looks -= 1
        if self.looks < 0:
            raise Unreadable("the header has more parts than are looked at")
        inside = start - self.start
        if inside < 0 or inside + length > len(self.piece):
            self.fetch(start, length)
            inside = 0
        return self.piece[inside : inside + length]

    def fetch(self, start: int, length: int) -> None:
        """Fetch the piece that begins at `start`. Raises Unreadable."""
        stop = min(start + max(length, PIECE_BYTES), self.size_bytes)
        self.left -= stop - start
        self.pieces -= 1
        if self.left < 0 or self.pieces < 0:
            raise Unreadable("the header is longer than is looked at")
        self.start, self.piece = start, b"".join(self.read(start, stop))
        if len(self.piece) < length:
            raise Unreadable("the file ends before its header says so")

    def number(self, layout: str, start: int) -> int:
        """Read a whole number by its struct layout, such as `<Q`."""
        return int(struct.unpack(layout, self.at(start, struct.calcsize(layout)))[0])


class Cursor:
    """Reads on through a window."""

    def __init__(self, window: Window, at: int = 0, stop: int | None = None) -> None:
        self.window, self.position = window, at
        self.stop = window.size_bytes if stop is None else stop

    @property
    def is_done(self) -> bool:
        """Whether the end is reached."""
        return self.position >= self.stop

    def take(self, length: int) -> bytes:
        """Read so many bytes and go on behind them. Raises Unreadable."""
        if self.position + length > self.stop:
            raise Unreadable("a part is longer than the whole")
        found = self.window.at(self.position, length)
        self.position += length
        return found

    def skip(self, length: int) -> None:
        """Go on without reading. Raises Unreadable."""
        if length < 0 or self.position + length > self.stop:
            raise Unreadable("a part is longer than the whole")
        self.position += length

    def number(self, layout: str) -> int:
        """Read a whole number by its struct layout."""
        return int(struct.unpack(layout, self.take(struct.calcsize(layout)))[0])

    def varint(self) -> int:
        """Read an unsigned LEB128 number, as protobuf and thrift write them. Raises Unreadable."""
        value = shift = 0
        while shift < 70:
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7
        raise Unreadable("a number is longer than numbers are")

    def zigzag(self) -> int:
        """Read a signed LEB128 number."""
        value = self.varint()
        return (value >> 1) ^ -(value & 1)


def text(raw: bytes, most: int = 200) -> str:
    """Read a name."""
    return raw.decode("utf-8", "replace")[:most]
