"""The bench's own: many tenants: what it takes to make one, what it leaves in the catalogs, what a session holds."""

import http.client
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import psycopg

from bench.growth import processes, product, report  # noqa: F401 product sets Django up
from bench.load import machine, targets

from django.conf import settings  # isort: skip
from django.utils import timezone  # isort: skip
from django_tenants.utils import tenant_context  # isort: skip

from apps.tenants import provisioning  # isort: skip
from apps.tenants.access.models import ApiKey  # isort: skip
from apps.tenants.models import Tenant  # isort: skip
from apps.tracking import tasks  # isort: skip
from maestro.database.session import connection  # isort: skip

SAY_EVERY = 50
CATALOG = """SELECT (SELECT count(*) FROM pg_class), (SELECT count(*) FROM pg_attribute),
 pg_database_size(current_database()),
 (SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class c WHERE c.relnamespace = 'pg_catalog'::regnamespace
  AND c.relkind = 'r')"""
REQUESTS = 400


@dataclass(frozen=True)
class Step:
    """What was measured with so many tenants."""

    tenants: int
    made: int
    create_ms: float
    create_cpu_ms: float
    relations: int
    attributes: int
    database_mb: float
    catalog_mb: float


def slug_of(number: int) -> str:
    """Name a tenant of the fleet."""
    return f"fleet-{number:04d}"


def grow(wanted: int) -> list[float]:
    """Make tenants up to so many; returns what each took, in seconds."""
    connection.set_schema_to_public()
    known = set(Tenant.objects.values_list("slug", flat=True))
    seconds = []
    for number in range(1, wanted + 1):
        if slug_of(number) in known:
            continue
        begun = time.perf_counter()
        provisioning.create(slug_of(number))
        seconds.append(time.perf_counter() - begun)
        if number % SAY_EVERY == 0:
            print(f"bench: tenant {number}: {1000 * median(seconds[-SAY_EVERY:]):.0f} ms each", flush=True)
    return seconds


def step(wanted: int, postgres: int) -> Step:
    """Make tenants and look at the catalogs."""
    before = processes.cpu_seconds(postgres) + time.process_time()
    seconds = grow(wanted)
    spent = 1000 * (processes.cpu_seconds(postgres) + time.process_time() - before)
    with psycopg.connect(settings.OWNER_DATABASE_URL) as owner:
        relations, attributes, size, catalog = owner.execute(CATALOG).fetchone() or (0, 0, 0, 0)
    last = seconds[-SAY_EVERY:]
    took = 1000 * median(last) if last else float("nan")
    spent = spent / len(seconds) if seconds else float("nan")
    return Step(wanted, len(seconds), took, spent, relations, attributes, size / 2**20, float(catalog) / 2**20)


def keys(count: int) -> list[str]:
    """Issue a key in each of so many tenants."""
    found = []
    for tenant in Tenant.objects.filter(slug__startswith="fleet-").order_by("slug")[:count]:
        with tenant_context(tenant):
            at = timezone.now()
            issued = ApiKey.objects.issue(
                slug=tenant.slug, name="growth", role="contributor", at=at, days=1, created_by="bench"
            )
            found.append(issued[1])
        connection.set_schema_to_public()
    return found


def visit(port: int, texts: Sequence[str], requests: int) -> list[float]:
    """Create a run and log to it in one tenant after the other; returns the milliseconds of each pair."""
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    found = []
    for number in range(requests):
        headers = {"Authorization": f"Bearer {texts[number % len(texts)]}", "Content-Type": "application/json"}
        begun = time.perf_counter()
        body = '{"experiment_id": "0", "start_time": 1750000000000}'
        client.request("POST", "/api/2.0/mlflow/runs/create", body, headers)
        answer = client.getresponse()
        text = answer.read().decode()
        if answer.status != 200:
            raise SystemExit(f"bench: {answer.status} {text[:200]}")
        run = text.partition('"run_id":"')[2][:32]
        point = f'{{"run_id": "{run}", "key": "loss", "value": 1, "timestamp": 1750000000000, "step": 1}}'
        client.request("POST", "/api/2.0/mlflow/runs/log-metric", point, headers)
        client.getresponse().read()
        found.append(1000 * (time.perf_counter() - begun))
    return found


