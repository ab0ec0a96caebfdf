"""The recommendations room: the rows of a tenant's past, as the estimators' tables are made of. Pure.

A ProjectRow separates what was known before anything was chosen (`known`) from what came of it. What is a
consequence never enters `known`: the project's own model performance, CI figures, reuse, outcome.
"""

import hashlib
import json
import math
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

MOST_FACTS = 60
FACT_CHARS = 100
LONGEST_RECORD = 200
TARGETS = ("success", "duration", "cost", "effort")


@dataclass(frozen=True, slots=True)
class ProjectRow:
    """One project.

    slug   what estimators know it by: equal projects give equal results, whatever ids their rows drew
    Units  actual and planned: success in points, duration in days, cost as recorded, effort in hours
    """

    id: UUID
    slug: str
    name: str
    team: str
    problem_class: str
    began: datetime
    ended: datetime | None
    is_open: bool
    team_size: float | None
    known: Mapping[str, Any]
    actual: Mapping[str, float | None]
    planned: Mapping[str, float | None]
    used: frozenset[UUID]


@dataclass(frozen=True, slots=True)
class RunRow:
    """One finished run with its goal metric, turned so that more is better; `slug` is its project's."""

    id: UUID
    project: UUID
    slug: str
    value: float
    start_ms: int
    used: frozenset[UUID]


@dataclass(frozen=True, slots=True)
class ArtifactRow:
    """One artifact that some project or run used."""

    id: UUID
    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class History:
    """All of it, as the database held it at one moment. Rows are in the order of their ids."""

    projects: tuple[ProjectRow, ...]
    runs: tuple[RunRow, ...]
    artifacts: tuple[ArtifactRow, ...]
    at: datetime
    sql_ms: int
    counts: Mapping[str, int] = field(default_factory=dict)

    @property
    def finished(self) -> tuple[ProjectRow, ...]:
        """Projects whose success is known."""
        return tuple(row for row in self.projects if row.actual["success"] is not None)

    @property
    def open(self) -> tuple[ProjectRow, ...]:
        """Projects that may still be advised."""
        return tuple(row for row in self.projects if row.is_open)


def digest_of(history: History) -> str:
    """sha256 over the canonical rows: equal rows, equal digest, whatever order the database gave them in."""
    sha = hashlib.sha256()
    for row in history.projects:
        sha.update(
            canonical(
                (
                    "project",
                    row.id,
                    row.slug,
                    row.team,
                    row.problem_class,
                    row.began,
                    row.ended,
                    row.is_open,
                    row.known,
                    row.actual,
                    row.planned,
                    row.used,
                )
            )
        )
    for run in history.runs:
        sha.update(canonical(("run", run.id, run.project, run.value, run.start_ms, run.used)))
    for artifact in history.artifacts:
        sha.update(canonical(("artifact", artifact.id, artifact.name, artifact.kind)))
    return sha.hexdigest()


def canonical(values: Sequence[Any]) -> bytes:
    """One row as a line of JSON with sorted keys and sets."""
    return json.dumps(values, sort_keys=True, default=plain, separators=(",", ":")).encode() + b"\n"


def plain(value: Any) -> Any:
    """Write what JSON lacks."""
    if isinstance(value, frozenset):
        return sorted(str(item) for item in value)
    return value.isoformat() if isinstance(value, datetime) else str(value)


def kept_facts(facts: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    """Choose the facts that most projects have: a name that one project invented tells nothing about others."""
    counts: dict[str, int] = {}
    for one in facts:
        for name in one:
            counts[name] = counts.get(name, 0) + 1
    return frozenset(sorted(counts, key=lambda name: (-counts[name], name))[:MOST_FACTS])


def plain_facts(facts: Any, kept: frozenset[str]) -> dict[str, Any]:
    """A project's dataset facts: numbers, truth values and short text, under `facts.`."""
    if not isinstance(facts, dict):
        return {}
    return {
        f"facts.{name}": value[:FACT_CHARS] if isinstance(value, str) else value
        for name, value in sorted(facts.items())
        if name in kept and isinstance(value, bool | int | float | str)
    }


def quarter_of(at: datetime) -> int:
    """Number the quarter that a moment lies in."""
    return at.year * 4 + (at.month - 1) // 3


@dataclass(frozen=True, slots=True, order=True)
class Ending:
    """A finished project as its people's record."""

    at: datetime
    project: UUID
    success: float


def past_of(records: Iterable[Sequence[Ending]], project: UUID, began: datetime) -> tuple[float | None, int]:
    """The mean success and the number of projects that these people finished before a project began.

    Each record is in the order of time; the latest LONGEST_RECORD of each person count, and never the project itself.
    """
    seen: dict[UUID, float] = {}
    for record in records:
        before = bisect_left(record, began, key=lambda one: one.at)
        seen |= {one.project: one.success for one in record[max(0, before - LONGEST_RECORD) : before]}
    seen.pop(project, None)
    return (math.fsum(seen.values()) / len(seen) if seen else None), len(seen)
