"""The recommendations room: what a training has found, before it is written. Loads LightGBM: never in a web process."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from apps.recommendations.estimators import minimum_data
from apps.recommendations.estimators.impact import Effect, ImpactResult, estimate_impact
from apps.recommendations.estimators.run_impact import estimate_run_impact
from apps.recommendations.estimators.verdicts import GAIN_LEVEL, Verdict
from apps.recommendations.past.arrays import of_class, project_data, run_data
from apps.recommendations.past.history import ArtifactRow, History, ProjectRow, RunRow
from apps.recommendations.training.holdout import NO_RIVAL, Losses, Rival, project_losses, run_losses, split

LEVEL = GAIN_LEVEL
MOST_EVIDENCE = 50
METHODS = {
    "project": "joint cross-fitted double ML on LightGBM and ridge nuisances, empirical Bayes",
    "run": "runs centred within their project, joint cross-fitted double ML, clustered by project, empirical Bayes",
}
Report = Callable[[float, str], None]


@dataclass(frozen=True, slots=True)
class Judged:
    """A backtest: the losses of the candidate's earlier self, and how to judge a stored model on the same projects.

    rival   the model that serves, if it has seen none of the tested projects; else nothing, and it can't be compared
    """

    losses: Losses
    judge: Callable[[Mapping[str, Any]], Losses]
    trained: int
    tested: int
    rival: str = ""
    tested_ids: frozenset[UUID] = frozenset()


# Artifact -> the projects that used it.
Users = Mapping[str, list[str]]


@dataclass(frozen=True, slots=True)
class ImpactFinding:
    """Effects of one unit, for all classes together and for each class that has enough.

    classes   project -> its problem class, for the projects that it rests on
    """

    unit: str
    results: Mapping[str, ImpactResult]
    judged: Judged | None
    why_not_judged: str
    fit_ms: int
    users: Mapping[str, Users]
    projects: tuple[UUID, ...] = ()
    classes: Mapping[str, str] = field(default_factory=dict)

    def used_by_class(self, users: Iterable[str]) -> dict[str, int]:
        """Of the projects that used an artifact, how many there are of each problem class."""
        return dict(sorted(Counter(self.classes[project] for project in users).items()))

    @property
    def whole(self) -> ImpactResult:
        """The result over all classes."""
        return self.results[""]

    @property
    def verdict(self) -> Verdict:
        """May it speak at all."""
        return self.whole.verdict

    def to_json(self) -> dict[str, Any]:
        """The model as text: every estimate that was not refused, enough to judge it again."""
        return {
            "unit": self.unit,
            "level": LEVEL,
            "projects": [str(one) for one in self.projects],
            "effects": {
                name: {effect.artifact: [effect.effect, effect.lo, effect.hi] for effect in shown(result)}
                for name, result in self.results.items()
            },
        }


@dataclass(slots=True)
class Meter:
    """How far a training is: parts that take unlike time, one number for people."""

    report: Report
    total: float
    done: float = 0.0
    step: str = ""
    parts: dict[str, float] = field(default_factory=dict)

    def part(self, weight: float, step: str) -> Callable[[float, str], None]:
        """Begin a part; returns what the estimators call."""
        begun = self.done
        self.done += weight
        self.report(begun / self.total, step)
        return lambda share, _: self.report((begun + share * weight) / self.total, step)


def shown(result: ImpactResult) -> Iterator[Effect]:
    """The effects that were not refused."""
    return (effect for effect in result.effects if not effect.verdict.is_refused)


def effects_of(result: ImpactResult) -> dict[str, float]:
    """Artifact -> effect, for those that were not refused."""
    return {effect.artifact: float(effect.effect) for effect in shown(result) if effect.effect is not None}


def stored_effects(stored: Mapping[str, Any]) -> dict[str, float]:
    """Artifact -> effect, of a stored model over all classes."""
    return {name: float(values[0]) for name, values in stored["effects"][""].items()}


def find_project_impact(history: History, *, seed: int, meter: Meter, rival: Rival = NO_RIVAL) -> ImpactFinding:
    """The finished project as the unit."""
    started = time.perf_counter()
    whole, _ = of_class(history, "")
    tell = meter.part(3.0, "impact by finished projects")
    results = {"": estimate_impact(project_data(whole, history.artifacts), level=LEVEL, seed=seed, progress=tell)}
    if not results[""].verdict.is_refused:
        for name in classes_of(whole, minimum_data.IMPACT_PROJECTS):
            some, _ = of_class(history, name)
            results[name] = estimate_impact(project_data(some, history.artifacts), level=LEVEL, seed=seed)
    judged, why = judge_projects((whole, rival), history.artifacts, results[""], seed=seed, meter=meter)
    users = {name: users_of((row.id, row.used) for row in of_class(history, name)[0]) for name in results}
    return ImpactFinding("project", results, judged, why, elapsed_ms(started), users, ids_of(whole), named(whole))


def judge_projects(
    contest: tuple[Sequence[ProjectRow], Rival],
    artifacts: Sequence[ArtifactRow],
    result: ImpactResult,
    *,
    seed: int,
    meter: Meter,
) -> tuple[Judged | None, str]:
    """Estimate on the earlier projects, judge on the later ones."""
    tell = meter.part(3.0, "backtest of impact by finished projects")
    earlier, later, rival = split(*contest)
    if result.verdict.is_refused or not later:
        return None, "there are too few projects to hold some back"
    train, test = project_data(earlier, artifacts), project_data(later, artifacts)
    before = estimate_impact(train, level=LEVEL, seed=seed, draws=draws_against(rival), progress=tell)
    if before.verdict.is_refused:
        return None, f"before the tested quarter: {before.verdict.reason}"

    def judge(stored: Mapping[str, Any]) -> Losses:
        return project_losses(train, test, stored_effects(stored))

    losses = project_losses(train, test, effects_of(before))
    return Judged(losses, judge, len(earlier), len(later), rival, frozenset(ids_of(later))), ""


def draws_against(rival: str) -> int | None:
    """Dealings of folds in a backtest: one, but against the model that serves as many as that one had.

    On equal projects the two are then the same function; with fewer dealings chance alone would tell them apart.
    """
    return None if rival else 1


def find_run_impact(history: History, *, seed: int, meter: Meter, rival: Rival = NO_RIVAL) -> ImpactFinding:
    """The run within its project as the unit."""
    started = time.perf_counter()
    projects, runs = list(history.projects), list(history.runs)
    tell = meter.part(3.0, "impact by runs within projects")
    if not runs:
        nothing = ImpactResult("run", minimum_data.run_impact(0, 0), LEVEL, 0, 0, ())
        return ImpactFinding("run", {"": nothing}, None, "there are no runs", elapsed_ms(started), {})
    results = {"": estimate_run_impact(run_data(runs, history.artifacts), level=LEVEL, seed=seed, progress=tell)}
    if not results[""].verdict.is_refused:
        for name in classes_of(projects, minimum_data.RUN_PROJECTS):
            _, some = of_class(history, name)
            results[name] = estimate_run_impact(run_data(some, history.artifacts), level=LEVEL, seed=seed)
    judged, why = judge_runs(history, results[""], rival=rival, seed=seed, meter=meter)
    users = {name: users_of((run.project, run.used) for run in of_class(history, name)[1]) for name in results}
    based = with_runs(history)
    return ImpactFinding("run", results, judged, why, elapsed_ms(started), users, ids_of(based), named(based))


def judge_runs(
    history: History, result: ImpactResult, *, rival: Rival, seed: int, meter: Meter
) -> tuple[Judged | None, str]:
    """Estimate on the runs of earlier projects, judge on those of later ones."""
    tell = meter.part(3.0, "backtest of impact by runs")
    earlier, later, unseen_by = split(with_runs(history), rival)
    if result.verdict.is_refused or not later:
        return None, "there are too few projects to hold some back"
    before, after = (runs_of(history.runs, rows) for rows in (earlier, later))
    data = run_data(before, history.artifacts)
    first = estimate_run_impact(data, level=LEVEL, seed=seed, draws=draws_against(unseen_by), progress=tell)
    if first.verdict.is_refused:
        return None, f"before the tested quarter: {first.verdict.reason}"
    test = run_data(after, history.artifacts)

    def judge(stored: Mapping[str, Any]) -> Losses:
        return run_losses(test, stored_effects(stored))

    losses = run_losses(test, effects_of(first))
    return Judged(losses, judge, len(earlier), len(later), unseen_by, frozenset(ids_of(later))), ""


def with_runs(history: History) -> list[ProjectRow]:
    """The projects that have finished runs with a goal metric."""
    ids = {run.project for run in history.runs}
    return [row for row in history.projects if row.id in ids]


def ids_of(rows: Iterable[ProjectRow]) -> tuple[UUID, ...]:
    """The projects that a model was trained on, in order."""
    return tuple(sorted(row.id for row in rows))


def named(rows: Iterable[ProjectRow]) -> dict[str, str]:
    """Project -> its problem class."""
    return {str(row.id): row.problem_class for row in rows}


def runs_of(runs: Sequence[RunRow], projects: Sequence[ProjectRow]) -> list[RunRow]:
    """The runs of some projects."""
    ids: set[UUID] = {row.id for row in projects}
    return [run for run in runs if run.project in ids]


def classes_of(rows: Sequence[ProjectRow], least: int) -> list[str]:
    """Problem classes with enough projects to be looked at alone, where there are several classes."""
    counts: dict[str, int] = {}
    for row in rows:
        counts[row.problem_class] = counts.get(row.problem_class, 0) + 1
    return sorted(name for name, count in counts.items() if count >= least) if len(counts) > 1 else []


def users_of(uses: Iterable[tuple[UUID, frozenset[UUID]]]) -> dict[str, list[str]]:
    """Artifact -> the projects that used it, each once, in the order of their ids."""
    found: dict[str, set[str]] = {}
    for project, used in uses:
        for artifact in used:
            found.setdefault(str(artifact), set()).add(str(project))
    return {artifact: sorted(projects) for artifact, projects in found.items()}


def elapsed_ms(started: float) -> int:
    """Milliseconds since a reading of perf_counter."""
    return round((time.perf_counter() - started) * 1000)
