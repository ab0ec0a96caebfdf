"""The bench's own: scenarios against several servers in turn, so that a slow minute hits all of them alike."""

import json
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from bench.load.targets import Target

Row = dict[str, Any]
Found = dict[str, dict[str, list[Row]]]
# The harness's options for a scenario: long enough for the clock's ticks of 10 ms, short enough for many rounds.
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
# The original takes up to a hundred times as long; it gets fewer operations for the same time on the clock.
SLOWER: dict[str, list[str]] = {
    "log-batch-1000": ["--ops", "8"],
    "log-metric": ["--ops", "40"],
    "ci-job": ["--ops", "10"],
    "search-filter": ["--ops", "6"],
    "search-page": ["--ops", "4"],
    "history-page": ["--ops", "4"],
    "history-bulk": ["--ops", "6"],
    "ping": ["--ops", "60"],
}
# Before a scenario is measured each server answers it some times: worker processes load what they load at the first
# history, sessions plan their statements. More clients than workers, so that every worker is met.
WARM = {"maestro": ["--clients", "8", "--ops", "12"], "mlflow": ["--clients", "4", "--ops", "1"]}
LIMITS = {
    "log-batch-1000": "copy, one index",
    "log-metric": "single + latest",
    "ci-job": "ci job",
    "search-filter": "search filter",
    "search-page": "search page",
    "history-page": "history page",
    "history-bulk": "history sample",
}


def run(command: Sequence[str], what: str) -> Row | None:
    """Run a program that ends with one JSON object; None, said aloud, if it could not."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=1800)
    try:
        return dict(json.loads(done.stdout))
    except json.JSONDecodeError:
        print(f"bench: {what} failed: {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr, flush=True)
        return None


def measure(harness: Path, target: Target, scenario: str, *, postgres: int, extra: Iterable[str] = ()) -> Row | None:
    """Run one scenario against one target."""
    if not target.url:
        return measure_limit(harness, target, scenario, postgres)
    command = [sys.executable, str(harness / "mlflow_load.py"), "--url", target.url, "--scenario", scenario]
    command += ["--server-pid", str(target.pid), "--pg-pid", str(postgres), "--label", target.name]
    command += ["--token", target.token] if target.token else []
    return run([*command, *extra], f"{target.name} {scenario}")


def measure_limit(harness: Path, target: Target, scenario: str, postgres: int) -> Row | None:
    """Ask Postgres itself for the same rows."""
    if scenario not in LIMITS:
        return None
    command = [sys.executable, str(harness / "pg_limit.py"), "--pg-dsn", target.dsn, "--keep"]
    command += ["--case", LIMITS[scenario], "--pg-pid", str(postgres)]
    return run(command, f"{target.name} {scenario}")


def warm(harness: Path, target: Target, scenario: str, *, postgres: int, extra: Iterable[str] = ()) -> None:
    """Have a server answer a scenario some times, so that what it costs a new session is not measured."""
    if target.name in WARM:
        measure(harness, target, scenario, postgres=postgres, extra=[*extra, *WARM[target.name]])


def rounds(
    harness: Path, targets: Sequence[Target], scenarios: Iterable[str], *, postgres: int, times: int, extra: list[str]
) -> Found:
    """Measure each scenario so many times, the targets in turn and every second round backwards."""
    found: Found = {}
    for scenario in scenarios:
        by_name: dict[str, list[Row]] = {target.name: [] for target in targets}
        for target in targets:
            warm(harness, target, scenario, postgres=postgres, extra=extra)
        for number in range(times):
            for target in targets[:: -1 if number % 2 else 1]:
                own = SLOWER.get(scenario, []) if target.name == "mlflow" else SCENARIOS[scenario]
                row = measure(harness, target, scenario, postgres=postgres, extra=[*own, *extra])
                if row is not None:
                    by_name[target.name].append(row | {"round": number})
        found[scenario] = by_name
        say(scenario, by_name)
    return found


def say(scenario: str, by_name: dict[str, list[Row]]) -> None:
    """Show how far it is."""
    seen = ", ".join(f"{name} {cpu(rows):.2f} ms" for name, rows in by_name.items() if rows)
    print(f"bench: {scenario}: {seen}", file=sys.stderr, flush=True)


def cpu_of(row: Row) -> float:
    """CPU milliseconds an operation: server and Postgres."""
    return float(row.get("server_cpu_ms_per_op") or 0.0) + float(row.get("pg_cpu_ms_per_op") or 0.0)


def cpu(rows: Sequence[Row]) -> float:
    """The median of the rounds."""
    return median(cpu_of(row) for row in rows)


def ratio(mine: Sequence[Row], others: Sequence[Row], key: str) -> float | None:
    """How many times `others` is of `mine`, as the median of the ratios within each round."""
    theirs = {row["round"]: value(row, key) for row in others}
    found = [theirs[row["round"]] / value(row, key) for row in mine if row["round"] in theirs and value(row, key)]
    return median(found) if found else None


def value(row: Row, key: str) -> float:
    """One figure of a row; `cpu` is server and Postgres together."""
    return cpu_of(row) if key == "cpu" else float(row[key])
