"""One night: many tenants trained through the real fan-out by a real worker, and what that costs.

usage: python -m bench.learning.nightly [--tenants 100] [--projects 500] [--artifacts 30] [--concurrency 2] [--make-only]

Needs the servers of MAESTRO_HOME (`python -m maestro.embedded servers`) and `manage.py migrate_tenants`. Tenants are called `night-…`; those that are
there already are trained again with force. The jitter of the real schedule (maestro.tasks.fan_out) is set to 0, so the
wall clock says how long the work takes and not how long it is spread over.
"""

import argparse
import os
import resource
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()

from django_tenants.utils import tenant_context  # noqa: E402 Django must be set up first

from apps.recommendations import tasks  # noqa: E402
from apps.recommendations.models import ImpactModel, Training  # noqa: E402
from apps.tenants.models import Tenant  # noqa: E402
from bench.learning.nightly_tenants import make_tenant  # noqa: E402
from maestro.database.session import connection  # noqa: E402
from maestro.tasks import fan_out  # noqa: E402

RESULT = Path(__file__).parents[1] / "results" / "nightly.md"
PREFIX, POLL_SECONDS, PROGRESS = "night-", 1.0, 5
MB = 2**20


@dataclass(slots=True)
class Night:
    """What was measured."""

    tenants: int
    projects: int
    artifacts: int
    concurrency: int
    making: float = 0.0
    wall: float = 0.0
    processor: float = 0.0
    worker_peak: int = 0
    load: float = 0.0


def main() -> None:
    """Make the tenants, run the night, write the page."""
    options = parsed()
    night = Night(options.tenants, options.projects, options.artifacts, options.concurrency)
    started = time.monotonic()
    tenants = ensure_tenants(night)
    night.making = time.monotonic() - started
    print(f"{len(tenants)} tenants are there after {night.making:.0f} s", flush=True)
    if options.make_only:
        return
    run_night(night, tenants, seconds=options.seconds)
    page = describe(night, tenants)
    options.output.write_text(page, encoding="utf-8")
    print(page)


def parsed() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tenants", type=int, default=100)
    parser.add_argument("--projects", type=int, default=500)
    parser.add_argument("--artifacts", type=int, default=30)
    parser.add_argument("--concurrency", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=4 * 3600, help="stop after so long, and say what had ended")
    parser.add_argument("--make-only", action="store_true", help="make the tenants and end")
    parser.add_argument("--output", type=Path, default=RESULT)
    return parser.parse_args()


def ensure_tenants(night: Night) -> list[Tenant]:
    """The tenants of the night, made where they lack."""
    connection.set_schema_to_public()
    there = {tenant.slug: tenant for tenant in Tenant.objects.filter(slug__startswith=PREFIX)}
    names = [f"{PREFIX}{k:03d}" for k in range(night.tenants)]
    tenants: list[Tenant] = []
    for k, name in enumerate(names):
        made = there.get(name) or make_tenant(name, projects=night.projects, artifacts=night.artifacts, seed=1000 + k)
        tenants.append(made)
        if name not in there and len(tenants) % PROGRESS == 0:
            print(f"{len(tenants)} of {night.tenants} tenants made", flush=True)
    return tenants


def run_night(night: Night, tenants: list[Tenant], *, seconds: float) -> None:
    """Fan out, start a worker, wait until every training has ended, stop the worker."""
    for tenant in tenants:
        with tenant_context(tenant):
            Training.objects.all().delete()
    connection.set_schema_to_public()
    fan_out(tasks.train_tonight, jitter_seconds=0)
    command = [
        sys.executable,
        "-m",
        "celery",
        "-A",
        "config",
        "worker",
        "--concurrency",
        str(night.concurrency),
        "--loglevel",
        "WARNING",
        "--without-gossip",
        "--without-mingle",
    ]
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    worker = subprocess.Popen(command)
    try:
        waiting, said = list(tenants), 0
        while waiting and time.monotonic() - begun < seconds and worker.poll() is None:
            time.sleep(POLL_SECONDS)
            night.worker_peak = max(night.worker_peak, worker_memory(worker.pid))
            waiting = [tenant for tenant in waiting if not has_ended(tenant)]
            done = len(tenants) - len(waiting)
            if done >= said + PROGRESS:
                said = done
                print(f"{done} of {len(tenants)} after {time.monotonic() - begun:.0f} s", flush=True)
        night.wall = time.monotonic() - begun
    finally:
        worker.terminate()
        worker.wait(120)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    night.processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    night.load = os.getloadavg()[2]


