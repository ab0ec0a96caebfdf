"""The bench's own: what Postgres does for a piece of work: each statement's indexes, rows read and pages touched."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from django.db import transaction

from maestro.database import statements
from maestro.database.session import connection

EXPLAIN = "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) "


@dataclass(frozen=True)
class Plan:
    """One statement's plan, as it ran."""

    text: str
    indexes: tuple[str, ...]
    whole_tables: tuple[str, ...]
    rows_read: int
    pages: int
    milliseconds: float


def nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Walk a plan."""
    yield node
    for part in node.get("Plans", ()):
        yield from nodes(part)


def plan_of(text: str, found: Any) -> Plan:
    """Sum a plan up."""
    (whole,) = json.loads(found) if isinstance(found, str | bytes) else found
    every = list(nodes(whole["Plan"]))
    scans = [
        node for node in every if "Scan" in node["Node Type"] and ("Relation Name" in node or "Index Name" in node)
    ]
    return Plan(
        text=" ".join(text.split()),
        indexes=tuple(dict.fromkeys(node["Index Name"] for node in scans if "Index Name" in node)),
        whole_tables=tuple(node["Relation Name"] for node in scans if node["Node Type"].endswith("Seq Scan")),
        rows_read=round(sum(read_by(node) for node in scans if "Relation Name" in node)),
        pages=whole["Plan"].get("Shared Hit Blocks", 0) + whole["Plan"].get("Shared Read Blocks", 0),
        milliseconds=whole["Execution Time"] + whole["Planning Time"],
    )


def read_by(node: dict[str, Any]) -> float:
    """Count the rows that a scan looked at, those that it threw away included."""
    thrown = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
    return float((node["Actual Rows"] + thrown) * node["Actual Loops"])


@contextmanager
def watched(found: list[Plan]) -> Iterator[None]:
    """Explain every statement that runs within the block: Django's, and those below Django. Writes run once all the same."""
    run = statements.run

    def explained(sql: str, params: Any, prepare: bool) -> Any:
        with transaction.atomic():
            # The first statement of a session makes it ready: tenant, role, and the types of ours.
            run("SELECT 1", (), False)
            raw = connection.connection
            with psycopg.Cursor(raw) as cursor:
                cursor.execute(EXPLAIN + sql, params or None)  # type: ignore[arg-type]
                found.append(plan_of(sql, cursor.fetchone()[0]))  # type: ignore[index]
            transaction.set_rollback(True)
        return run(sql, params, prepare)

    def wrapped(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.lstrip().upper().startswith("SELECT") and not many:
            execute(EXPLAIN + sql, params, many, context)
            found.append(plan_of(sql, context["cursor"].fetchone()[0]))
        return execute(sql, params, many, context)

    statements.run = explained
    try:
        with connection.execute_wrapper(wrapped):
            yield
    finally:
        statements.run = run


def plans_of(work: Callable[[], Any]) -> list[Plan]:
    """Do a piece of work and return the plans of its statements."""
    found: list[Plan] = []
    with watched(found):
        work()
    return found
