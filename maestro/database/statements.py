"""The floor: prepared statements in the current tenant, below Django's cursor, for the hot paths.

One call is one round trip and, outside `atomic`, one transaction. Postgres plans a prepared statement again
when a shared connection moves to another tenant's search_path, so a statement never sees a foreign table.

A prepared statement is planned once a connection, for any values (plan_cache_mode in settings): planning costs as
much as the work of the writing ones. A statement whose plan must fit its values says `prepare=False`: it carries
them in its text, and only that very text, asked again and again, is kept prepared.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import count
from time import monotonic
from typing import Any

import psycopg
from django.db import transaction
from psycopg import pq
from psycopg.adapt import PyFormat, Transformer

from maestro.database.arrays import teach
from maestro.database.session import connection

REPLAN_SECONDS = (2.0, 60.0)  # a plan lives for the first at least, then twice as long each time, at most the second
REPLAN_USES = 20  # ... and for so many uses: planning costs as much as two or three of them
MOST_PREPARED = 100
MOST_OWN = 16  # texts with their values that are kept prepared
OWN_AFTER = 2  # ... from the next time on after so many
OWN_SEEN = 64  # ... among so many that were asked last
OWN_CHARS = 20_000
NAMED = re.compile(r"%\((\w+)\)s")
counter = count()


@dataclass(slots=True)
class Plan:
    """A prepared statement, and until when it is believed.

    A plan made while a table was nearly empty may read all of it, and holds until somebody analyses the table.
    """

    name: bytes
    seconds: float
    ends: float
    uses: int = 0

    def is_old(self) -> bool:
        """Say whether it is worth making again."""
        return self.uses >= REPLAN_USES and self.ends < monotonic()


Asked = tuple[str, tuple[int, ...]]  # a text, and the types of the values that it asks for


class Hot:
    """A connection's prepared statements, each planned once and sent by one call below psycopg's cursor.

    A cursor sends, polls and reads in steps, and gives up the interpreter's lock at each. Threads that wait for it
    then cost more than the statement; here it is given up once.
    """

    def __init__(self, raw: psycopg.Connection[Any]) -> None:
        teach(raw.adapters)
        self.raw = raw
        self.plans: dict[Asked, Plan] = {}
        self.own: dict[Asked, Plan] = {}
        self.seen: dict[str, int] = {}

    def run(self, sql: str, values: dict[str, Any]) -> list[tuple[Any, ...]]:
        """Run one statement, prepared at its first use, and return its rows. Raises psycopg's errors."""
        text, order = numbered(sql)
        transformer = Transformer(self.raw)
        params: Any = transformer.dump_sequence([values[name] for name in order], [PyFormat.AUTO] * len(order))
        types = transformer.types or ()
        plan = self.planned(self.plans, (sql, types), text, MOST_PREPARED)
        return self.rows(
            self.raw.pgconn.exec_prepared(plan.name, params, transformer.formats, pq.Format.BINARY), transformer
        )

    def run_own(self, sql: str, values: Sequence[Any] | dict[str, Any]) -> list[tuple[Any, ...]]:
        """Run one statement that is planned for its values, and return its rows. Raises psycopg's errors."""
        text = psycopg.ClientCursor(self.raw).mogrify(sql, values)
        server, sent = self.raw.pgconn, text.encode()
        if self.is_asked_again(text):
            plan = self.planned(self.own, (text, ()), sent, MOST_OWN)
            result = server.exec_prepared(plan.name, None, result_format=pq.Format.BINARY)
        else:
            result = server.exec_params(sent, None, result_format=pq.Format.BINARY)
        return self.rows(result, Transformer(self.raw))

    def is_asked_again(self, text: str) -> bool:
        """Count how often a text was asked; say whether that pays for preparing it."""
        if len(text) > OWN_CHARS:
            return False
        times = self.seen.pop(text, 0)
        self.seen[text] = times + 1
        if len(self.seen) > OWN_SEEN:
            del self.seen[next(iter(self.seen))]
        return times >= OWN_AFTER

    def rows(self, result: Any, transformer: Any) -> list[tuple[Any, ...]]:
        """Read an answer. Raises what the server has to say instead."""
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

    def planned(self, plans: dict[Asked, Plan], asked: Asked, text: bytes, most: int) -> Plan:
        """Find the plan of a statement, or prepare it; its old plan, or the oldest of all, makes room."""
        old = plans.get(asked)
        if old is None or old.is_old():
            old = self.prepare(plans, asked, text, most)
        old.uses += 1
        return old

    def prepare(self, plans: dict[Asked, Plan], asked: Asked, text: bytes, room: int) -> Plan:
        """Prepare a statement for these types of values."""
        server = self.raw.pgconn
        least, most = REPLAN_SECONDS
        old = plans.pop(asked, None)
        seconds = least if old is None else min(2 * old.seconds, most)
        gone = [] if old is None else [old]
        if len(plans) >= room:
            gone.append(plans.pop(next(iter(plans))))
        for plan in gone:
            self.check(server.exec_(b"DEALLOCATE " + plan.name))
        plan = Plan(b"hot_%d" % next(counter), seconds, monotonic() + seconds)
        self.check(server.prepare(plan.name, text, asked[1]))
        plans[asked] = plan
        return plan


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
    if raw.autocommit and isinstance(params, dict):
        return hot.run(sql, params) if prepare else hot.run_own(sql, params)  # type: ignore[no-any-return]
    with psycopg.Cursor(raw) as cursor:
        # What is not prepared carries its values in its text, so that Postgres plans for them.
        text = sql if prepare else psycopg.ClientCursor(raw).mogrify(sql, params)
        cursor.execute(text, params if prepare else None, binary=True)
        return cursor.fetchall() if cursor.description else []
