"""`python -m bench.load --harness FOLDER`: run a load harness against a Maestro of our own and write the table.

It needs the embedded servers (`python -m maestro.embedded servers`, or a demo that runs) and a harness: a folder
with mlflow_load.py and pg_limit.py, which print one JSON object a scenario. It starts its own web server beside
them, in a tenant named bench that it makes, and ends it afterwards.
"""

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
TENANT = "bench"
RESULTS = ROOT / "bench" / "results" / "load.md"
SCENARIOS: dict[str, list[str]] = {
    "ping": [],
    "log-batch-1000": [],
    "log-metric": [],
    "ci-job": [],
    "search-filter": [],
    "search-page": [],
    "history-page": [],
    "history-bulk": [],
}
# CPU milliseconds of server and Postgres for one operation that docs promise; an operation is a request or a job.
BUDGETS = {
    "log-batch-1000": 6.0,
    "log-metric": 1.8,
    "ci-job": 5.5,
    "search-filter": 8.0,
    "search-page": 25.0,
    "history-page": 12.0,
    "history-bulk": 25.0,
}
LIMITS = {
    "log-batch-1000": "copy, one index",
    "log-metric": "single + latest",
    "ci-job": "ci job",
    "search-filter": "search filter",
    "search-page": "search page",
    "history-page": "history page",
    "history-bulk": "history sample",
}


@dataclass(frozen=True)
class Target:
    """A server to measure."""

    name: str
    url: str
    token: str
    pid: int


def read_env(home: Path) -> dict[str, str]:
    """Read the addresses of the embedded servers."""
    lines = (home / "server.env").read_text().splitlines()
    return dict(line.partition("=")[::2] for line in lines if "=" in line)


def manage(*arguments: str, or_code: int = 0) -> dict[str, Any]:
    """Run one of our commands; `or_code` is an exit code that will do as well."""
    command = [sys.executable, str(ROOT / "manage.py"), *arguments, "--output", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    if done.returncode not in {0, or_code}:
        raise SystemExit(f"bench: {' '.join(arguments)} failed: {done.stderr.strip().splitlines()[-1:]}")
    return dict(json.loads(done.stdout)) if done.returncode == 0 else {}


def answers(url: str) -> bool:
    """Say whether a server answers."""
    try:
        urllib.request.urlopen(url + "/livez", timeout=2).close()
    except OSError:
        return False
    return True


@contextmanager
def maestro(port: int, workers: int) -> Iterator[Target]:
    """Start a web server with a tenant and a key; end it afterwards."""
    url = f"http://127.0.0.1:{port}"
    if answers(url):
        raise SystemExit(f"bench: port {port} is taken; choose another with --port")
    manage("migrate_tenants")
    manage("create_tenant", TENANT, or_code=5)  # it is there already
    token = manage("issue_key", "--tenant", TENANT, "--role", "contributor", "--name", "bench", "--days", "1")["key"]
    command = [sys.executable, "-m", "granian", "--interface", "wsgi", "config.wsgi:application", "--no-ws"]
    command += ["--host", "127.0.0.1", "--port", str(port), "--workers", str(workers), "--blocking-threads", "8"]
    command += ["--log-level", "error"]
    process = subprocess.Popen(command, cwd=ROOT, env=os.environ | {"MAESTRO_RATE_KEY": "0"})
    try:
        deadline = time.monotonic() + 60
        while not answers(url):
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit("bench: the web server did not start")
            time.sleep(0.1)
        yield Target("maestro", url, token, process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def measure(harness: Path, target: Target, scenario: str, extra: list[str]) -> dict[str, Any] | None:
    """Run one scenario; None if the harness could not."""
    command = [sys.executable, str(harness / "mlflow_load.py"), "--url", target.url, "--scenario", scenario]
    command += ["--server-pid", str(target.pid), "--label", target.name, *extra]
    command += ["--token", target.token] if target.token else []
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=1800)
    if done.returncode:
        print(f"{target.name} {scenario}: {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
        return None
    return dict(json.loads(done.stdout))


def measure_limit(harness: Path, dsn: str, postgres: int, scenario: str) -> dict[str, Any] | None:
    """Ask Postgres itself for the same rows."""
    if scenario not in LIMITS:
        return None
    command = [sys.executable, str(harness / "pg_limit.py"), "--pg-dsn", dsn, "--keep", "--case", LIMITS[scenario]]
    done = subprocess.run([*command, "--pg-pid", str(postgres)], capture_output=True, text=True, check=False)
    return dict(json.loads(done.stdout.splitlines()[-1])) if done.returncode == 0 else None


def cpu_of(rows: list[dict[str, Any]]) -> float:
    """Median CPU milliseconds an operation: server and Postgres."""
    return median(row.get("server_cpu_ms_per_op", 0.0) + (row.get("pg_cpu_ms_per_op") or 0.0) for row in rows)


def table(found: dict[str, dict[str, list[dict[str, Any]]]]) -> Iterator[str]:
    """Write the results as Markdown."""
    yield "| scenario | server | CPU ms an operation (server + Postgres) | budget | units/s | p50 ms | errors |"
    yield "|---|---|---|---|---|---|---|"
    for scenario, targets in found.items():
        for name, rows in targets.items():
            budget = str(BUDGETS.get(scenario, "–")) if name == "maestro" else ""
            errors = sum(row.get("errors", 0) for row in rows)
            speed, p50 = median(row["units_per_s"] for row in rows), median(row["p50_ms"] for row in rows)
            yield f"| {scenario} | {name} | {cpu_of(rows):.2f} | {budget} | {speed:,.0f} | {p50:.1f} | {errors} |"


def machine(load_before: float) -> Iterator[str]:
    """Describe where and when this was measured."""
    cpu = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line), "unknown")
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False, cwd=ROOT
    )
    yield f"- {time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime())}, commit {commit.stdout.strip()}"
    yield f"- {os.cpu_count()} cores,{cpu.partition(':')[2]}, Linux {platform.release()}, Python {platform.python_version()}"
    yield f"- load average over one minute: {load_before:.1f} before, {os.getloadavg()[0]:.1f} after"


