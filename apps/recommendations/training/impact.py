"""The recommendations room: what a training has found, before it is written. Loads LightGBM: never in a web process."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from uuid import UUID

from apps.recommendations.estimators import minimum_data
from apps.recommendations.estimators.data import ImpactData
from apps.recommendations.estimators.impact import Effect, ImpactResult, estimate_impact
from apps.recommendations.estimators.run_impact import RunData, estimate_run_impact
from apps.recommendations.estimators.verdicts import GAIN_LEVEL, Verdict
from apps.recommendations.past.arrays import project_data, run_data
from apps.recommendations.past.history import History, ProjectRow, RunRow
from apps.recommendations.training.holdout import NO_RIVAL, Losses, Rival, project_losses, run_losses, split

LEVEL = GAIN_LEVEL
MOST_EVIDENCE = 50
METHODS = {
    "project": "joint cross-fitted double ML on LightGBM and ridge nuisances, empirical Bayes",
    "run": "runs centred within their project, joint cross-fitted double ML, clustered by project, empirical Bayes",
}
Report = Callable[[float, str], None]
Data = TypeVar("Data", ImpactData, RunData)


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


@dataclass(frozen=True, slots=True)
class Unit(Generic[Data]):
    """What effects are estimated of: finished projects, or the runs within projects.

    arrays    some projects -> what the estimator takes. Each set of projects is laid out once, and from its own rows: of
              what kind a column is depends on them, so a set is never cut out of a larger one
    losses    earlier and later arrays and stored effects -> how well these foresee the later ones
    uses      some projects -> which project used what
    classed   the projects that are counted to choose the classes that are looked at alone, and how many are enough
    """

    name: str
    step: str
    arrays: Callable[[Sequence[ProjectRow]], Data]
    estimate: Callable[..., ImpactResult]
    losses: Callable[[Data, Data, Mapping[str, float]], Losses]
    uses: Callable[[Sequence[ProjectRow]], Iterable[tuple[UUID, frozenset[UUID]]]]
    classed: tuple[Sequence[ProjectRow], int]


def find_project_impact(history: History, *, seed: int, meter: Meter, rival: Rival = NO_RIVAL) -> ImpactFinding:
    """The finished project as the unit."""
    rows = history.finished
    unit = Unit(
        "project",
        "impact by finished projects",
        arrays=lambda some: project_data(some, history.artifacts),
        estimate=estimate_impact,
        losses=project_losses,
        uses=lambda some: ((row.id, row.used) for row in some),
        classed=(rows, minimum_data.IMPACT_PROJECTS),
    )
    return find_impact(unit, rows, rival, seed=seed, meter=meter)


def find_run_impact(history: History, *, seed: int, meter: Meter, rival: Rival = NO_RIVAL) -> ImpactFinding:
    """The run within its project as the unit."""
    runs: dict[UUID, list[RunRow]] = {}
    for run in history.runs:
        runs.setdefault(run.project, []).append(run)
    unit = Unit(
        "run",
        "impact by runs within projects",
        arrays=lambda some: run_data(runs_of(history.runs, some), history.artifacts),
        estimate=estimate_run_impact,
        losses=lambda _, test, effects: run_losses(test, effects),
        uses=lambda some: ((run.project, run.used) for row in some for run in runs[row.id]),
        classed=(history.projects, minimum_data.RUN_PROJECTS),
    )
    rows = tuple(row for row in history.projects if row.id in runs)
    if not rows:
        meter.part(3.0, unit.step)
        nothing = ImpactResult("run", minimum_data.run_impact(0, 0), LEVEL, 0, 0, ())
        return ImpactFinding("run", {"": nothing}, None, "there are no runs", 0, {})
    return find_impact(unit, rows, rival, seed=seed, meter=meter)


def find_impact(
    unit: Unit[Data], rows: Sequence[ProjectRow], rival: Rival, *, seed: int, meter: Meter
) -> ImpactFinding:
    """Effects of one unit over all classes, and in each class with enough projects; then the backtest."""
    started = time.perf_counter()
    tell = meter.part(3.0, unit.step)
    results = {"": unit.estimate(unit.arrays(rows), level=LEVEL, seed=seed, progress=tell)}
    parts = {"": rows}
    if not results[""].verdict.is_refused:
        parts |= {name: [row for row in rows if row.problem_class == name] for name in classes_of(*unit.classed)}
    for name in [name for name in parts if name]:
        results[name] = unit.estimate(unit.arrays(parts[name]), level=LEVEL, seed=seed)
    judged, why = judge(unit, (rows, rival), results[""], seed=seed, meter=meter)
    users = {name: users_of(unit.uses(some)) for name, some in parts.items()}
    return ImpactFinding(unit.name, results, judged, why, elapsed_ms(started), users, ids_of(rows), named(rows))


def judge(
    unit: Unit[Data], contest: tuple[Sequence[ProjectRow], Rival], result: ImpactResult, *, seed: int, meter: Meter
) -> tuple[Judged | None, str]:
    """Estimate on the earlier projects, judge on the later ones."""
    tell = meter.part(3.0, f"backtest of {unit.step}")
    earlier, later, rival = split(*contest)
    if result.verdict.is_refused or not later:
        return None, "there are too few projects to hold some back"
    train = unit.arrays(earlier)
    before = unit.estimate(train, level=LEVEL, seed=seed, draws=draws_against(rival), progress=tell)
    if before.verdict.is_refused:
        return None, f"before the tested quarter: {before.verdict.reason}"
    test = unit.arrays(later)

    def judge_stored(stored: Mapping[str, Any]) -> Losses:
        return unit.losses(train, test, stored_effects(stored))

    losses = unit.losses(train, test, effects_of(before))
    return Judged(losses, judge_stored, len(earlier), len(later), rival, frozenset(ids_of(later))), ""


def draws_against(rival: str) -> int | None:
    """Dealings of folds in a backtest: one, but against the model that serves as many as that one had.

    On equal projects the two are then the same function; with fewer dealings chance alone would tell them apart.
    """
    return None if rival else 1


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
