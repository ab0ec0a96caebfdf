"""Train on public tables and write down what was measured: bench/history/README.md says how and why.

    python -m bench.history.make_history --tracking-uri URI [--projects 180] [--runs 10] [--seed 20]

One line a project goes to the working file as it ends, so an interrupted call goes on where it stopped.
"""

from __future__ import annotations

import argparse
import gzip
import importlib.metadata
import json
import os
import platform
import random
import sys
import time
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from bench.history.bundles import PIECES, draw_bundles, settings_of
from bench.history.fitting import GOALS, measure
from bench.history.recording import Record, Recorder
from bench.history.sources import Source, sources
from bench.history.tables import Choice, Table, categorical_columns, prepare, read_choices

HERE = Path(__file__).parent
FORMAT = 1
LIBRARIES = ("lightgbm", "scikit-learn", "numpy", "pandas", "mlflow-skinny")


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tracking-uri", default=os.environ.get("MLFLOW_TRACKING_URI"), help="any mlflow store")
    parser.add_argument("--projects", type=int, default=180, help="stop after this many projects")
    parser.add_argument("--runs", type=int, default=10, help="runs of one project")
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--working-file", type=Path, default=Path("history.partial.jsonl"))
    parser.add_argument("--output", type=Path, default=HERE / "history.jsonl.gz")
    given = parser.parse_args()
    if not given.tracking_uri:
        parser.error("give --tracking-uri or set MLFLOW_TRACKING_URI")
    return given


def shuffled_choices(seed: int) -> Iterator[tuple[Source, Choice]]:
    """Every chosen table that is installed, in the seed's order."""
    known = {(source.package, source.item): source for source in sources()}
    choices = read_choices(HERE / "chosen.txt")
    random.Random(seed).shuffle(choices)
    for choice in choices:
        yield known[choice.package, choice.item], choice


def traits_of(table: Table) -> set[str]:
    """What an artifact may need of a table before it can act."""
    traits = {"classes" if table.problem == "classification" else "numbers"}
    texts = categorical_columns(table.features)
    if texts:
        traits.add("categories")
    if table.features.drop(columns=texts).isna().to_numpy().any():
        traits.add("holes")
    return traits


def train_project(table: Table, recorder: Recorder, n_runs: int, seed: int) -> dict[str, Any]:
    """All runs of one project. Returns its line of the history."""
    experiment_id = recorder.experiment(table.slug)
    runs = []
    for number, bundle in enumerate(draw_bundles(table.slug, traits_of(table), n_runs, seed), start=1):
        started_ms = int(time.time() * 1000)
        measured = measure(table, settings_of(bundle), seed)
        record = Record(table.slug, f"run-{number:02d}", bundle, started_ms, measured)
        runs.append(recorder.log(record, experiment_id))
    return {
        "project": table.slug,
        "problem": table.problem,
        "goal_metric": GOALS[table.problem],
        "origin": table.origin,
        "facts": table.facts,
        "outcome": outcome(runs, GOALS[table.problem]),
        "runs": runs,
    }


def outcome(runs: list[dict[str, Any]], goal: str) -> dict[str, float]:
    """Success is 100 x the best run's skill over the guess, kept within 0 and 100; time and cost are sums."""
    best = max(runs, key=lambda run: run["metrics"][goal])
    skill = best["metrics"]["skill"]
    return {
        "success": round(100 * min(1.0, max(0.0, skill)), 2),
        "model_performance": best["metrics"][goal],
        "duration_seconds": round(sum(run["metrics"]["wall_seconds"] for run in runs), 3),
        "cost_cpu_seconds": round(sum(run["metrics"]["cpu_seconds"] for run in runs), 3),
    }


def done_before(file: Path) -> dict[str, dict[str, Any]]:
    """Projects of an earlier, interrupted call; a line cut short is left out."""
    found: dict[str, dict[str, Any]] = {}
    if file.exists():
        for line in file.read_text().splitlines():
            try:
                project = json.loads(line)
            except json.JSONDecodeError:
                continue
            found[project["project"]] = project
    return found


def head_of(seed: int) -> dict[str, Any]:
    """The first line of the history: how it was made, and the artifacts in use."""
    return {
        "format": FORMAT,
        "seed": seed,
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "libraries": {name: importlib.metadata.version(name) for name in LIBRARIES},
        "artifacts": [
            {"name": one.name, "kind": one.kind, "about": one.about, "versions": list(one.versions)} for one in PIECES
        ],
    }


def write_history(lines: list[dict[str, Any]], file: Path) -> None:
    """The compact file; the same lines give the same bytes."""
    text = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
    file.write_bytes(gzip.compress(text.encode(), compresslevel=9, mtime=0))


def make(given: argparse.Namespace) -> list[dict[str, Any]]:
    """Train what the working file lacks. Returns every project in the seed's order."""
    recorder, found = Recorder(given.tracking_uri), done_before(given.working_file)
    projects: dict[str, dict[str, Any]] = {}
    for source, choice in shuffled_choices(given.seed):
        if len(projects) == given.projects:
            break
        try:
            table = prepare(source, choice, given.seed)
            if table.slug not in found:
                found[table.slug] = train_project(table, recorder, given.runs, given.seed)
                with given.working_file.open("a") as working:
                    working.write(json.dumps(found[table.slug]) + "\n")
        except ValueError as reason:
            print(f"left out {source.slug}: {reason}", file=sys.stderr)
            continue
        project = projects[table.slug] = found[table.slug]
        spent, success = project["outcome"]["duration_seconds"], project["outcome"]["success"]
        print(
            f"{len(projects)}/{given.projects} {table.slug} {table.problem}: {len(project['runs'])} runs,"
            f" {spent:.1f} s, success {success:.0f}",
            flush=True,
        )
    return list(projects.values())


def main() -> None:
    """Make the history, on one thread."""
    warnings.simplefilter("ignore")
    given = arguments()
    with threadpool_limits(1):
        projects = make(given)
    write_history([head_of(given.seed), *projects], given.output)
    n_runs = sum(len(project["runs"]) for project in projects)
    print(f"{len(projects)} projects, {n_runs} runs, {given.output.stat().st_size:,} bytes: {given.output}")


if __name__ == "__main__":
    main()
