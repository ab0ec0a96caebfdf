"""Recommendations room: case folders of CSV files -> the data the estimators take. Pure.

A case folder holds one tenant's history as plain files; what its id starts with says what is asked:
  reco     projects.csv artifacts.csv usages.csv queries.csv
  predict  train.csv test.csv task.json
  impact   projects.csv artifacts.csv usages.csv task.json
"""

import csv
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from apps.recommendations.estimators.data import ForecastData, ImpactData
from apps.recommendations.estimators.ranking import RankingData
from apps.recommendations.estimators.tables import Floats, Table, table_from_columns

csv.field_size_limit(1 << 24)


@dataclass(frozen=True, slots=True)
class Sheet:
    """A CSV file by column."""

    columns: dict[str, list[str]]
    rows: int

    def numbers(self, name: str) -> Floats:
        """The column as floats; what is not a number is NaN."""
        return np.array([_number(cell) for cell in self.columns[name]], dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Task:
    """What a case asks for."""

    target: str
    unit: str
    level: float
    group: str | None


def read_sheet(path: Path) -> Sheet:
    """Read one file. Raises OSError if it is not there."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    header, body = (rows[0], rows[1:]) if rows else ([], [])
    columns = {name: [row[k] if k < len(row) else "" for row in body] for k, name in enumerate(header)}
    return Sheet(columns, len(body))


def read_task(folder: Path) -> Task:
    """Read task.json."""
    stored = json.loads((folder / "task.json").read_text(encoding="utf-8"))
    return Task(stored["target"], stored["unit"], float(stored["level"]), stored.get("group"))


def read_impact(folder: Path, task: Task) -> ImpactData:
    """Projects with an outcome; every other column of projects.csv was known before the choice."""
    projects, usages = read_sheet(folder / "projects.csv"), read_sheet(folder / "usages.csv")
    keys, artifacts = projects.columns["project_id"], read_sheet(folder / "artifacts.csv").columns["artifact_id"]
    clusters = projects.columns.get("team", keys)
    usage = np.zeros((len(keys), len(artifacts)))
    rows, columns = _places(keys), _places(artifacts)
    for project, artifact in zip(usages.columns["project_id"], usages.columns["artifact_id"], strict=True):
        if project in rows and artifact in columns:
            usage[rows[project], columns[artifact]] = 1.0
    covariates = _table([projects], without={"project_id", "team", task.target})
    return ImpactData(tuple(keys), tuple(clusters), projects.numbers(task.target), usage, tuple(artifacts), covariates)


def read_forecast(folder: Path, task: Task) -> tuple[ForecastData, Table, list[str]]:
    """Training rows, the rows to predict and their ids. Columns are typed over both files."""
    train, test = read_sheet(folder / "train.csv"), read_sheet(folder / "test.csv")
    ids = test.columns.pop("row_id")
    target = train.numbers(task.target)
    table = _table([train, test], without={task.target} | ({task.group} if task.group else set()))
    keys = tuple(f"{row:08d}" for row in range(train.rows))
    groups = tuple(train.columns[task.group]) if task.group else keys
    both = np.arange(train.rows + test.rows)
    known = table.take(both[: train.rows])
    return ForecastData(keys, groups, target, None, known, task.unit), table.take(both[train.rows :]), ids


def read_ranking(folder: Path) -> tuple[RankingData, list[str]]:
    """History with the runs already seen on the queried projects, and those projects."""
    artifacts, usages = read_sheet(folder / "artifacts.csv"), read_sheet(folder / "usages.csv")
    catalogue = tuple(artifacts.columns["artifact_id"])
    families = artifacts.columns.get("family", [""] * len(catalogue))
    facts = _table([artifacts], without={"artifact_id", "family", "tenant"})
    data = RankingData(
        tuple(usages.columns["project_id"]),
        tuple(usages.columns["artifact_id"]),
        usages.numbers("success"),
        catalogue,
        tuple(families),
        facts,
    )
    return data, read_sheet(folder / "queries.csv").columns["project_id"]


def _table(sheets: Sequence[Sheet], *, without: set[str]) -> Table:
    names = [name for name in sheets[0].columns if name not in without]
    rows = sum(sheet.rows for sheet in sheets)
    columns = {name: [c for s in sheets for c in s.columns.get(name, [""] * s.rows)] for name in names}
    return table_from_columns(columns, rows=rows)


def _places(names: Sequence[str]) -> dict[str, int]:
    return {name: place for place, name in enumerate(names)}


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return math.nan
