"""The floor: prepared statements in the current tenant, below Django's cursor, for the hot paths.

One call is one round trip and, outside `atomic`, one transaction. Postgres plans a prepared statement again
when a shared connection moves to another tenant's search_path, so a statement never sees a foreign table.

A prepared statement is planned once a connection, for any values (plan_cache_mode in settings): planning costs as
much as the work of the writing ones. A statement whose plan must fit its values says `prepare=False`.
"""

import re
import struct
from collections.abc import Sequence
from functools import lru_cache
from itertools import count
from typing import Any

import numpy as np
import psycopg
from django.db import transaction
from psycopg import pq
from psycopg.adapt import Buffer, Dumper, Loader, PyFormat, Transformer

from maestro.database.session import connection

INT8, FLOAT8 = 20, 701
MOST_PREPARED = 100
NAMED = re.compile(r"%\((\w+)\)s")
ARRAY_HEADER = struct.Struct(">iiIii")
counter = count()


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


class Hot:
    """A connection's prepared statements, each planned once and sent by one call below psycopg's cursor.

    A cursor sends, polls and reads in steps, and gives up the interpreter's lock at each. Threads that wait for it
    then cost more than the statement; here it is given up once.
    """

    def __init__(self, raw: psycopg.Connection[Any]) -> None:
        raw.adapters.register_dumper(Int8Array, Int8ArrayDumper)
        raw.adapters.register_dumper(Float8Array, Float8ArrayDumper)
        raw.adapters.register_loader(Int8Array.oid, Int8ArrayLoader)
        raw.adapters.register_loader(Float8Array.oid, Float8ArrayLoader)
        self.raw = raw
        self.names: dict[tuple[str, tuple[int, ...]], bytes] = {}

    def run(self, sql: str, values: dict[str, Any]) -> list[tuple[Any, ...]]:
        """Run one statement, prepared at its first use, and return its rows. Raises psycopg's errors."""
        text, order = numbered(sql)
        transformer = Transformer(self.raw)
        params = transformer.dump_sequence([values[name] for name in order], [PyFormat.AUTO] * len(order))
        types = transformer.types or ()
        server = self.raw.pgconn
        name = self.names.get((sql, types)) or self.prepare(sql, text, types)
        result = server.exec_prepared(name, params, transformer.formats, pq.Format.BINARY)
        if result.status == pq.ExecStatus.TUPLES_OK:
            transformer.set_pgresult(result)
            return transformer.load_rows(0, result.ntuples, tuple)
        self.check(result)
        return []

    def check(self, result: Any) -> None:
        """Raise what the server, or the lost way to it, has to say."""
        if self.raw.pgconn.status == pq.ConnStatus.BAD:
            raise psycopg.OperationalError("the connection to the database is lost")
        if result.status != pq.ExecStatus.COMMAND_OK:
            raise psycopg.errors.error_from_result(result, encoding=self.raw.info.encoding)

    def prepare(self, sql: str, text: bytes, types: tuple[int, ...]) -> bytes:
        """Prepare a statement for these types; the oldest one makes room."""
        server = self.raw.pgconn
        if len(self.names) >= MOST_PREPARED:
            oldest = next(iter(self.names))
            server.exec_(b"DEALLOCATE " + self.names.pop(oldest))
        name = b"hot_%d" % next(counter)
        self.check(server.prepare(name, text, types))
        self.names[sql, types] = name
        return name


@lru_cache(maxsize=1024)
def numbered(sql: str) -> tuple[bytes, tuple[str, ...]]:
    """Turn %(name)s into $1, $2 ...; returns the text and the names in their order."""
    order: dict[str, int] = {}
    text = NAMED.sub(lambda match: f"${order.setdefault(match[1], len(order) + 1)}", sql)
    return text.replace("%%", "%").encode(), tuple(order)


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
    raw: Any = connection.connection
    hot = getattr(raw, "hot", None)
    if hot is None:
        hot = raw.hot = Hot(raw)
    # A connection that opens transactions by itself has to be asked by way of its cursor.
    if prepare and raw.autocommit and isinstance(params, dict):
        return hot.run(sql, params)  # type: ignore[no-any-return]
    with psycopg.Cursor(raw) as cursor:
        # What is not prepared carries its values in its text, so that Postgres plans for them.
        text = sql if prepare else psycopg.ClientCursor(raw).mogrify(sql, params)
        cursor.execute(text, params if prepare else None, binary=True)
        return cursor.fetchall() if cursor.description else []
