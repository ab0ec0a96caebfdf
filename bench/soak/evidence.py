"""The bench's eyes of the soak: look at the tables and the bytes themselves, past the application."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from bench.soak.visitors import METRICS, PARAMS, Ledger, Place

TABLES = """SELECT relname FROM pg_class WHERE relnamespace = %s::regnamespace AND relkind = 'r' ORDER BY 1"""
COLUMNS = """SELECT table_name, column_name, data_type, is_nullable, coalesce(column_default, '')
 FROM information_schema.columns WHERE table_schema = %s ORDER BY 1, 2"""
BATCH = """SELECT replace(r.id::text, '-', ''), (SELECT count(*) FROM {params} p WHERE p.run_id = r.id),
 (SELECT count(*) FROM {latest} l WHERE l.run_id = r.id) FROM {runs} r WHERE replace(r.id::text, '-', '') = ANY(%s)"""


@dataclass(frozen=True)
class Evidence:
    """What was found. All but `rows` and `files` should be 0 or empty."""

    rows: int
    foreign_rows: int
    files: int
    foreign_files: int
    lost: int
    partial: int
    catalog_differences: list[str]


def count(link: psycopg.Connection, schema: str, table: str, marker: str = "") -> int:
    """Count a table's rows, or those that carry a marker anywhere."""
    query = sql.SQL("SELECT count(*) FROM {} t WHERE t::text LIKE %s").format(sql.Identifier(schema, table))
    row = link.execute(query, [f"%{marker}%"]).fetchone()
    return int(row[0]) if row else 0


def tables_of(link: psycopg.Connection, schema: str) -> list[str]:
    """List a schema's tables."""
    return [str(name) for (name,) in link.execute(TABLES, [schema]).fetchall()]


def lost_and_partial(link: psycopg.Connection, schema: str, slug: str, ledger: Ledger) -> tuple[int, int]:
    """Compare what was acknowledged with what is stored."""
    lost = partial = 0
    for table, column, names in (
        ("tracking_project", "slug", ledger.projects.get(slug, [])),
        ("registry_artifact", "name", ledger.versions.get(slug, [])),
    ):
        query = sql.SQL("SELECT {} FROM {}").format(sql.Identifier(column), sql.Identifier(schema, table))
        stored = [name for (name,) in link.execute(query).fetchall()]
        lost += len(set(names) - set(stored)) + len(stored) - len(set(stored))
    batches = ledger.batches.get(slug, {})
    places = {
        "runs": sql.Identifier(schema, "tracking_run"),
        "params": sql.Identifier(schema, "tracking_param"),
        "latest": sql.Identifier(schema, "tracking_latestmetric"),
    }
    stored = {run: (p, m) for run, p, m in link.execute(sql.SQL(BATCH).format(**places), [list(batches)]).fetchall()}
    for run, acknowledged in batches.items():
        found = stored.get(run)
        lost += found is None or (acknowledged and found != (PARAMS, METRICS))
        partial += found is not None and found not in ((0, 0), (PARAMS, METRICS))
    return lost, partial


def files_by_owner(folder: Path, places: Mapping[str, Place]) -> tuple[int, int]:
    """Count stored files, and those that lie with files of another tenant: below tenants/<id>/ is one tenant."""
    owners: dict[tuple[str, ...], set[str]] = {}
    files = foreign = 0
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            data = path.read_bytes()[:4096]
            found = {slug for slug, place in places.items() if place.marker.encode() in data}
            files += bool(found)
            home = owners.setdefault(path.relative_to(folder).parts[:2], set())
            home |= found
            foreign += len(found) > 1
    return files, foreign + sum(len(found) > 1 for found in owners.values())


def examine(
    dsn_super: str, schemas: Mapping[str, str], places: Mapping[str, Place], ledger: Ledger, folder: Path
) -> Evidence:
    """Look at everything that both tenants, and public, hold."""
    rows = foreign = lost = partial = 0
    with psycopg.connect(dsn_super) as link:
        catalogs = {slug: link.execute(COLUMNS, [schema]).fetchall() for slug, schema in schemas.items()}
        for slug, schema in (*schemas.items(), ("", "public")):
            for table in tables_of(link, schema):
                rows += count(link, schema, table)
                foreign += sum(count(link, schema, table, p.marker) for other, p in places.items() if other != slug)
        for slug, schema in schemas.items():
            missing, halves = lost_and_partial(link, schema, slug, ledger)
            lost, partial = lost + missing, partial + halves
    one, two = ({(t, c, d, n) for t, c, d, n, _ in catalog} for catalog in catalogs.values())
    files, strangers = files_by_owner(folder, places)
    return Evidence(rows, foreign, files, strangers, lost, partial, sorted(map(str, one ^ two)))
