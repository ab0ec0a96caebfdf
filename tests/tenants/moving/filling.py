"""A tenant with a row in each of its tables: what the doors make, and for the rest what its columns ask for."""

import json
from typing import Any

from django.contrib.auth.models import Group
from django.db import connection
from django.db.models import JSONField, Value
from django.test import Client
from psycopg import sql

from apps.tenants.moving import tables
from apps.tracking.models import Assessment, Project, Trace
from tests.factories.one_of_each import Maker
from tests.factories.two_projects import person_in

ODD = 'a "quoted" \\ back\nslash \u2028 \U0001f600 ,{}'
VALUES = {
    "uuid": "gen_random_uuid()",
    "timestamp with time zone": "'2026-01-31 09:00:00.123456+02'",
    "jsonb": '\'{"a": [1.50, null, 1e300], "é": "\\u00e9"}\'',
    "bytea": r"'\x00ff0a'",
    "inet": "'2001:db8::1'",
    "boolean": "true",
}
NEEDED = """SELECT a.attname, format_type(a.atttypid, NULL), a.attnotnull AND NOT a.atthasdef AND a.attidentity = ''
FROM pg_attribute a WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped"""
TARGETS = """SELECT a.attname, l.confrelid::regclass::text, b.attname FROM pg_constraint l
JOIN pg_attribute a ON a.attrelid = l.conrelid AND a.attnum = l.conkey[1]
JOIN pg_attribute b ON b.attrelid = l.confrelid AND b.attnum = l.confkey[1]
WHERE l.contype = 'f' AND l.conrelid = %s::regclass"""
# Where a check asks for more than a value of the type.
SPECIAL = {
    ("recommendations_training", "state"): "'done'",
    ("recommendations_advice", "kind"): "'artifact'",
    ("recommendations_forecast", "status"): "'estimated'",
    ("recommendations_impactscore", "status"): "'estimated'",
    ("access_projectrole", "role"): "'viewer'",
}


def fill(client: Client, outsider: Project) -> None:
    """Make one of everything by the doors, and a row in each table that is empty then."""
    use(client, outsider)
    for table in tables.in_order(tables.everything()):
        if not tables.asked(sql.SQL("SELECT 1 FROM {} LIMIT 1").format(sql.Identifier(table))):
            make_row(table)


def use(client: Client, outsider: Project) -> None:
    """Make one of everything by the doors."""
    person = person_in({outsider: "approver"}, "viewer")
    person.groups.add(Group.objects.get(name="contributor"))
    made = Maker(client).everything(outsider.slug, "mark")
    maker = Maker(client)
    points = [
        {"key": "loss", "value": value, "timestamp": 1_700_000_000_000 + number, "step": number}
        for number, value in enumerate([0.1, -0.0, 1e-300, "NaN", "Infinity", "-Infinity", 5e-324])
    ]
    maker.mlflow("runs/log-batch", {"run_id": made["run"], "metrics": points, "params": [{"key": "p", "value": ODD}]})
    trace = Trace.objects.get(pk=made["trace"])
    Assessment.objects.filter(trace=trace).update(value=json_null(), rationale=ODD)


def json_null() -> Any:
    """JSON's own null, which is not the database's."""
    return Value(None, JSONField())


def make_row(table: str) -> None:
    """Make a row of what a table's columns ask for."""
    targets = {name: (target, column) for name, target, column in tables.asked(TARGETS, [table])}
    values = {}
    for name, kind, is_needed in tables.asked(NEEDED, [table]):
        if name in targets and targets[name][0] != table:
            target, column = targets[name]
            values[name] = f'(SELECT "{column}" FROM {target} LIMIT 1)'
        elif is_needed or kind in ("jsonb", "double precision"):
            values[name] = SPECIAL.get((table, name)) or value_of(kind)
    columns = ", ".join(f'"{name}"' for name in values)
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {table} ({columns}) VALUES ({', '.join(values.values())})")


def value_of(kind: str) -> str:
    """A value of a type."""
    if kind.endswith("[]"):
        return "'{}'"
    if kind in VALUES:
        return VALUES[kind]
    return "1" if "int" in kind or kind == "double precision" else "'x'"


def raw_rows(names: list[str]) -> dict[str, str]:
    """Digest each table by Postgres's own spelling of its rows, without what does not travel."""
    found = {}
    for name in names:
        columns = [row[0] for row in tables.asked(NEEDED, [name]) if (name, row[0]) not in tables.WITHHELD]
        chosen = ", ".join(f't."{column}"' for column in sorted(columns))
        question = f"SELECT count(*), md5(string_agg(r.line, ',' ORDER BY r.line COLLATE \"C\")) FROM (SELECT ROW({chosen})::text AS line FROM {name} t) r"
        found[name] = json.dumps(tables.asked(question)[0])
    return found
