"""What Postgres does for the hot statements: the index that fits, and rows read by what was asked, not by what is there.

The shapes of plans are pinned, never times. On tables that nobody has analysed yet, as after a first load, each leaves other
experiments alone; on tables with statistics it reads what it needs.
"""

import uuid
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.db import connection
from psycopg import sql

from apps.tenants.models import Tenant
from apps.tracking.metrics import history, ingest, sampling
from apps.tracking.mlflow.batches import read_batch
from apps.tracking.models import Experiment
from apps.tracking.runs import documents
from apps.tracking.search import pages
from apps.tracking.search.pages import RUNS, Search
from bench.growth.plans import Plan, plans_of
from maestro.clock import now_ms
from maestro.filters import parse, parse_order

RUNS_EACH, CHUNKS = 8_000, 400
LARGE = ("run", "param", "tag", "latestmetric", "metricpoint", "metricchunk", "rundocument")
# Two experiments alike; every run has a param and a tag of few values, a tag of its own and two metrics.
FILL = (
    """INSERT INTO tracking_run (id, experiment_id, name, user_name, created_by, status, start_ms, last_write_ms,
  is_folded)
 SELECT gen_random_uuid(), e, 'run-' || n, '', '', 'FINISHED', n, n, true FROM unnest(%(homes)s::bigint[]) e, generate_series(1, %(runs)s) n""",
    "INSERT INTO tracking_metrickey (name) VALUES ('acc'), ('loss') ON CONFLICT DO NOTHING",
    "INSERT INTO tracking_param (run_id, key, value) SELECT id, 'lr', (ARRAY['0.1', '0.01', '0.001', '1'])[1 + start_ms %% 4] FROM tracking_run",
    "INSERT INTO tracking_tag (run_id, key, value) SELECT id, 'n', start_ms::text FROM tracking_run",
    """INSERT INTO tracking_latestmetric (experiment_id, run_id, key_id, step, timestamp_ms, value)
 SELECT r.experiment_id, r.id, k.id, 1, 1, (r.start_ms * 7919 %% 10007) / 10007.0 FROM tracking_run r, tracking_metrickey k
 WHERE k.name IN ('acc', 'loss')""",
    """INSERT INTO tracking_metricpoint (run_id, key_id, step, timestamp_ms, value)
 SELECT run_id, key_id, 1, 1, value FROM tracking_latestmetric""",
    "INSERT INTO tracking_rundocument (run_id, body) SELECT id, '\\x7b7d' FROM tracking_run",
    """INSERT INTO tracking_metricchunk (run_id, key_id, count, first_step, last_step, first_ms, last_ms, is_ascending, steps,
  timestamps_ms, "values")
 SELECT r.id, k.id, 100, c * 100, c * 100 + 99, c * 100, c * 100 + 99, true, a.places, a.places, a.places::float8[]
 FROM (SELECT id FROM tracking_run ORDER BY start_ms, experiment_id LIMIT 10) r,
  (SELECT id FROM tracking_metrickey WHERE name = 'loss') k, generate_series(0, %(chunks)s - 1) c
  CROSS JOIN LATERAL (SELECT array_agg(c * 100 + i) AS places FROM generate_series(0, 99) i) a""",
)


@pytest.fixture
def home(committed: Tenant) -> int:
    """An experiment beside another one, both with many runs, on tables that autovacuum leaves alone."""
    with psycopg.connect(settings.OWNER_DATABASE_URL) as owner:
        for table in LARGE:
            off = sql.SQL("ALTER TABLE {} SET (autovacuum_enabled = false)")
            owner.execute(off.format(sql.Identifier(committed.schema_name, f"tracking_{table}")))
    made = [Experiment.objects.create(name=name, created_ms=1, updated_ms=1).pk for name in ("one", "other")]
    with connection.cursor() as cursor:
        for statement in FILL:
            cursor.execute(statement, {"homes": made, "runs": RUNS_EACH, "chunks": CHUNKS})
    return int(made[0])


