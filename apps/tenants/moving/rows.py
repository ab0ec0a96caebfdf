"""The tenants room: rows as lines of JSON: read as of one moment, and made again out of a file."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import psycopg
from django.db import DataError, IntegrityError, InternalError, NotSupportedError, ProgrammingError, transaction
from psycopg import sql

from apps.tenants.moving import tables
from apps.tenants.moving.tables import Table
from maestro.database.session import connection
from maestro.errors import Conflict, Invalid

BATCH_LINES: Final = 1_000
BATCH_BYTES: Final = 4 * 2**20
PATIENT = "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0"
SNAPSHOT = """SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY;
SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0;
SET LOCAL TimeZone = 'UTC'; SET LOCAL extra_float_digits = 1; SET LOCAL bytea_output = 'hex'"""


@dataclass(frozen=True)
class Moment:
    """When a snapshot was taken, and which tables it knows."""

    moment: str
    known: frozenset[str]


@contextmanager
def snapshot() -> Iterator[Moment]:
    """See the current tenant as of one moment, for as long as it takes."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            for statement in SNAPSHOT.split(";"):
                cursor.execute(statement)
        ((moment,),) = tables.asked("SELECT to_json(now()) #>> '{}'")
        yield Moment(moment, frozenset(tables.everything()))


def count_of(table: str) -> int:
    """Count a table's rows."""
    return int(tables.asked(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table)))[0][0])


def lines_of(table: Table) -> Iterator[bytes]:
    """Read all rows of a table as lines, in order. In a transaction."""
    raw: Any = connection.connection
    question = sql.SQL("COPY ({}) TO STDOUT (FORMAT BINARY)").format(table.lines())
    with psycopg.Cursor(raw) as cursor, cursor.copy(question) as copy:
        copy.set_types(["text"])
        for (line,) in copy.rows():
            yield f"{line}\n".encode()


def fill(table: Table, lines: Iterable[bytes], count: int) -> int:
    """Make a table's rows in one transaction, unless they were made before. Returns how many are new.

    Raises Invalid for a line that is no row of this table, Conflict if the table holds something else
    """
    try:
        with transaction.atomic():
            be_patient()
            here = count_of(table.name)
            if here == count:
                return 0
            if here:
                raise Conflict(f"{table.name} holds {here} rows already, and the export {count}")
            for batch in batches(lines):
                insert(table, batch)
        return count
    except (DataError, IntegrityError, InternalError, NotSupportedError, ProgrammingError, UnicodeDecodeError) as error:
        raise Invalid(f"{table.name} holds what is no row of it: {str(error).splitlines()[0]}", "bad_row") from error


def insert(table: Table, batch: list[bytes]) -> None:
    """Make some rows."""
    with connection.cursor() as cursor:
        cursor.execute(table.fill(), [[line.decode() for line in batch]])


def be_patient() -> None:
    """Let statements of this transaction take as long as they take."""
    with connection.cursor() as cursor:
        for statement in PATIENT.split(";"):
            cursor.execute(statement)


def batches(lines: Iterable[bytes]) -> Iterator[list[bytes]]:
    """Take some lines at a time."""
    batch, size = [], 0
    for line in lines:
        batch.append(line)
        size += len(line)
        if len(batch) >= BATCH_LINES or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
