"""The tracking room: writing down what forges tell, so that neither order nor repetition matters."""

import hashlib
import json
import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from psycopg import sql

from apps.tracking.models import Connection
from apps.tracking.models.forge_facts import Told
from maestro.database.session import connection

PUT = """
INSERT INTO {table} AS held ({columns}) VALUES ({values})
ON CONFLICT (id) DO UPDATE SET {changes}
"""
NEWER = "(EXCLUDED.as_of, EXCLUDED.rank, EXCLUDED.digest) > (held.as_of, held.rank, held.digest)"
NEWEST_WINS = "{column} = CASE WHEN {newer} THEN EXCLUDED.{column} ELSE held.{column} END"
EARLIEST_WINS = "{column} = LEAST(held.{column}, EXCLUDED.{column})"
MOST_WINS = "{column} = GREATEST(held.{column}, EXCLUDED.{column})"
FIXED = ("id", "connection_id")
OWN = (*FIXED, "as_of", "rank", "digest")


@dataclass(frozen=True)
class Fact:
    """One word about one thing: which by `key`, when it was true, and how final it is among words of one time."""

    model: type[Told]
    key: str
    as_of: datetime
    values: Mapping[str, Any]
    rank: int = 0


@lru_cache(maxsize=16)
def columns_of(model: type[Told]) -> tuple[str, ...]:
    """The columns of a table that a fact fills, those of every table first."""
    return (*OWN, *(str(f.column) for f in model._meta.concrete_fields if f.column not in OWN))


@lru_cache(maxsize=16)
def statement(model: type[Told]) -> sql.Composed:
    """Write the statement that puts one fact into its table."""
    newer = sql.SQL(NEWER)

    def change(column: str) -> sql.Composed:
        rule = EARLIEST_WINS if column in model.EARLIEST else MOST_WINS if column in model.MOST else NEWEST_WINS
        return sql.SQL(rule).format(column=sql.Identifier(column), newer=newer)

    columns = columns_of(model)
    return sql.SQL(PUT).format(
        table=sql.Identifier(model._meta.db_table),
        columns=sql.SQL(", ").join(map(sql.Identifier, columns)),
        values=sql.SQL(", ").join(sql.Placeholder() * len(columns)),
        changes=sql.SQL(", ").join(change(column) for column in columns if column not in FIXED),
    )


def row_of(of: Connection, fact: Fact) -> list[Any]:
    """Lay a fact out as a row. Its id follows from its key, so that it is the same whenever it is written."""
    apart = (*fact.model.EARLIEST, *fact.model.MOST)
    wins = {name: value for name, value in fact.values.items() if name not in apart}
    digest = hashlib.sha256(json.dumps(wins, default=str, sort_keys=True).encode()).hexdigest()
    identity = uuid.uuid5(of.pk, f"{fact.model._meta.model_name}:{fact.key}")
    own = [identity, of.pk, fact.as_of, fact.rank, digest]
    return own + [fact.values[column] for column in columns_of(fact.model)[len(OWN) :]]


def write(of: Connection, facts: Iterable[Fact]) -> int:
    """Write facts down. The caller holds a transaction. Returns how many."""
    rows: dict[type[Told], list[list[Any]]] = defaultdict(list)
    for fact in facts:
        rows[fact.model].append(row_of(of, fact))
    with connection.cursor() as cursor:
        for model, some in rows.items():
            # Always in the same order, so that two writers never wait for each other.
            cursor.executemany(statement(model), sorted(some, key=lambda row: row[:5]))  # type: ignore[arg-type]
    return sum(map(len, rows.values()))
