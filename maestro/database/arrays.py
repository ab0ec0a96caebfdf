"""The floor: arrays in Postgres's wire format, written and read without a Python object for each element on the way."""

import struct
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from psycopg import pq
from psycopg.adapt import Buffer, Dumper, Loader

from maestro.lazily import Lazily

if TYPE_CHECKING:
    import numpy as np
else:
    np = Lazily("numpy")

INT8, FLOAT8, UUID_OID, TEXT_OID = 20, 701, 2950, 25
ARRAY_HEADER = struct.Struct(">iiIii")
LENGTH = struct.Struct(">i")
SHORT = [LENGTH.pack(size) for size in range(256)]
UUID_LENGTH = LENGTH.pack(16)


class PackedArray:
    """A Postgres array in wire format, packed without a Python object for each element on the server's side."""

    oid = 0
    element = (0, "")
    __slots__ = ("data", "items")

    def __init__(self, items: Sequence[float]) -> None:
        self.items: Sequence[Any] = items
        count = len(items)
        oid, letter = self.element
        flat: list[float] = [8] * (2 * count)
        flat[1::2] = items
        body = struct.pack(">" + ("i" + letter) * count, *flat)
        self.data = ARRAY_HEADER.pack(1 if count else 0, 0, oid, count, 1)[: 20 if count else 12] + body


class Int8Array(PackedArray):
    """bigint[]"""

    oid = 1016
    element = (INT8, "q")
    __slots__ = ()


class Float8Array(PackedArray):
    """double precision[]"""

    oid = 1022
    element = (FLOAT8, "d")
    __slots__ = ()


class UuidArray(PackedArray):
    """uuid[]"""

    oid = 2951
    __slots__ = ()

    def __init__(self, items: Sequence[UUID]) -> None:
        self.items = items
        count = len(items)
        head = ARRAY_HEADER.pack(1 if count else 0, 0, UUID_OID, count, 1)[: 20 if count else 12]
        self.data = b"".join([head, *[UUID_LENGTH + item.int.to_bytes(16) for item in items]])


class TextArray(PackedArray):
    """text[]"""

    oid = 1009
    __slots__ = ()

    def __init__(self, items: Sequence[str]) -> None:
        self.items = items
        head = ARRAY_HEADER.pack(1 if items else 0, 0, TEXT_OID, len(items), 1)[: 20 if items else 12]
        parts = [head]
        for item in items:
            text = item.encode()
            size = len(text)
            parts.append(SHORT[size] if size < len(SHORT) else LENGTH.pack(size))
            parts.append(text)
        self.data = b"".join(parts)


class PackedDumper(Dumper):
    """Hands an already packed array to libpq."""

    format = pq.Format.BINARY

    def dump(self, obj: PackedArray) -> bytes:
        """Return the wire format."""
        return obj.data


class LiteralDumper(Dumper):
    """Writes an array as text, for statements that carry their values."""

    def dump(self, obj: PackedArray) -> bytes:
        """Return Postgres's spelling."""
        quoted = (str(item).replace("\\", r"\\").replace('"', r"\"") for item in obj.items)
        return ("{" + ",".join(f'"{item}"' for item in quoted) + "}").encode()


class NumbersLoader(Loader):
    """Reads a one-dimensional array of numbers, none of them NULL, without a Python object for each.

    Shapes  wire format: 20 bytes of header, then length and value of each element -> (n,)
    """

    format = pq.Format.BINARY
    letter = "i8"

    def load(self, data: Buffer) -> Any:
        """Read the wire format."""
        elements = np.dtype([("length", ">i4"), ("value", ">" + self.letter)])
        offset = ARRAY_HEADER.size if len(data) > 12 else len(data)
        return np.frombuffer(data, elements, offset=offset)["value"].astype(self.letter)


class Int8ArrayLoader(NumbersLoader):
    """bigint[] -> int64"""


class Float8ArrayLoader(NumbersLoader):
    """double precision[] -> float64"""

    letter = "f8"


# Made once: psycopg remembers for ever each class that it was ever shown.
DUMPERS = [
    (kind, type(name, (base,), {"oid": kind.oid}))
    for kind in (Int8Array, Float8Array, UuidArray, TextArray)
    for name, base in (("Literal", LiteralDumper), ("Packed", PackedDumper))
]


def teach(adapters: Any) -> None:
    """Teach a connection these arrays."""
    for kind, dumper in DUMPERS:
        adapters.register_dumper(kind, dumper)
    adapters.register_loader(Int8Array.oid, Int8ArrayLoader)
    adapters.register_loader(Float8Array.oid, Float8ArrayLoader)
