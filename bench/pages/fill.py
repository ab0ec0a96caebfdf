"""Fills a tenant with what makes pages slow: very many runs, runs with very many keys, a run with long curves.

    python -m bench.pages.fill --tenant demo [--runs 100000] [--keys 10000] [--curves 50] [--points 100000]

Rows are written in SQL, as folding leaves them; nothing here goes through a door.
"""

import argparse
import os
import uuid
from dataclasses import dataclass

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()

from django.db import connection as plain  # noqa: E402 after setup
from django.utils import timezone  # noqa: E402
from django_tenants.utils import schema_context  # noqa: E402

from apps.tenants.models import Tenant  # noqa: E402
from apps.tracking.models import Experiment, MetricKey, Project, Run  # noqa: E402
from apps.tracking.runs import folding  # noqa: E402
from maestro.clock import to_ms  # noqa: E402

CHUNK = 5_000
RUNS = """
INSERT INTO tracking_run (id, experiment_id, name, user_name, status, start_ms, end_ms, last_write_ms, created_by, location,
  is_folded)
SELECT (lpad(to_hex(%(now)s - n), 12, '0') || '7' || substr(md5(random()::text), 1, 3) || '8'
  || substr(md5(random()::text), 1, 15))::uuid, %(experiment)s, 'run-' || n, 'ada',
  CASE WHEN n %% 20 = 0 THEN 'FAILED' WHEN n %% 33 = 0 THEN 'LOST' ELSE 'FINISHED' END,
  %(now)s - n::bigint * 60000, %(now)s - n::bigint * 60000 + 30000 + n %% 4000, %(now)s, '', '', false
FROM generate_series(1, %(runs)s) AS n"""
METRICS = """
INSERT INTO tracking_latestmetric (experiment_id, run_id, key_id, step, timestamp_ms, value)
SELECT r.experiment_id, r.id, k.id, 10, r.end_ms, random() FROM tracking_run r, tracking_metrickey k
WHERE r.experiment_id = %(experiment)s AND k.name LIKE %(like)s"""
PARAMS = """
INSERT INTO tracking_param (run_id, key, value)
SELECT r.id, 'page.param_' || lpad(n::text, 5, '0'), round((random() * 10)::numeric, 2)::text
FROM tracking_run r, generate_series(1, %(keys)s) AS n WHERE r.experiment_id = %(experiment)s"""
CHUNKS = """
INSERT INTO tracking_metricchunk (run_id, key_id, count, first_step, last_step, first_ms, last_ms, steps, timestamps_ms,
  "values", is_ascending)
SELECT %(run)s, k.id, %(chunk)s, c * %(chunk)s, (c + 1) * %(chunk)s - 1, %(now)s + c * %(chunk)s,
  %(now)s + (c + 1) * %(chunk)s - 1,
  array(SELECT c * %(chunk)s + i FROM generate_series(0, %(chunk)s - 1) i),
  array(SELECT %(now)s + c * %(chunk)s + i FROM generate_series(0, %(chunk)s - 1) i),
  array(SELECT exp(-(c * %(chunk)s + i) / 30000.0) + random() / 20 FROM generate_series(0, %(chunk)s - 1) i), true
FROM tracking_metrickey k, generate_series(0, %(chunks)s - 1) AS c WHERE k.name LIKE %(like)s"""


@dataclass(frozen=True)
class Sizes:
    """How much of each."""

    runs: int
    keys: int
    curves: int
    points: int


def make_experiment(name: str) -> Experiment:
    """An experiment of the bench's own project."""
    now = to_ms(timezone.now())
    project, _ = Project.objects.get_or_create(
        slug="page-bench", defaults={"name": "Pages", "goal_metric": "page.small_1"}
    )
    return Experiment.objects.create(
        project=project, name=f"{name} {uuid.uuid4().hex[:6]}", created_ms=now, updated_ms=now
    )


def send(sql: str, **params: object) -> None:
    """One statement in the tenant."""
    with plain.cursor() as cursor:
        cursor.execute(sql, params)


def many_runs(sizes: Sizes) -> Experiment:
    """Very many runs with five metrics and four params each."""
    home = make_experiment("many runs")
    MetricKey.objects.bulk_create([MetricKey(name=f"page.small_{n}") for n in range(5)], ignore_conflicts=True)
    send(RUNS, experiment=home.pk, runs=sizes.runs, now=to_ms(timezone.now()))
    send(METRICS, experiment=home.pk, like="page.small\\_%")
    send(PARAMS, experiment=home.pk, keys=4)
    return home


def many_keys(sizes: Sizes) -> Experiment:
    """Sixty runs with very many keys, half of them metrics."""
    home = make_experiment("many keys")
    half = sizes.keys // 2
    MetricKey.objects.bulk_create([MetricKey(name=f"page.key_{n:05}") for n in range(half)], ignore_conflicts=True)
    send(RUNS, experiment=home.pk, runs=60, now=to_ms(timezone.now()))
    send(METRICS, experiment=home.pk, like="page.key\\_%")
    send(PARAMS, experiment=home.pk, keys=half)
    return home


def long_curves(sizes: Sizes) -> Run:
    """One run with many long curves."""
    home = make_experiment("long curves")
    now = to_ms(timezone.now())
    MetricKey.objects.bulk_create(
        [MetricKey(name=f"page.curve_{n:02}") for n in range(sizes.curves)], ignore_conflicts=True
    )
    send(RUNS, experiment=home.pk, runs=1, now=now)
    run = Run.objects.get(experiment=home)
    send(METRICS, experiment=home.pk, like="page.curve\\_%")
    send(CHUNKS, run=run.pk, now=now, chunk=CHUNK, chunks=sizes.points // CHUNK, like="page.curve\\_%")
    folding.outline([run.pk])
    return run


def main() -> None:
    """Fill, look at the tables as autovacuum would, and say what was made."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tenant", required=True)
    for name, most in (("runs", 100_000), ("keys", 10_000), ("curves", 50), ("points", 100_000)):
        parser.add_argument(f"--{name}", type=int, default=most)
    given = parser.parse_args()
    sizes = Sizes(given.runs, given.keys, given.curves, given.points)
    with schema_context(Tenant.objects.get(slug=given.tenant).schema_name):
        send("SET statement_timeout = 0")
        runs, keys, curves = many_runs(sizes), many_keys(sizes), long_curves(sizes)
        print(f"many runs: experiment {runs.pk}; many keys: experiment {keys.pk}; long curves: run {curves.pk}")


if __name__ == "__main__":
    main()
