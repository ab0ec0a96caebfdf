"""The bench's own: the same search corpus in every database, by COPY, then what the worker would have made of it."""

import uuid
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import psycopg
from psycopg import sql

Content = tuple[int, dict[str, str], dict[str, float], dict[str, str]]
Contents = Callable[[int], Content]
EPOCH_MS = 1_750_000_000_000
# Columns of a row that `mlflow_run` lays out.
MLFLOW_RUN = (
    *("run_uuid", "name", "source_type", "source_name", "entry_point_name", "user_id", "status"),
    *("start_time", "end_time", "source_version", "lifecycle_stage", "artifact_uri", "experiment_id"),
)


def name_of(runs: int) -> str:
    """Name the experiment that the harness searches."""
    return f"bench-search-{runs}"


def run_id(number: int, runs: int) -> uuid.UUID:
    """Make the id of a run: in the order of time, as the product makes them."""
    stamp = (EPOCH_MS + number * 1000) << 80
    return uuid.UUID(int=stamp | (7 << 76) | (2 << 62) | (runs << 32) | number)


def copy(db: psycopg.Connection, table: str, columns: Iterable[str], rows: Iterable[tuple[Any, ...]]) -> None:
    """Write rows the fastest way."""
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table), names)
    with db.cursor().copy(statement) as stream:
        for row in rows:
            stream.write_row(row)


def pairs(contents: list[tuple[uuid.UUID, Content]], place: int) -> Iterator[tuple[Any, ...]]:
    """List (run, key, value) of params (1), metrics (2) or tags (3)."""
    for identity, content in contents:
        for key, value in content[place].items():
            yield identity, key, value


def fill_maestro(owner_dsn: str, schema: str, runs: int, content: Contents) -> bool:
    """Fill a tenant with a corpus; returns whether it had to. Folding is left to the product."""
    with psycopg.connect(owner_dsn) as db:
        db.execute(sql.SQL("SET search_path = {}").format(sql.Identifier(schema)))
        if db.execute("SELECT 1 FROM tracking_experiment WHERE name = %s", [name_of(runs)]).fetchone():
            return False
        made = """INSERT INTO tracking_experiment (project_id, name, created_ms, updated_ms)
         SELECT project_id, %s, %s, %s FROM tracking_experiment WHERE id = 0 RETURNING id"""
        (home,) = db.execute(made, [name_of(runs), EPOCH_MS, EPOCH_MS]).fetchone() or (0,)
        all_runs = [(run_id(i, runs), content(i)) for i in range(runs)]
        copy(
            db,
            "tracking_run",
            ["id", "experiment_id", "name", "user_name", "status", "start_ms", "end_ms", "last_write_ms", "created_by"],
            ((r, home, f"run-{i}", "ci", "FINISHED", c[0], c[0], c[0], "bench") for i, (r, c) in enumerate(all_runs)),
        )
        copy(db, "tracking_param", ["run_id", "key", "value"], pairs(all_runs, 1))
        copy(db, "tracking_tag", ["run_id", "key", "value"], pairs(all_runs, 3))
        add_metrics(db, home, all_runs)
    analyze(owner_dsn, schema)
    return True


def add_metrics(db: psycopg.Connection, home: int, all_runs: list[tuple[uuid.UUID, Content]]) -> None:
    """Write points and latest values, and the names they need."""
    names = sorted({key for _, content in all_runs for key in content[2]})
    db.execute("INSERT INTO tracking_metrickey (name) SELECT unnest(%s::text[]) ON CONFLICT (name) DO NOTHING", [names])
    known = dict(db.execute("SELECT name, id FROM tracking_metrickey WHERE name = ANY(%s)", [names]).fetchall())
    points = [(r, known[k], 0, c[0], v) for r, c in all_runs for k, v in c[2].items()]
    copy(db, "tracking_metricpoint", ["run_id", "key_id", "step", "timestamp_ms", "value"], points)
    columns = ["run_id", "key_id", "step", "timestamp_ms", "value", "experiment_id"]
    copy(db, "tracking_latestmetric", columns, ((*point, home) for point in points))


def analyze(owner_dsn: str, schema: str) -> None:
    """Give a tenant's tables the statistics that autovacuum gives them in time."""
    with psycopg.connect(owner_dsn, autocommit=True) as db:
        tables = db.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = %s AND tablename LIKE 'tracking%%'", [schema]
        )
        for (table,) in tables.fetchall():
            db.execute(sql.SQL("VACUUM ANALYZE {}").format(sql.Identifier(schema, table)))


def mlflow_run(i: int, run: str, at: int, home: int) -> tuple[object, ...]:
    """Lay out a row of the original's runs."""
    files = f"mlflow-artifacts:/{home}/{run}/artifacts"
    return (run, f"run-{i}", "UNKNOWN", "", "", "ci", "FINISHED", at, at, "", "active", files, home)


def fill_mlflow(dsn: str, runs: int, content: Contents) -> bool:
    """Fill the original's tables with the same corpus, as its API would have; returns whether it had to."""
    with psycopg.connect(dsn) as db:
        if db.execute("SELECT 1 FROM experiments WHERE name = %s", [name_of(runs)]).fetchone():
            return False
        made = """INSERT INTO experiments (name, artifact_location, lifecycle_stage, creation_time, last_update_time, workspace)
         SELECT %s, 'mlflow-artifacts:/search', 'active', %s, %s, workspace FROM experiments WHERE name = 'Default'
         RETURNING experiment_id"""
        (home,) = db.execute(made, [name_of(runs), EPOCH_MS, EPOCH_MS]).fetchone() or (0,)
        all_runs = [(run_id(i, runs), content(i)) for i in range(runs)]
        copy(db, "runs", MLFLOW_RUN, (mlflow_run(i, r.hex, c[0], home) for i, (r, c) in enumerate(all_runs)))
        copy(db, "params", ["run_uuid", "key", "value"], ((r.hex, k, v) for r, k, v in pairs(all_runs, 1)))
        named = ((r.hex, "mlflow.runName", f"run-{i}") for i, (r, _) in enumerate(all_runs))
        copy(db, "tags", ["run_uuid", "key", "value"], named)
        copy(db, "tags", ["run_uuid", "key", "value"], ((r.hex, k, v) for r, k, v in pairs(all_runs, 3)))
        columns = ["run_uuid", "key", "value", "timestamp", "step", "is_nan"]
        points = [(r.hex, k, v, c[0], 0, False) for r, c in all_runs for k, v in c[2].items()]
        copy(db, "metrics", columns, points)
        copy(db, "latest_metrics", columns, points)
    with psycopg.connect(dsn, autocommit=True) as db:
        db.execute("VACUUM ANALYZE")
    return True