def sessions(postgres: int) -> Iterator[float]:
    """List the private memory of each of the application's sessions, in MB."""
    for pid in processes.tree(postgres):
        if "maestro_app" in processes.title(pid):
            yield processes.memory_mb(pid)["private"]


def serve(home: Path, port: int, count: int) -> dict[str, Any]:
    """Serve so many tenants in turn by one worker; what a visit costs, and what its sessions hold afterwards."""
    texts, postgres = keys(count), machine.postmaster(home)
    connection.close()
    url, log = f"http://127.0.0.1:{port}", home / "log" / "bench.log"
    with targets.started(targets.serving(port, 1), f"{url}/livez", {"MAESTRO_RATE_KEY": "0"}, log) as pid:
        first = visit(port, texts, len(texts))
        before = processes.cpu_seconds(pid), processes.cpu_seconds(postgres)
        warm = visit(port, texts, REQUESTS)
        spent = processes.cpu_seconds(pid) - before[0], processes.cpu_seconds(postgres) - before[1]
        held = sorted(sessions(postgres))
        web = sum(processes.memory_mb(each)["pss"] for each in processes.tree(pid))
    return {
        "first": median(first),
        "warm": median(warm),
        "server_cpu": 1000 * spent[0] / REQUESTS,
        "pg_cpu": 1000 * spent[1] / REQUESTS,
        "sessions": len(held),
        "largest": held[-1] if held else 0.0,
        "all_sessions": sum(held),
        "web": web,
    }


def rest(postgres: int, count: int) -> dict[str, float]:
    """Do what the worker does for idle tenants every 20 seconds; CPU milliseconds a tenant."""
    schemas = list(
        Tenant.objects.filter(slug__startswith="fleet-").order_by("slug").values_list("schema_name", flat=True)
    )
    before = time.process_time(), processes.cpu_seconds(postgres)
    for schema in schemas[:count]:
        tasks.fold_runs(schema=schema)
    spent = time.process_time() - before[0], processes.cpu_seconds(postgres) - before[1]
    connection.close()
    return {"worker": 1000 * spent[0] / count, "pg": 1000 * spent[1] / count}


def measure(home: Path, port: int, steps: Sequence[int]) -> None:
    """Measure each step and write the section."""
    load_before = os.getloadavg()[0]
    made, served, idle = [], [], []
    for count in steps:
        made.append(step(count, machine.postmaster(home)))
        served.append((count, serve(home, port, count)))
        idle.append((count, rest(machine.postmaster(home), count)))
    lines = ["`python -m bench.growth tenants`", "", *machine.describe(load_before), ""]
    lines += report.table(
        [
            "tenants",
            "made now",
            "ms to make one (median of the last 50)",
            "CPU ms to make one (mean)",
            "relations",
            "attributes",
            "database MB",
            "of it catalog MB",
        ],
        [
            [s.tenants, s.made, s.create_ms, s.create_cpu_ms, s.relations, s.attributes, s.database_mb, s.catalog_mb]
            for s in made
        ],
    )
    lines += ["", "One web worker; a visit creates a run and logs a point, in one tenant after the other.", ""]
    lines += report.table(
        [
            "tenants in turn",
            "first visit, p50 ms",
            "later visits, p50 ms",
            "CPU ms a visit: web",
            "Postgres",
            "sessions",
            "largest session, private MB",
            "all sessions MB",
            "web MB (PSS)",
        ],
        [
            [
                count,
                s["first"],
                s["warm"],
                s["server_cpu"],
                s["pg_cpu"],
                s["sessions"],
                s["largest"],
                s["all_sessions"],
                s["web"],
            ]
            for count, s in served
        ],
    )
    lines += [
        "",
        "The folding task in idle tenants, one after the other, in one process (it runs every 20 seconds in each):",
        "",
    ]
    lines += report.table(
        ["tenants", "CPU ms a tenant: worker", "Postgres", "share of a core, all tenants"],
        [[n, i["worker"], i["pg"], n * (i["worker"] + i["pg"]) / 20_000] for n, i in idle],
    )
    report.put("tenants", lines)
