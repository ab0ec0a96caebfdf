"""`python -m bench.memory --minutes 120`: start an installation, walk all kinds of pages, write down what the workers hold.

It starts its own Postgres, Valkey and web server of two workers in a folder of its own, fills a tenant with what is heavy
to show, and lets visitors walk about, as fast as they are answered or with pauses between (`--pause`). Each sample is the RSS and the PSS of each process:
first the server's own, which loads the application and forks the workers, then theirs.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from bench.memory.filling import FILES, fill
from bench.memory.walking import Site, Tally, Walker
from tests import servers
from tests.web import ROOT, environment, manage, start_web

RESULTS = ROOT / "bench" / "results" / "memory.md"
SLUG = "memory"
HEAD = "| minute | RSS of the server and of each worker, MB | PSS of each, MB | PSS of both workers | PSS of all |"
Sample = tuple[float, list[tuple[int, int]]]


def children(pid: int) -> list[int]:
    """List the worker processes of a server."""
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def memory_of(pid: int) -> tuple[int, int]:
    """Read what a process holds, in MB: RSS, and PSS, where what is shared is shared out."""
    found = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        name, _, rest = line.partition(":")
        found[name] = int(rest.split()[0]) // 1024
    return found["Rss"], found["Pss"]


def sample(pid: int) -> list[tuple[int, int]]:
    """Read the server's own process and all workers; one that has just ended is left out."""
    found = []
    for child in (pid, *children(pid)):
        try:
            found.append(memory_of(child))
        except OSError:
            continue
    return found


def observe(pid: int, *, until: float, every: float) -> list[Sample]:
    """Read the workers again and again until it is time."""
    began, line = time.monotonic(), []
    while time.monotonic() < until:
        line.append((time.monotonic() - began, sample(pid)))
        print(f"{line[-1][0] / 60:6.1f} min  {line[-1][1]}", flush=True)
        time.sleep(min(every, max(until - time.monotonic(), 0)))
    return line


def workers_of(held: list[tuple[int, int]]) -> int:
    """The workers' PSS together."""
    return sum(pss for _, pss in held[1:])


def whole_of(held: list[tuple[int, int]]) -> int:
    """The PSS of all processes of the server together."""
    return sum(pss for _, pss in held)


def figures(name: str, values: list[int]) -> str:
    """Say in a line how a sum went."""
    half = len(values) // 2
    return (
        f"| {name} | {max(values)} MB | {sorted(values)[len(values) * 95 // 100]} MB | {median(values[:half])} MB |"
        f" {median(values[half:])} MB | {median(values[-max(len(values) // 8, 1) :])} MB |"
    )


def table(line: list[Sample], rows: int = 24) -> list[str]:
    """Write the line as so many rows."""
    step = max(1, len(line) // rows)
    shown = [*line[::step], line[-1]]
    out = [HEAD, "| ---: | ---: | ---: | ---: | ---: |"]
    for seconds, held in shown:
        rss, pss = ", ".join(str(r) for r, _ in held), ", ".join(str(p) for _, p in held)
        out.append(f"| {seconds / 60:.0f} | {rss} | {pss} | {workers_of(held)} | {whole_of(held)} |")
    return out


def report(asked: argparse.Namespace, line: list[Sample], tally: Tally, told: dict[str, str]) -> str:
    """Write the figures."""
    statuses = ", ".join(f"{status}: {n:,}" for status, n in sorted(tally.statuses.items()))
    return "\n".join(
        [
            "# Memory of the web workers",
            "",
            f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, commit {told['commit']}, {os.cpu_count()} cores, load average before"
            f" {told['load']}. Command: `python -m bench.memory {' '.join(sys.argv[1:])}`; two workers of 8 threads,"
            f" {asked.visitors} visitors, {line[-1][0] / 60:.0f} minutes.",
            "",
            f"{sum(tally.statuses.values()):,} answers ({statuses}), {tally.cut} cut off, {tally.bytes_read / 1e9:.1f} GB read.",
            "",
            "| PSS | most | 95 of 100 samples up to | median of the first half | of the second half | of the last eighth |",
            "| --- | ---: | ---: | ---: | ---: | ---: |",
            figures("both workers", [workers_of(held) for _, held in line]),
            figures("with the process that forked them", [whole_of(held) for _, held in line]),
            "",
            *table(line),
            "",
        ]
    )


def median(values: list[int]) -> int:
    """The middle of some numbers."""
    return sorted(values)[len(values) // 2] if values else 0


def make_site(values: dict[str, str], port: int) -> Site:
    """Fill the tenant, and let a person and a client in."""
    words = ["--tenant", SLUG, "--role", "admin"]
    person = json.loads(manage(values, "add_person", *words, "--username", "walker", "--output", "json"))
    key = json.loads(manage(values, "issue_key", *words, "--name", "memory", "--output", "json"))["key"]
    found = fill(values, SLUG)
    return Site(port, SLUG, key, "walker", person["password"], found.pages, found.runs, found.experiments)


def main() -> int:
    """Start, fill, walk, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=120)
    parser.add_argument("--visitors", type=int, default=6)
    parser.add_argument(
        "--pause",
        type=float,
        default=0,
        metavar="SECONDS",
        help="how long a visitor rests between two acts, on average",
    )
    parser.add_argument("--every", type=float, default=10, metavar="SECONDS")
    parser.add_argument("--out", type=Path, default=RESULTS)
    asked = parser.parse_args()
    head = ["git", "rev-parse", "--short", "HEAD"]
    told = {
        "commit": subprocess.run(head, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip(),
        "load": f"{os.getloadavg()[0]:.1f}",
    }
    with tempfile.TemporaryDirectory(prefix="maestro-memory-") as home:
        servers.create_database("maestro_memory")
        values = environment("maestro_memory", Path(home) / "bytes") | {"PYTHONPATH": str(ROOT)}
        manage(values, "migrate_tenants", "--ensure-tenant", SLUG)
        web = start_web(values, workers=2, threads=8)
        try:
            site = make_site(values, web.port)
            Walker(-1, site, 0.0).bring(FILES)
            until = time.monotonic() + asked.minutes * 60
            walkers = [Walker(number, site, until, asked.pause) for number in range(asked.visitors)]
            for walker in walkers:
                walker.start()
            line = observe(web.process.pid, until=until, every=asked.every)
            for walker in walkers:
                walker.join(180)
        finally:
            web.stop()
    tally = Tally()
    for walker in walkers:
        tally.statuses += walker.tally.statuses
        tally.kinds += walker.tally.kinds
        tally.bytes_read += walker.tally.bytes_read
        tally.cut += walker.tally.cut
    text = report(asked, line, tally, told)
    asked.out.write_text(text)
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
