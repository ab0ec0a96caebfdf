"""The bench's own: the same scenarios while an experiment grows."""

import importlib
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.growth import filling, plans, processes, product, report, work  # noqa: F401 product sets Django up
from bench.load import corpora, fold, machine, measuring, targets

from django.conf import settings  # isort: skip
from django_tenants.utils import tenant_context  # isort: skip

from apps.tenants.models import Tenant  # isort: skip
from apps.tracking.models import Experiment  # isort: skip

TENANT, BASE = "growth", 10_000
SCENARIOS = {
    "log-batch-1000": ["--ops", "30"],
    "log-metric": ["--ops", "100"],
    "ci-job": ["--ops", "30"],
    "search-filter": ["--ops", "20"],
    "search-page": ["--ops", "10"],
}
LIST = "admin: a page of the run list"
GETS = 10


def fill(harness: Path, runs: int) -> dict[str, float]:
    """Make the corpus of so many runs and fold it; returns the seconds of both."""
    sys.path.insert(0, str(harness))
    content = importlib.import_module("mlflow_load").run_content
    begun = time.perf_counter()
    made = corpora.fill_maestro(settings.OWNER_DATABASE_URL, TENANT, BASE, content)
    if made:
        fold.fold(TENANT)
    if runs > BASE:
        made = filling.multiply(settings.OWNER_DATABASE_URL, TENANT, BASE, runs) > 0
    filled = time.perf_counter() - begun
    folded = fold.fold(TENANT, most=2_000)
    if made:
        corpora.analyze(settings.OWNER_DATABASE_URL, TENANT)
    return {"fill": filled, "fold": folded["seconds"], "folded": folded["runs"]}


def listed(tenant: Tenant, experiment: int, postgres: int) -> dict[str, Any]:
    """Ask for the run list in this process; CPU of it and of Postgres, and the plans."""
    client = work.person(tenant)
    address = f"/admin/tracking/run/?experiment={experiment}"
    assert client.get(address).status_code == 200
    before, begun = (time.process_time(), processes.cpu_seconds(postgres)), time.perf_counter()
    for _ in range(GETS):
        client.get(address)
    wall = (time.perf_counter() - begun) / GETS
    spent = time.process_time() - before[0], processes.cpu_seconds(postgres) - before[1]
    found = plans.plans_of(lambda: client.get(address))
    return {"cpu": 1000 * sum(spent) / GETS, "ms": 1000 * wall, "plans": found}


def look(tenant: Tenant, runs: int, postgres: int) -> dict[str, Any]:
    """Look at the plans of one size."""
    with tenant_context(tenant):
        home = Experiment.objects.get(name=corpora.name_of(runs)).pk
        pieces = work.searching(home) | work.logging(work.newest_run(home).pk)
        found = {name: plans.plans_of(piece) for name, piece in pieces.items()}
        page = listed(tenant, home, postgres)
    found[LIST] = page["plans"]
    return {"plans": found, "list": page}


def plan_rows(looked: dict[int, dict[str, Any]]) -> list[list[Any]]:
    """One row for each statement of each piece of work, with a column for each size."""
    rows = []
    for name in next(iter(looked.values()))["plans"]:
        for runs, seen in looked.items():
            some = seen["plans"][name]
            largest = max(some, key=lambda plan: plan.rows_read)
            used = ", ".join(dict.fromkeys(index for plan in some for index in plan.indexes))
            whole = ", ".join(dict.fromkeys(table for plan in some for table in plan.whole_tables)) or "–"
            rows.append(
                [
                    name,
                    runs,
                    len(some),
                    sum(p.rows_read for p in some),
                    largest.rows_read,
                    sum(p.pages for p in some),
                    sum(p.milliseconds for p in some),
                    short(used),
                    short(whole),
                ]
            )
    return rows


def short(names: str, most: int = 160) -> str:
    """Keep a cell of a table readable."""
    return names.replace("tracking_", "") if len(names) <= most else names.replace("tracking_", "")[:most] + "…"


HEADS = [
    "work",
    "size",
    "statements",
    "rows read",
    "by the largest",
    "8-kB pages",
    "ms",
    "indexes",
    "tables read whole",
]


def measure(home: Path, port: int, steps: Sequence[int], harness: Path) -> None:
    """Grow, measure and write the section."""
    load_before, postgres = os.getloadavg()[0], machine.postmaster(home)
    filled, spent, looked = {}, {}, {}
    with targets.maestro(port, 2, home / "log" / "bench.log", TENANT) as target:
        tenant = Tenant.objects.get(slug=TENANT)
        for runs in steps:
            filled[runs] = fill(harness, runs)
            for name in SCENARIOS:
                measuring.warm(harness, target, name, postgres=postgres, extra=["--runs", str(runs)])
            spent[runs] = {
                name: measuring.measure(harness, target, name, postgres=postgres, extra=[*extra, "--runs", str(runs)])
                for name, extra in SCENARIOS.items()
            }
            looked[runs] = look(tenant, runs, postgres)
            print(f"bench: {runs} runs: {filled[runs]}", flush=True)
    lines = ["`python -m bench.growth runs --harness FOLDER`", "", *machine.describe(load_before), ""]
    lines += ["CPU milliseconds an operation, server and Postgres (in brackets: p50 on the clock):", ""]
    lines += report.table(
        ["scenario", *(f"{runs:,} runs" for runs in steps), "last / first"], scenario_rows(spent, looked, steps)
    )
    lines += ["", "What Postgres did (`EXPLAIN (ANALYZE, BUFFERS)`), all statements of one piece of work:", ""]
    lines += report.table(HEADS, plan_rows(looked))
    lines += [
        "",
        *(
            f"- {n:,} runs: filled in {f['fill']:.0f} s, folded {f['folded']:,} runs in {f['fold']:.0f} s"
            for n, f in filled.items()
        ),
    ]
    report.put("runs", lines)


def scenario_rows(spent: dict[int, Any], looked: dict[int, Any], steps: Sequence[int]) -> list[list[Any]]:
    """One row a scenario."""
    rows = []
    for name in [*SCENARIOS, LIST]:
        if name == LIST:
            found = [(looked[runs]["list"]["cpu"], looked[runs]["list"]["ms"]) for runs in steps]
        else:
            found = [(measuring.cpu_of(row), row["p50_ms"]) for row in (spent[runs][name] for runs in steps) if row]
        growth = f"{found[-1][0] / found[0][0]:.2f} ×" if len(found) == len(steps) and found[0][0] else "–"
        rows.append([name, *(f"{cpu:.2f} ({p50:.0f})" for cpu, p50 in found), growth])
    return rows
