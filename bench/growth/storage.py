"""The bench's own: bytes that a point takes on disk, single, in batches as clients send them, and folded."""

import os
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

import orjson
import psycopg
from psycopg import sql

from bench.growth import product, report, work  # noqa: F401 product sets Django up
from bench.load import fold, machine

from django.conf import settings  # isort: skip
from django_tenants.utils import tenant_context  # isort: skip

from apps.tenants import provisioning  # isort: skip
from apps.tenants.models import Tenant  # isort: skip
from apps.tracking.metrics import ingest  # isort: skip
from apps.tracking.mlflow.batches import read_batch  # isort: skip
from apps.tracking.models import Run  # isort: skip
from maestro.clock import now_ms  # isort: skip

TENANT, POINTS, KEYS, BATCH = "bench-storage", 200_000, 10, 1_000
AGAIN = 3
FEW = 70  # seven points a metric and request: stored as rows, as those of log-metric are
TABLES = ("tracking_metricpoint", "tracking_metricchunk", "tracking_latestmetric", "tracking_metrickey")


def sizes(schema: str) -> dict[str, int]:
    """Ask for each table's bytes, with its indexes and what stands outside of its rows, after a vacuum."""
    with psycopg.connect(settings.OWNER_DATABASE_URL, autocommit=True) as owner:
        found = {}
        for table in TABLES:
            owner.execute(sql.SQL("VACUUM {}").format(sql.Identifier(schema, table)))
            (found[table],) = owner.execute(
                "SELECT pg_total_relation_size(%s::regclass)", [f'"{schema}".{table}']
            ).fetchone() or (0,)
    return found


def log(run: uuid.UUID, key: str, batch: int) -> None:
    """Log POINTS points of KEYS metrics in requests of so many."""
    for first in range(0, POINTS, batch):
        metrics = [
            {
                "key": f"{key}{i % KEYS}",
                "value": (i * 0.6180339887) % 1,
                "timestamp": 1_750_000_000_000 + i,
                "step": i // KEYS,
            }
            for i in range(first, min(first + batch, POINTS))
        ]
        body = orjson.dumps({"run_id": run.hex, "metrics": metrics, "params": [], "tags": []})
        ingest.write(read_batch(body), **work.reach(), now=now_ms())


def new_run() -> uuid.UUID:
    """Make a run."""
    at = now_ms()
    return Run.objects.create(experiment_id=0, name="long", start_ms=at, last_write_ms=at).pk


def measure(home: Path, port: int, steps: Sequence[int]) -> None:
    """Log the same points in three ways, and fold; write the section."""
    load_before = os.getloadavg()[0]
    tenant = provisioning.create(TENANT)
    schema = tenant.schema_name
    try:
        rows = []
        for words, batch in (("as single rows", FEW), (f"in batches of {BATCH:,}, {KEYS} metrics", BATCH)):
            before = sizes(schema)
            with tenant_context(tenant):
                log(new_run(), f"batch{batch}-", batch)
            logged = sizes(schema)
            for table in TABLES[:2]:
                each = (logged[table] - before[table]) / POINTS
                if each > 1:
                    rows.append([f"{words}, before folding: {table}", 160 if batch == FEW else "–", each])
            fold.fold(TENANT)
        rows += [*again(tenant), ["all of it, written without gaps (VACUUM FULL)", 30, dense(schema)]]
    finally:
        provisioning.erase(TENANT)
    lines = ["`python -m bench.growth storage`", "", *machine.describe(load_before)]
    lines += [f"- {POINTS:,} points each, `pg_total_relation_size` after VACUUM: tables with their indexes", ""]
    lines += report.table(["points", "budget, bytes", "bytes a point"], rows)
    report.put("storage", lines)


def again(tenant: Tenant) -> Iterator[list[object]]:
    """Log and fold more batches: a fold leaves gaps, which the next points fill."""
    for number in range(1, AGAIN + 1):
        before = sizes(tenant.schema_name)
        with tenant_context(tenant):
            log(new_run(), "again", BATCH)
        fold.fold(TENANT)
        each = sum(sizes(tenant.schema_name).values()) - sum(before.values())
        yield [f"growth of all tables by as many more, in batches and folded, {number}", 30, each / POINTS]


def dense(schema: str) -> float:
    """Bytes a point of chunks without gaps."""
    with psycopg.connect(settings.OWNER_DATABASE_URL, autocommit=True) as owner:
        owner.execute(sql.SQL("VACUUM FULL {}").format(sql.Identifier(schema, TABLES[1])))
    return sizes(schema)[TABLES[1]] / (POINTS * (2 + AGAIN))