def has_ended(tenant: Tenant) -> bool:
    """Say whether the tenant's training is over."""
    with tenant_context(tenant):
        return Training.objects.exists() and not Training.objects.open().exists()


def worker_memory(pid: int) -> int:
    """Bytes that the worker and its pool hold now (not those of the trainings' own processes)."""
    return sum(resident(one) for one in (pid, *children(pid)))


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(one) for one in listed.read_text().split()] if listed.exists() else []


def resident(pid: int) -> int:
    """Bytes of one process."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (FileNotFoundError, ProcessLookupError, IndexError):
        return 0
    return pages * resource.getpagesize()


def describe(night: Night, tenants: list[Tenant]) -> str:
    """The page."""
    rows, states = read_trainings(tenants)
    ended = Counter(row["state"] for row in rows)
    fits = sorted(row["fit_ms"] / 1000 for row in rows if row["fit_ms"])
    reads = sorted(row["data_ms"] for row in rows if row["data_ms"] is not None)
    peaks = [row["peak_bytes"] for row in rows if row["peak_bytes"]]
    failed = sorted({row["reason"][:120] for row in rows if row["state"] == "failed"})
    tries = sum(row["tries"] > 1 for row in rows)
    over = ended["done"] + ended["failed"]
    lines = [
        "# A night of trainings",
        "",
        f"Written by `python -m bench.learning.nightly --tenants {night.tenants} --projects {night.projects} "
        f"--artifacts {night.artifacts} --concurrency {night.concurrency}` on {time.strftime('%Y-%m-%d')}.",
        "",
        "| what | figure |",
        "| --- | --- |",
        f"| tenants x projects x artifacts | {night.tenants} x {night.projects} x {night.artifacts} |",
        f"| worker processes, cores | {night.concurrency}, {os.cpu_count()} |",
        f"| load of the machine at the end (15 minutes) | {night.load:.1f} |",
        f"| trainings that ended: done, failed, other | {ended['done']}, {ended['failed']}, {len(tenants) - over} |",
        f"| trainings that needed a second try | {tries} |",
        f"| wall clock | {night.wall:.0f} s |",
        f"| processor time of the worker and all that it started | {night.processor:.0f} s, "
        f"{night.processor / max(over, 1):.1f} s for each that ended |",
        f"| fitting, wall clock of one training: median, slowest | {middle(fits):.1f}, {max(fits, default=0):.1f} s |",
        f"| reading, wall clock of one training: median, slowest | {middle(reads):.0f}, {max(reads, default=0):.0f} ms |",
        f"| most memory of a training's process | {max(peaks, default=0) / MB:.0f} MB |",
        f"| most memory of the worker with its pool, trainings apart | {night.worker_peak / MB:.0f} MB |",
        f"| models: serving, rejected, refused | {states['champion']}, {states['rejected']}, {states['refused']} |",
        "",
    ]
    return "\n".join([*lines, *[f"Failed: {reason}" for reason in failed]]).rstrip() + "\n"


def read_trainings(tenants: list[Tenant]) -> tuple[list[dict[str, Any]], Counter[str]]:
    """Each tenant's trainings, and how its models stand."""
    fields = ("state", "fit_ms", "data_ms", "peak_bytes", "reason", "tries")
    rows: list[dict[str, Any]] = []
    states: Counter[str] = Counter()
    for tenant in tenants:
        with tenant_context(tenant):
            rows += list(Training.objects.values(*fields))
            states.update(ImpactModel.objects.values_list("state", flat=True))
    return rows, states


def middle(values: list[float]) -> float:
    """The median of sorted values."""
    return values[len(values) // 2] if values else 0.0


if __name__ == "__main__":
    main()