def options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--harness", type=Path, required=True, help="folder of mlflow_load.py and pg_limit.py")
    parser.add_argument("--home", type=Path, default=Path(os.environ.get("MAESTRO_HOME", ROOT / ".maestro")))
    parser.add_argument("--port", type=int, default=8777)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scenario", action="append", choices=SCENARIOS)
    parser.add_argument("--limit-dsn", help="an empty database of a superuser on the same server: adds the limit")
    parser.add_argument("--beside", help="name,url,pid of another server that runs, for the same scenarios")
    parser.add_argument("--fill", action="store_true", help="fill the search corpus of 10,000 runs first")
    parser.add_argument("--out", type=Path, default=RESULTS)
    return parser.parse_args()


def main() -> None:
    """Measure and write."""
    asked = options()
    os.environ["MAESTRO_HOME"] = str(asked.home)
    read_env(asked.home)
    postgres = int((asked.home / "postgres" / "postmaster.pid").read_text().split()[0])
    found: dict[str, dict[str, list[dict[str, Any]]]] = {}
    load_before = os.getloadavg()[0]
    with maestro(asked.port, asked.workers) as target:
        targets = [target]
        if asked.beside:
            name, url, pid = asked.beside.split(",")
            targets.append(Target(name, url, "", int(pid)))
        if asked.fill:
            for each in targets:
                measure(asked.harness, each, "search-load", ["--max-seconds", "900"])
        for scenario in asked.scenario or SCENARIOS:
            for _ in range(asked.rounds):
                for each in targets:
                    keep(
                        found, scenario, each.name, measure(asked.harness, each, scenario, ["--pg-pid", str(postgres)])
                    )
                if asked.limit_dsn:
                    keep(found, scenario, "limit", measure_limit(asked.harness, asked.limit_dsn, postgres, scenario))
    text = ["# Load", "", "Written by `make bench-load`. CPU first: wall clock is noise on a shared machine.", ""]
    text += [*machine(load_before), f"- {asked.rounds} rounds, medians", "", *table(found), ""]
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    asked.out.write_text("\n".join(text))
    print("\n".join(text))


def keep(
    found: dict[str, dict[str, list[dict[str, Any]]]], scenario: str, name: str, row: dict[str, Any] | None
) -> None:
    """Add one result."""
    if row is not None:
        found.setdefault(scenario, {}).setdefault(name, []).append(row)


if __name__ == "__main__":
    main()