def analyze(schema: str) -> None:
    """Give the tables their statistics."""
    with psycopg.connect(settings.OWNER_DATABASE_URL, autocommit=True) as owner:
        for table in LARGE:
            owner.execute(sql.SQL("VACUUM ANALYZE {}").format(sql.Identifier(schema, f"tracking_{table}")))


def found_by(text: str, order: list[str], home: int) -> Callable[[], Any]:
    """A page of a search."""
    wanted = Search(parse(text, RUNS), parse_order(order, RUNS))
    return lambda: pages.runs(wanted, [home], most=50)


def batch_for(run: uuid.UUID, points: int) -> Callable[[], Any]:
    """A request that logs so many points of a metric that is known."""
    metrics = ",".join(f'{{"key":"loss","value":1,"timestamp":{n},"step":{n}}}' for n in range(10**6, 10**6 + points))
    body = f'{{"run_id":"{run.hex}","metrics":[{metrics}],"params":[],"tags":[]}}'.encode()
    return lambda: ingest.write(read_batch(body), projects=None, now=now_ms())


def work(home: int) -> list[tuple[str, Callable[[], Any], str, int]]:
    """Pieces of work, the index that each must use, and the most rows that it may read."""
    ids, _ = pages.runs(Search(), [home], most=50)
    with connection.cursor() as cursor:
        cursor.execute("SELECT run_id FROM tracking_metricchunk LIMIT 1")
        (long,) = cursor.fetchone()
    return [
        ("newest", found_by("", [], home), "tracking_run_newest", 60),
        ("by a metric", found_by("", ["metrics.acc DESC"], home), "tracking_latest_by_value", 300),
        (
            "filtered",
            found_by("metrics.acc > 0.9 and params.lr = '0.01'", ["metrics.acc DESC"], home),
            "tracking_latest_by_value",
            2_000,
        ),
        ("rare tag", found_by("tags.n = '777'", [], home), "tracking_tag_by_value", 60),
        ("documents", lambda: list(documents.read_many(ids)), "tracking_run_pkey", 250),
        ("log a point", batch_for(ids[0], 1), "tracking_run_pkey", 60),
        ("log a batch", batch_for(ids[0], 100), "tracking_run_pkey", 60),
        ("first page", lambda: history.page(long, "loss", most=500), "tracking_chunk_series", 400),
        (
            "later page",
            lambda: history.page(long, "loss", after=(30_000, 30_000, 2.0), most=500),
            "tracking_chunk_series",
            800,
        ),
        ("sample", lambda: sampling.sample(long, "loss", most=320), "tracking_chunk_series", 3 * CHUNKS),
        ("curve", lambda: history.curves([long], ["loss"]), "tracking_chunk_series", 4 * CHUNKS),
    ]


def wrong(plans: list[Plan], index: str, most: int) -> list[str]:
    """Hold a piece of work to its index, to its bound, and to leaving whole tables alone; what it breaks."""
    used = {name for plan in plans for name in plan.indexes}
    whole = {name for plan in plans for name in plan.whole_tables if name.removeprefix("tracking_") in LARGE}
    read = sum(plan.rows_read for plan in plans)
    found = [f"does not use {index} but {used}"] if index not in used else []
    found += [f"reads {whole} whole"] if whole else []
    return found + ([f"reads {read} rows, more than {most}"] if read > most else [])


def test_hot_statements_read_by_index_what_was_asked_for(home: int, committed: Tenant) -> None:
    pieces = work(home)
    # Without statistics Postgres takes an experiment for small and may sort it: all of it, and nothing of others.
    fresh = {name: wrong(plans_of(piece), index, most + RUNS_EACH) for name, piece, index, most in pieces}
    analyze(committed.schema_name)
    known = {name: wrong(plans_of(piece), index, most) for name, piece, index, most in pieces}
    assert {name: faults for name, faults in fresh.items() if faults} == {}
    assert {name: faults for name, faults in known.items() if faults} == {}
