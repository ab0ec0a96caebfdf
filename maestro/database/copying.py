"""The floor: many rows at once, by COPY, in the current tenant and transaction."""

from collections.abc import Iterable, Sequence
from typing import Any

import psycopg
from psycopg import sql

from maestro.database.arrays import teach
from maestro.database.session import connection


def copy_rows(table: str, columns: Sequence[tuple[str, str]], rows: Iterable[Sequence[Any]]) -> int:
    """Write rows; `columns` are names and Postgres types. Returns how many. Raises psycopg's errors.

    Inside `atomic`, as all that belongs to one change.
    """
    if not connection.in_atomic_block:
        raise RuntimeError(f"{table} is copied into outside a transaction")
    connection.ensure_connection()
    connection._handle_search_path()
    raw: Any = connection.connection
    names = sql.SQL(", ").join(sql.Identifier(name) for name, _ in columns)
    text = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(sql.Identifier(table), names)
    count = 0
    with psycopg.Cursor(raw) as cursor:
        teach(cursor.adapters)
        with cursor.copy(text) as copy:
            copy.set_types([kind for _, kind in columns])
            for row in rows:
                copy.write_row(row)
                count += 1
    return count
