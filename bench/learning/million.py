"""One tenant with a million usage rows: does a training end, in how long, with how much memory?

usage: python -m bench.learning.million [--copies 185]

Needs the servers of MAESTRO_HOME (`python -m maestro.embedded servers`) and `manage.py migrate_tenants`. The tenant is
erased afterwards. Each of its 900 runs, with what it used, is copied; the bound of memory is that of every training.
"""

import argparse
import os
import time
from pathlib import Path

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()

from django_tenants.utils import tenant_context  # noqa: E402 Django must be set up first

from apps.recommendations.models import Training  # noqa: E402
from apps.recommendations.work import leases, processes  # noqa: E402
from apps.tenants import provisioning  # noqa: E402
from apps.tenants.models import Tenant  # noqa: E402
from bench.learning.nightly_tenants import make_tenant  # noqa: E402
from maestro.database.session import connection  # noqa: E402

RESULT = Path(__file__).parents[1] / "results" / "million.md"
SLUG, MB = "million", 2**20
COPY = """
WITH copies AS MATERIALIZED (
    SELECT r.id AS old, gen_random_uuid() AS new, k FROM tracking_run r, generate_series(1, %(copies)s) k
), runs AS (
    INSERT INTO tracking_run
    SELECT (jsonb_populate_record(r, jsonb_build_object('id', c.new, 'start_ms', r.start_ms + 10 * c.k))).*
    FROM copies c JOIN tracking_run r ON r.id = c.old
), metrics AS (
    INSERT INTO tracking_latestmetric
    SELECT (jsonb_populate_record(m, jsonb_build_object('run_id', c.new, 'value', m.value + 0.02 * (random() - 0.5)))).*
    FROM copies c JOIN tracking_latestmetric m ON m.run_id = c.old
)
INSERT INTO registry_usage
SELECT (jsonb_populate_record(u, jsonb_build_object(
    'id', nextval(pg_get_serial_sequence('registry_usage', 'id')), 'run_id', c.new
))).*
FROM copies c JOIN registry_usage u ON u.run_id = c.old
"""


def main() -> None:
    """Make the tenant, train it, write the page, erase the tenant."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--copies", type=int, default=185)
    options = parser.parse_args()
    tenant = make_tenant(SLUG, projects=200, artifacts=30, seed=1)
    try:
        page = measure(tenant, options.copies)
    finally:
        connection.set_schema_to_public()
        provisioning.erase(SLUG)
    RESULT.write_text(page, encoding="utf-8")
    print(page)


def measure(tenant: Tenant, copies: int) -> str:
    """Copy the runs, then train in a process of its own, as a worker does."""
    with tenant_context(tenant):
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = '10min'")
            cursor.execute(COPY, {"copies": copies})
            cursor.execute("SELECT count(*) FROM registry_usage")
            (usages,) = cursor.fetchone()
        asked, _ = leases.ask(why="asked")
        begun = time.monotonic()
        processes.supervise(tenant, asked.pk)
        wall = time.monotonic() - begun
        return describe(Training.objects.get(pk=asked.pk), copies, usages, wall=wall)


def describe(done: Training, copies: int, usages: int, *, wall: float) -> str:
    """The page."""
    rows = {
        "usage rows": f"{usages:,}",
        "runs read": f"{done.counts.get('runs', 0):,}",
        "bound of memory": f"{processes.memory_bound()} MB",
        "how it ended": f"{done.state} {done.reason}".strip(),
        "tries": done.tries,
        "wall clock": f"{wall:.0f} s",
        "reading": f"{(done.data_ms or 0) / 1000:.1f} s",
        "fitting": f"{(done.fit_ms or 0) / 1000:.1f} s",
        "most memory of the process": f"{(done.peak_bytes or 0) / MB:.0f} MB",
        "load of the machine at the end (15 minutes)": f"{os.getloadavg()[2]:.1f}",
    }
    lines = [
        "# A million usage rows",
        "",
        f"Written by `python -m bench.learning.million --copies {copies}` on {time.strftime('%Y-%m-%d')}.",
        "",
        "| what | figure |",
        "| --- | --- |",
        *[f"| {name} | {value} |" for name, value in rows.items()],
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
