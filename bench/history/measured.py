"""The history file, and its projects in the words of Maestro's API.

Bench, not product. Standard library only.
"""

from __future__ import annotations

import gzip
import json
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from api_client import Json, StoppedError

LARGEST_TABLE_CELLS = 3000 * 60


@dataclass
class History:
    """The file: how it was made, and the projects."""

    head: Json
    projects: list[Json]

    @property
    def n_runs(self) -> int:
        """Count the runs of all projects."""
        return sum(len(project["runs"]) for project in self.projects)


def read_history(file: Path, limit: int | None) -> History:
    """Read the compact file. Raises StoppedError if it is missing or damaged."""
    try:
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            head, *projects = [json.loads(line) for line in lines]
    except (OSError, EOFError, ValueError) as broken:
        raise StoppedError(f"{file} cannot be read: {broken}", 2) from broken
    return History(head, projects[:limit])


def facts_of(project: Json) -> Json:
    """What was known of a project before its first run, and when it ran."""
    origin, facts, runs = project["origin"], project["facts"], project["runs"]
    cells = facts["n_rows_used"] * facts["n_features"]
    return {
        "name": f"{origin['table']}: {origin['target']}",
        "description": f"Table {origin['table']} of the package {origin['package']} {origin['version']}.",
        "problem_class": project["problem"],
        "complexity": max(1, min(100, round(100 * math.log(cells) / math.log(LARGEST_TABLE_CELLS)))),
        "dataset_facts": facts,
        "goal_metric": project["goal_metric"],
        "goal_maximize": True,
        "starts_at": moment(min(run["started_ms"] for run in runs)),
        "ends_at": moment(max(run["ended_ms"] for run in runs)),
        "labels": origin | {"cost_unit": "CPU seconds", "measured_by": "bench/history"},
    }


def usages_of(run: Json, run_id: str) -> list[Json]:
    """What a run used, for the usages door."""
    mentions = (use.split("@") for use in run["uses"].split(", ") if use)
    at = moment(run["started_ms"])
    return [{"artifact": name, "version": version, "run": run_id, "at": at} for name, version in mentions]


def moment(ms: int) -> str:
    """Write epoch milliseconds as an ISO time in UTC."""
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat()
