"""The tenants room: which tables and columns travel, in which order, and the statements that write and read their rows.

All of a tenant's schema travels but what is named here with a reason. Rows are JSON written and read by Postgres itself, so
that every value comes back as it was: NULL is a key that is not there, and JSON's null is null.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import Any, Final

from django.db import connection
from psycopg import sql

# What does not travel, and why.
STAYS: Final = {
    "django_migrations": "the schema's own, made with it; the manifest names its head",
    "access_apikey": "keys do not travel: they hold digests of secrets by this installation's pepper, and its host's name",
    "access_refreshtoken": "secrets of people's programs; they sign in anew",
    "access_usedtoken": "identity tokens that were used here, kept for minutes",
    "access_idempotentrequest": "answers to this installation's clients, kept for a day",
    "factors_authenticator": "secrets of second factors, sealed by this installation's secret; people enroll anew",
    "factors_recoverycode": "digests of recovery codes by this installation's pepper",
    "factors_session": "browsers that are signed in here",
    "tracking_connectionsecret": "secrets that forges sign with, sealed by this installation's secret; connections are made anew",
    "tracking_delivery": "what forges sent, as it came, kept for 30 days; what was read of it travels",
    "tracking_webhook": "addresses that this installation calls, some of them secrets; webhooks are made anew",
    "tracking_webhooksecret": "secrets that webhooks sign with, sealed by this installation's secret",
    "tracking_notice": "what happened and was told from here, kept for 30 days",
    "tracking_telling": "what became of telling it",
    "tracking_upload": "uploads under way, of which some parts lie in this installation's store",
    "tracking_offer": "who may name bytes that they brought within the last day",
    "tracking_export": "files of runs that somebody asked for; they are asked for again",
    "registry_manifest": "which manifests lie in this installation's store; they are written anew",
    "registry_blobcheck": "how far a check of this installation's store has come",
    "recommendations_importance": "questions that are kept for a week",
    "recommendations_whatif": "questions that are kept for a day",
}
# Columns that do not travel, what stands there instead, as SQL on the row `r`, and why.
WITHHELD: Final = {
    ("auth_user", "password"): ("'!'", "digests of passwords stay; an operator or a provider lets people in"),
    ("access_oidcprovider", "sealed_secret"): ("''::bytea", "sealed by this installation's secret; an admin sets it"),
    ("tracking_blob", "storage_key"): (
        "'blobs/' || left(r.sha256, 2) || '/' || r.sha256",
        "where bytes lie is the store's",
    ),
}
BLOBS: Final = "tracking_blob"

COLUMNS = """
SELECT c.relname, a.attname, format_type(a.atttypid, NULL), a.attcollation <> 0,
  pg_get_serial_sequence(quote_ident(c.relname), a.attname)
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped
  AND a.attgenerated = '' ORDER BY c.relname COLLATE "C", a.attname COLLATE "C"
"""
KEYS = """
SELECT c.relname, array_agg(a.attname::text ORDER BY k.place)
FROM pg_class c JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k(number, place)
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.number
WHERE c.relnamespace = current_schema()::regnamespace GROUP BY 1
"""
LINKS = """
SELECT DISTINCT c.relname, t.relname FROM pg_constraint l JOIN pg_class c ON c.oid = l.conrelid
JOIN pg_class t ON t.oid = l.confrelid
WHERE l.contype = 'f' AND c.relnamespace = current_schema()::regnamespace AND c.oid <> t.oid
"""


@dataclass(frozen=True)
class Column:
    """A column: its name and type, whether it is ordered by a collation, and its sequence if it has one."""

    name: str
    kind: str
    is_text: bool
    sequence: str | None


@dataclass(frozen=True)
class Table:
    """A table that travels: its columns by name, its primary key in order. Columns that stay are not among them."""

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]

    @property
    def numbered(self) -> list[Column]:
        """The columns that a sequence fills."""
        return [column for column in self.columns if column.sequence]

    def lines(self) -> sql.Composed:
        """Write the question for all rows, each a line of JSON, in the order of the key."""
        pairs = sql.SQL(", ").join(said(column) for column in self.columns)
        texts = {column.name for column in self.columns if column.is_text}
        order = [
            sql.Identifier(name) + sql.SQL(' COLLATE "C"') if name in texts else sql.Identifier(name)
            for name in self.key
        ]
        return sql.SQL("SELECT '{{' || concat_ws(',', {}) || '}}' FROM {} ORDER BY {}").format(
            pairs, sql.Identifier(self.name), sql.SQL(", ").join(order)
        )

    def fill(self) -> sql.Composed:
        """Write the statement that makes rows of a list of such lines, its one value."""
        held = {name: value for (table, name), (value, _) in WITHHELD.items() if table == self.name}
        names = [*(column.name for column in self.columns), *held]
        values = [read(column) for column in self.columns] + [sql.SQL(value) for value in held.values()]
        return sql.SQL(
            "INSERT INTO {table} ({names}) SELECT {values} FROM unnest(%s::text[]::json[]) AS l(line), "
            "LATERAL json_populate_record(NULL::{table}, l.line) AS r"
        ).format(
            table=sql.Identifier(self.name),
            names=sql.SQL(", ").join(map(sql.Identifier, names)),
            values=sql.SQL(", ").join(values),
        )


def said(column: Column) -> sql.Composable:
    """Write a column as `"name":value`; NULL, which is left out, where it is NULL."""
    template = "{key} || {column}::text" if column.kind == "jsonb" else "{key} || to_json({column})::text"
    return sql.SQL(template).format(key=sql.Literal(f'"{column.name}":'), column=sql.Identifier(column.name))


def read(column: Column) -> sql.Composable:
    """Read a column out of a line. In JSON a null that is said is a value."""
    if column.kind == "jsonb":
        return sql.SQL("(l.line -> {})::jsonb").format(sql.Literal(column.name))
    return sql.SQL("r.{}").format(sql.Identifier(column.name))


def asked(statement: Any, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """Ask in the current tenant."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values or None)
        found: list[tuple[Any, ...]] = cursor.fetchall()
    return found


def everything() -> list[str]:
    """Name all tables of the current tenant."""
    return sorted({row[0] for row in asked(COLUMNS)})


def travelling() -> list[Table]:
    """The tables of the current tenant that travel, each after those that it leans on."""
    columns: dict[str, list[Column]] = {}
    for table, name, kind, is_text, sequence in asked(COLUMNS):
        if table not in STAYS and (table, name) not in WITHHELD:
            columns.setdefault(table, []).append(Column(name, kind, is_text, sequence))
    keys = dict(asked(KEYS))
    return [Table(name, tuple(columns[name]), tuple(keys[name])) for name in in_order(columns)]


def in_order(names: Iterable[str]) -> list[str]:
    """Put tables after those that their foreign keys point at."""
    known = sorted(names)
    leans: dict[str, set[str]] = {name: set() for name in known}
    for table, target in asked(LINKS):
        if table in leans and target in leans:
            leans[table].add(target)
    return list(TopologicalSorter(leans).static_order())
