"""Recommendations room: answer case folders through the functions that serve tenants. Pure.

Each row of the answer says what the product would have shown: an artifact's score for a project, a
forecast with its 80 % interval, an effect with its 90 % interval, or a refusal without a number.
"""

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from apps.recommendations.cases.files import read_forecast, read_impact, read_ranking, read_task
from apps.recommendations.estimators.forecasting import predict, train_forecast
from apps.recommendations.estimators.impact import estimate_impact
from apps.recommendations.estimators.ranking import rank, train_ranker

KINDS = ("reco", "predict", "impact")
HEADER = ("case_id", "project_id", "artifact_id", "value", "lo", "hi", "status")
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class Answer:
    """One row of a backtest's output."""

    case_id: str
    project_id: str
    artifact_id: str
    value: float | None
    lo: float | None
    hi: float | None
    status: str

    def cells(self) -> tuple[str, ...]:
        """The row as text; a refusal has empty numbers."""
        numbers = ("" if number is None else repr(float(number)) for number in (self.value, self.lo, self.hi))
        return (self.case_id, self.project_id, self.artifact_id, *numbers, self.status)


def list_cases(folder: Path, *, only: str | None = None) -> list[Path]:
    """The case folders below `folder` (or below its `cases`), of one kind or of all."""
    root = folder / "cases" if (folder / "cases").is_dir() else folder
    kinds = (only,) if only else KINDS
    return sorted(path for path in root.iterdir() if path.is_dir() and path.name.split("-")[0] in kinds)


def run_cases(folder: Path, output: Path, progress: Progress | None = None, *, only: str | None = None) -> int:
    """Answer every case into one CSV file; returns how many cases. Raises OSError on a missing file."""
    cases = list_cases(folder, only=only)
    with output.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        for number, case in enumerate(cases, start=1):
            if progress:
                progress(number, len(cases), case.name)
            writer.writerows(answer.cells() for answer in answer_case(case))
    return len(cases)


def answer_case(case: Path) -> Iterator[Answer]:
    """What the product would have shown for one case."""
    kind = case.name.split("-")[0]
    if kind == "reco":
        return _ranked(case)
    return _forecast(case) if kind == "predict" else _effects(case)


def _effects(case: Path) -> Iterator[Answer]:
    task = read_task(case)
    for effect in estimate_impact(read_impact(case, task), level=task.level).effects:
        yield Answer(case.name, "", effect.artifact, effect.effect, effect.lo, effect.hi, effect.verdict.status)


def _forecast(case: Path) -> Iterator[Answer]:
    task = read_task(case)
    data, table, ids = read_forecast(case, task)
    forecast = train_forecast(data, level=task.level)
    for row, shown in zip(ids, predict(forecast, table), strict=True):
        yield Answer(case.name, row, "", shown.value, shown.lo, shown.hi, shown.verdict.status)


def _ranked(case: Path) -> Iterator[Answer]:
    data, queries = read_ranking(case)
    ranker = train_ranker(data)
    seen: dict[str, dict[str, float]] = {project: {} for project in queries}
    for project, artifact, outcome in zip(data.projects, data.artifacts, data.outcome.tolist(), strict=True):
        if project in seen:
            seen[project][artifact] = outcome
    for project in queries:
        ranking = rank(ranker, seen[project], project=project)
        if ranking.verdict.is_refused:
            yield Answer(case.name, project, "", None, None, None, "refused")
        for advice in ranking.advice:
            yield Answer(case.name, project, advice.artifact, advice.score, None, None, ranking.verdict.status)
