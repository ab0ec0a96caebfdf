"""`python -m bench.soak --requests 100000`: start an installation, let 64 clients of two tenants at it, break things.

It starts its own Postgres, Valkey, web server and Celery worker in a folder of its own, and ends them. While the
clients work, database sessions are ended in the middle of their transactions and tasks of both tenants run.
Afterwards the tables themselves are searched for rows of the other tenant, and everything that was acknowledged
for what is missing. Exits with 1 if anything is foreign, lost, stored by halves or answered with a fault of ours.
"""

import argparse
import os
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from bench.soak.evidence import Evidence, examine
from bench.soak.faults import TaskSender, Terminator
from bench.soak.visitors import Ledger, Place, visit
from tests import servers
from tests.web import ROOT, environment, issue_key, manage, start_web, start_worker

RESULTS = ROOT / "bench" / "results" / "soak.md"
SLUGS = ("soak-one", "soak-two")
TOLD = {"received": " received", "succeeded": " succeeded in ", "sent back to be tried again": " retry: "}
RAISED = re.compile(r" raised (?:unexpected|expected): (\w+)")


def make_place(values: dict[str, str], slug: str) -> Place:
    """Issue a tenant's key and choose its marker."""
    return Place(slug, issue_key(values, slug), f"of-{secrets.token_hex(6)}")


def tasks_in(log: Path) -> Counter[str]:
    """Count what the worker says of its tasks: how they ended, and what the failed ones raised."""
    text = log.read_text(errors="replace")
    told = Counter({name: text.count(word) for name, word in TOLD.items()})
    return told + Counter(f"failed with {kind}" for kind in RAISED.findall(text))


def report(asked: argparse.Namespace, ledger: Ledger, found: Evidence, told: dict[str, object]) -> str:
    """Write the figures."""
    statuses = ", ".join(f"{status}: {n:,}" for status, n in sorted(ledger.statuses.items()))
    lines = [
        "# Isolation soak",
        "",
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, commit {told['commit']}, {os.cpu_count()} cores, load average before"
        f" {told['load']}. Command: `python -m bench.soak {' '.join(sys.argv[1:])}`.",
        "",
        "| | |",
        "|---|---|",
        f"| requests | {sum(ledger.statuses.values()):,} answered, {sum(ledger.cuts.values())} cut off, {asked.threads} threads |",
        f"| cut off, by cause | {', '.join(f'{n:,} {why}' for why, n in ledger.cuts.most_common()) or 'none'} |",
        f"| answers by status | {statuses} |",
        f"| seconds | {told['seconds']} |",
        f"| database sessions ended | {told['ended']} |",
        f"| tasks of both tenants | {told['sent']} sent, {told['tasks']} |",
        f"| rows searched | {found.rows:,} |",
        f"| foreign rows | {found.foreign_rows} |",
        f"| files searched, foreign | {found.files:,}, {found.foreign_files} |",
        f"| acknowledged and lost | {found.lost} |",
        f"| batches stored by halves | {found.partial} |",
        f"| differences between the tenants' catalogs | {len(found.catalog_differences)} |",
        f"| wrong answers | {len(ledger.wrong)} |",
        "",
        "503 is what a client gets whose database session was ended; it may repeat the request.",
    ]
    return "\n".join([*lines, *(f"- {line}" for line in ledger.wrong[:20]), ""])


def main() -> int:
    """Run, look, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--threads", type=int, default=64)
    parser.add_argument("--most-seconds", type=float, default=86_400, help="end the clients' work after this time")
    parser.add_argument("--end-session-every", type=float, default=2.0, metavar="SECONDS")
    parser.add_argument("--send-task-every", type=float, default=0.5, metavar="SECONDS")
    parser.add_argument(
        "--keep-logs", type=Path, metavar="FOLDER", help="copy the web server's and the worker's log there"
    )
    parser.add_argument("--out", type=Path, default=RESULTS)
    asked = parser.parse_args()
    load = f"{os.getloadavg()[0]:.1f}"
    with tempfile.TemporaryDirectory(prefix="maestro-soak-") as home:
        ledger, found, told = run(asked, Path(home))
    head = ["git", "rev-parse", "--short", "HEAD"]
    told |= {
        "commit": subprocess.run(head, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip(),
        "load": load,
    }
    text = report(asked, ledger, found, told)
    asked.out.write_text(text)
    print(text)
    bad = found.foreign_rows + found.foreign_files + found.lost + found.partial + len(found.catalog_differences)
    return 1 if bad or ledger.wrong else 0


def run(asked: argparse.Namespace, home: Path) -> tuple[Ledger, Evidence, dict[str, object]]:
    """Start everything, let the clients at it, and look at what is left."""
    postgres = servers.start_postgres()
    servers.create_database("maestro_soak")
    values = environment("maestro_soak", home / "bytes") | {"PYTHONPATH": str(ROOT)}
    manage(values, "migrate_tenants", *(word for slug in SLUGS for word in ("--ensure-tenant", slug)))
    places = {slug: make_place(values, slug) for slug in SLUGS}
    schemas = {slug: slug.replace("-", "_") for slug in SLUGS}
    web, worker = start_web(values, workers=2, threads=16), start_worker(values, home / "worker.log")
    dsn_super = postgres.dsn("maestro", "maestro_soak")
    terminator = Terminator(dsn_super, "maestro_soak", asked.end_session_every)
    sender = TaskSender(values["MAESTRO_REDIS_URL"], list(schemas.values()), asked.send_task_every)
    try:
        terminator.start()
        sender.start()
        began = time.monotonic()
        ledger = visit(
            web.port,
            list(places.values()),
            requests=asked.requests,
            threads=asked.threads,
            most_seconds=asked.most_seconds,
        )
        seconds = round(time.monotonic() - began)
        told: dict[str, object] = {"ended": terminator.stop(), "sent": sender.stop(), "seconds": seconds}
        time.sleep(5)
        told["tasks"] = ", ".join(f"{n} {word}" for word, n in tasks_in(home / "worker.log").items() if n)
        found = examine(dsn_super, schemas, places, ledger, home / "bytes")
    finally:
        web.stop()
        worker.terminate()
        worker.wait(30)
        if asked.keep_logs:
            asked.keep_logs.mkdir(parents=True, exist_ok=True)
            for log in home.rglob("*.log"):
                shutil.copy(log, asked.keep_logs)
    return ledger, found, told


if __name__ == "__main__":
    sys.exit(main())
