"""The floor: prepared statements in the current tenant, below Django's cursor, for the hot paths.

One call is one round trip and, outside `atomic`, one transaction. Postgres plans a prepared statement again
when a shared connection moves to another tenant's search_path, so a statement never sees a foreign table.
"""

import struct
from collections.abc import Sequence
from typing import Any

import psycopg
from django.db import transaction
from psycopg import pq
from psycopg.adapt import Dumper

from maestro.database.session import connection

PREPARE_AT = 3
INT8, FLOAT8 = 20, 701
ARRAY_HEADER = struct.Struct(">iiIii")


class PackedArray:
    """A Postgres array in wire format, packed without a Python object for each element on the server's side."""

    oid = 0
    element = (0, "")
    __slots__ = ("data",)

    def __init__(self, items: Sequence[float]) -> None:
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


class PackedDumper(Dumper):
    """Hands an already packed array to libpq."""

    format = pq.Format.BINARY

    def dump(self, obj: PackedArray) -> bytes:
        """Return the wire format."""
        return obj.data


class Int8ArrayDumper(PackedDumper):
    oid = Int8Array.oid


class Float8ArrayDumper(PackedDumper):
    oid = Float8Array.oid


def execute(sql: str, params: Sequence[Any] | dict[str, Any] = (), *, prepare: bool = True) -> list[tuple[Any, ...]]:
    """Run one statement and return its rows. Raises psycopg's errors; inside `atomic` only the statement is undone."""
    if connection.in_atomic_block:
        with transaction.atomic():
            return run(sql, params, prepare)
    try:
        return run(sql, params, prepare)
    except psycopg.OperationalError:
        connection.errors_occurred = True
        connection.close_if_unusable_or_obsolete()
        raise


def run(sql: str, params: Sequence[Any] | dict[str, Any], prepare: bool) -> list[tuple[Any, ...]]:
    """Send a statement on Django's connection, in the current tenant's path and role."""
    connection.ensure_connection()
    connection._handle_search_path()
    raw = connection.connection
    if not getattr(raw, "knows_packed_arrays", False):
        raw.knows_packed_arrays = True
        raw.adapters.register_dumper(Int8Array, Int8ArrayDumper)
        raw.adapters.register_dumper(Float8Array, Float8ArrayDumper)
    with psycopg.Cursor(raw) as cursor:
        # Django's own cursors write their values into the text; preparing those would only fill the memory.
        raw.prepare_threshold = PREPARE_AT
        try:
            cursor.execute(sql, params, prepare=prepare or None, binary=True)
        finally:
            raw.prepare_threshold = None
        return cursor.fetchall() if cursor.description else []
