"""The bench's own: corpora that are ten and a hundred times another, and series of any length, written by SQL."""

import time
from collections.abc import Iterator

import psycopg
from psycopg import sql

from bench.load import corpora

# The copies of a run get ids in the order of their times, as the product makes them.
IDS = """CREATE TEMP TABLE ids ON COMMIT DROP AS SELECT r.id AS old, g, r.start_ms + 20000000::bigint * (g + 1) AS ms,
 (lpad(to_hex(r.start_ms + 20000000::bigint * (g + 1)), 12, '0') || '7' || substr(md5(r.id::text || g || %(runs)s::int), 1, 3)
  || '8' || substr(md5(r.id::text || g || %(runs)s::int), 4, 15))::uuid AS id
 FROM tracking_run r CROSS JOIN generate_series(0, %(times)s - 1) g
 WHERE r.experiment_id = %(base)s ORDER BY g, r.start_ms"""
COPIES = (
    """INSERT INTO tracking_run (id, experiment_id, name, user_name, status, start_ms, end_ms, last_write_ms, created_by)
 SELECT i.id, %(home)s, r.name || '-' || i.g, r.user_name, r.status, i.ms, i.ms, i.ms, r.created_by
 FROM ids i JOIN tracking_run r ON r.id = i.old ORDER BY i.ms""",
    """INSERT INTO tracking_param (run_id, key, value)
 SELECT i.id, p.key, p.value FROM ids i JOIN tracking_param p ON p.run_id = i.old ORDER BY i.id""",
    """INSERT INTO tracking_tag (run_id, key, value) SELECT i.id, t.key,
 CASE t.key WHEN 'n' THEN t.value || '-' || i.g ELSE t.value END FROM ids i JOIN tracking_tag t ON t.run_id = i.old
 ORDER BY i.id""",
    """INSERT INTO tracking_metricpoint (run_id, key_id, step, timestamp_ms, value)
 SELECT i.id, p.key_id, p.step, i.ms, p.value * (1 - i.g * 1e-6) FROM ids i
 JOIN tracking_metricpoint p ON p.run_id = i.old ORDER BY i.id""",
    """INSERT INTO tracking_latestmetric (run_id, key_id, experiment_id, step, timestamp_ms, value)
 SELECT p.run_id, p.key_id, %(home)s, p.step, p.timestamp_ms, p.value FROM ids i
 JOIN tracking_metricpoint p ON p.run_id = i.id ORDER BY i.id""",
)
CHUNK = 5_000
CHUNKS = """INSERT INTO tracking_metricchunk (run_id, key_id, count, first_step, last_step, first_ms, last_ms, is_ascending,
  steps, timestamps_ms, "values")
 SELECT %(run)s, %(key)s, {size}, c * {size}, (c + 1) * {size} - 1, {epoch} + c * {size}, {epoch} + (c + 1) * {size} - 1, true,
  (SELECT array_agg(c * {size} + i ORDER BY i) FROM generate_series(0, {size} - 1) i),
  (SELECT array_agg({epoch} + c * {size} + i ORDER BY i) FROM generate_series(0, {size} - 1) i),
  (SELECT array_agg(random() + 0 * c ORDER BY i) FROM generate_series(0, {size} - 1) i)
 FROM generate_series(%(first)s::bigint, %(last)s::bigint) c"""


def experiment(db: psycopg.Connection, name: str) -> tuple[int, bool]:
    """Find or make an experiment; returns its number and whether it is new."""
    found = db.execute("SELECT id FROM tracking_experiment WHERE name = %s", [name]).fetchone()
    if found:
        return int(found[0]), False
    made = """INSERT INTO tracking_experiment (project_id, name, created_ms, updated_ms)
     SELECT project_id, %s, %s, %s FROM tracking_experiment WHERE id = 0 RETURNING id"""
    row = db.execute(made, [name, corpora.EPOCH_MS, corpora.EPOCH_MS]).fetchone()
    assert row is not None
    return int(row[0]), True


def entered(owner_dsn: str, schema: str) -> psycopg.Connection:
    """Open the owner's session in a tenant, in one transaction that needs not wait for the disk."""
    db = psycopg.connect(owner_dsn)
    db.execute(sql.SQL("SET search_path = {}").format(sql.Identifier(schema)))
    db.execute("SET synchronous_commit = off")
    db.execute("SET work_mem = '128MB'")
    return db


def multiply(owner_dsn: str, schema: str, base: int, runs: int) -> float:
    """Make the corpus of so many runs out of the base's; returns the seconds, or 0 if it was there."""
    begun = time.perf_counter()
    with entered(owner_dsn, schema) as db:
        home, is_new = experiment(db, corpora.name_of(runs))
        if not is_new:
            return 0.0
        (origin, _) = experiment(db, corpora.name_of(base))
        values = {"home": home, "base": origin, "times": runs // base, "runs": runs}
        db.execute(IDS, values)
        db.execute("CREATE INDEX ON ids (old)")
        db.execute("ANALYZE ids")
        for statement in COPIES:
            db.execute(statement, values)
    corpora.analyze(owner_dsn, schema)
    return time.perf_counter() - begun


def series(owner_dsn: str, schema: str, points: int) -> tuple[str, float]:
    """Make the run whose series `loss` has so many points, in whole chunks; returns its id and the seconds."""
    begun = time.perf_counter()
    with entered(owner_dsn, schema) as db:
        home, is_new = experiment(db, f"bench-history-{points}")
        if is_new:
            values = {"run": corpora.run_id(1, points % 2**31), "key": key_id(db), "home": home, "ms": corpora.EPOCH_MS}
            db.execute(
                """INSERT INTO tracking_run (id, experiment_id, name, user_name, created_by, status, start_ms, last_write_ms)
                VALUES (%(run)s, %(home)s, 'long', '', '', 'FINISHED', %(ms)s, %(ms)s)""",
                values,
            )
            for first, last in spans(points // CHUNK):
                db.execute(CHUNKS.format(size=CHUNK, epoch=corpora.EPOCH_MS), values | {"first": first, "last": last})
            db.execute(
                """INSERT INTO tracking_latestmetric (run_id, key_id, experiment_id, step, timestamp_ms, value)
                VALUES (%(run)s, %(key)s, %(home)s, %(step)s, %(at)s, 0.5)""",
                values | {"step": points - 1, "at": corpora.EPOCH_MS + points - 1},
            )
        row = db.execute("SELECT id FROM tracking_run WHERE experiment_id = %s", [home]).fetchone()
        assert row is not None
    if is_new:
        corpora.analyze(owner_dsn, schema)
    return row[0].hex, time.perf_counter() - begun if is_new else 0.0


def key_id(db: psycopg.Connection) -> int:
    """The number of the metric `loss`."""
    made = "INSERT INTO tracking_metrickey (name) VALUES ('loss') ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING id"
    row = db.execute(made).fetchone()
    assert row is not None
    return int(row[0])


def spans(chunks: int, step: int = 500) -> Iterator[tuple[int, int]]:
    """Cut the numbers of chunks into stretches."""
    for first in range(0, chunks, step):
        yield first, min(first + step, chunks) - 1
