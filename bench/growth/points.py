"""The bench's own: the same reads while one series grows."""

import os
import uuid
from collections.abc import Sequence
from pathlib import Path

from bench.growth import filling, plans, product, report, work  # noqa: F401 product sets Django up
from bench.growth.runs import HEADS, TENANT, plan_rows
from bench.load import fold, machine, measuring, targets

from django.conf import settings  # isort: skip
from django_tenants.utils import tenant_context  # isort: skip

from apps.tenants.models import Tenant  # isort: skip

SCENARIOS = {"history-page": ["--ops", "10"], "history-bulk": ["--ops", "10"]}


def measure(home: Path, port: int, steps: Sequence[int], harness: Path) -> None:
    """Grow, measure and write the section."""
    load_before, postgres = os.getloadavg()[0], machine.postmaster(home)
    spent, looked, made = {}, {}, []
    with targets.maestro(port, 2, home / "log" / "bench.log", TENANT) as target:
        tenant = Tenant.objects.get(slug=TENANT)
        for points in steps:
            run, seconds = filling.series(settings.OWNER_DATABASE_URL, TENANT, points)
            folded = fold.fold(TENANT)
            made.append(f"- {points:,} points: filled in {seconds:.0f} s, folded in {folded['seconds']:.0f} s")
            print(f"bench: {made[-1]}", flush=True)
            spent[points] = {
                name: measuring.measure(
                    harness, target, name, postgres=postgres, extra=[*more, "--points", str(points)]
                )
                for name, more in SCENARIOS.items()
            }
            with tenant_context(tenant):
                pieces = work.reading(uuid.UUID(run), "loss", (0, points // 2))
                pieces["page of 10,000 points from half-way"] = pieces.pop(
                    f"page of 10,000 points from point {points // 2:,}"
                )
                pieces |= work.logging(uuid.UUID(run))
                looked[points] = {"plans": {name: plans.plans_of(piece) for name, piece in pieces.items()}}
    lines = ["`python -m bench.growth points --harness FOLDER`", "", *machine.describe(load_before), ""]
    lines += ["CPU milliseconds an operation, server and Postgres (in brackets: p50 on the clock):", ""]
    rows = []
    for name in SCENARIOS:
        found = [(measuring.cpu_of(row), row["p50_ms"]) for row in (spent[points][name] for points in steps) if row]
        growth = f"{found[-1][0] / found[0][0]:.2f} ×" if len(found) == len(steps) and found[0][0] else "–"
        rows.append([name, *(f"{cpu:.1f} ({p50:.0f})" for cpu, p50 in found), growth])
    lines += report.table(["scenario", *(f"{points:,} points" for points in steps), "last / first"], rows)
    lines += ["", "What Postgres did (`EXPLAIN (ANALYZE, BUFFERS)`), all statements of one piece of work:", ""]
    lines += [*report.table(HEADS, plan_rows(looked)), "", *made]
    report.put("points", lines)
