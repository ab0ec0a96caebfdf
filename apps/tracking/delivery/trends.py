"""The tracking room: how each measure went within its time: by the week up to half a year, else by four weeks. Own past only.

A stretch with fewer than five things has no point. Projects against their plans and their first models have no trend: a stretch
never has five of them.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Aggregate, Count, F, FloatField, Func, IntegerField, Max, Q, QuerySet, Sum, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Cast, Floor

from apps.tracking.delivery import run_measures, team
from apps.tracking.delivery.git import measures as commit_measures
from apps.tracking.delivery.survival import survival
from apps.tracking.delivery.team import WEEK, Period
from apps.tracking.models import Run
from apps.tracking.models.measures import FEWEST, Percentiles, Seconds, between, quantile
from maestro.clock import to_ms

MOST_WEEKS, LONG = 26, 4
Figure = Callable[[Sequence[float]], float | None]


@dataclass(frozen=True)
class Point:
    """A stretch that begins then: its figure, None where too few things stand behind it, and how many."""

    at: datetime
    value: float | None
    n: int


Line = dict[int, tuple[int, float | None]]  # by stretch: how many, and the figure


def stretch(period: Period) -> timedelta:
    """How long a stretch is."""
    return WEEK if period.weeks <= MOST_WEEKS else LONG * WEEK


def place(period: Period, at: datetime) -> int:
    """In which stretch a moment lies."""
    return (at - period.since) // stretch(period)


def median(values: Sequence[float]) -> float:
    """The median."""
    return quantile(sorted(values), 0.5)


def mean(values: Sequence[float]) -> float:
    """The share, of hits that are 1 or 0."""
    return sum(values) / len(values)


def grouped(period: Period, pairs: Iterable[tuple[datetime, float]], figure: Figure) -> Line:
    """A line of things with a moment and a value."""
    found: dict[int, list[float]] = defaultdict(list)
    for at, value in pairs:
        found[place(period, at)].append(value)
    return {key: (len(values), figure(values)) for key, values in found.items()}


def at_place(period: Period, column: str) -> Combinable:
    """The stretch of a row by one of its columns, as SQL."""
    passed = Seconds(F(column) - Value(period.since))
    return Cast(Floor(passed / Value(stretch(period).total_seconds())), IntegerField())


def spreads(period: Period, rows: QuerySet[Any], column: str, **figures: Any) -> dict[str, Line]:
    """Lines of medians, in one question."""
    named: dict[str, Aggregate] = {f"n_{key}": Count(one) for key, one in figures.items()}
    named |= {f"of_{key}": Percentiles(one) for key, one in figures.items()}
    told = rows.annotate(stretch=at_place(period, column)).order_by().values("stretch").annotate(**named)
    lines: dict[str, Line] = {key: {} for key in figures}
    for row in told:
        for key in figures:
            lines[key][row["stretch"]] = (row[f"n_{key}"], (row[f"of_{key}"] or [None])[0])
    return lines


def deployment_lines(period: Period) -> Iterator[tuple[str, Line]]:
    """Lines of deployments."""
    judged = period.judged()
    good = team.within(period, judged.good)
    failed, mends, young = ({row.key for row in rows} for rows in (judged.failed, judged.mends, judged.young))
    weeks = stretch(period) / WEEK
    # Too few deployments are no rate of failures, but how many there were is what this one tells.
    yield (
        "deployment_frequency",
        {
            key: (max(n, FEWEST), n / weeks)
            for key, (n, _) in grouped(period, ((r.began, 1.0) for r in good), mean).items()
        },
    )
    old = [row for row in good if row.key not in young]
    yield "change_fail_rate", grouped(period, ((row.began, float(row.key in failed)) for row in old), mean)
    yield "rework_rate", grouped(period, ((row.began, float(row.key in mends)) for row in good), mean)
    spans: dict[int, list[tuple[float, bool]]] = defaultdict(list)
    for at, span in team.recoveries(period, judged):
        spans[place(period, at)].append(span)
    yield "recovery_time", {key: (len(some), survival(some).median) for key, some in spans.items()}
    yield "change_lead_time", grouped(period, ((one.deployed_at, one.seconds) for one in period.leads), median)


def forge_lines(period: Period) -> Iterator[tuple[str, Line]]:
    """Lines of pull requests and pipelines."""
    yield from spreads(
        period,
        period.pulls().with_first_review(),
        "merged_at",
        pull_merge_time=between("begun_at", "merged_at"),
        pull_first_review=between("begun_at", "reviewed_at"),
        pull_size=F("additions") + F("deletions"),
    ).items()
    pipelines = period.pipelines()
    yield from spreads(period, pipelines, "finished_at", pipeline_duration=between("started_at", "finished_at")).items()
    yield from spreads(period, period.jobs(), "started_at", pipeline_queue=between("created_at", "started_at")).items()
    told = pipelines.annotate(stretch=at_place(period, "finished_at")).order_by().values("stretch")
    rows = told.annotate(n=Count("pk"), good=Count("pk", filter=Q(state="success")))
    yield "pipeline_success", {row["stretch"]: (row["n"], row["good"] / row["n"]) for row in rows}
    shas = pipelines.retried().order_by().values("connection", "name", "sha")
    again = shas.annotate(passed=Max(Cast("has_passed", IntegerField())), at=Max("finished_at"))
    yield "pipeline_flakiness", grouped(period, again.values_list("at", "passed"), mean)


def run_lines(period: Period) -> Iterator[tuple[str, Line]]:
    """Lines of runs."""
    passed = Cast(F("start_ms") - Value(to_ms(period.since)), FloatField())
    size = Value(stretch(period) / timedelta(milliseconds=1))
    runs = run_measures.ended(period.projects, period.since, period.until)
    told = run_measures.with_reproducible(run_measures.with_hours(runs))
    stretches = told.annotate(stretch=Cast(Func(passed / size, function="FLOOR"), IntegerField())).order_by()
    rows = list(
        stretches.values("stretch").annotate(
            n=Count("pk"),
            good=Count("pk", filter=Q(status=Run.Status.FINISHED)),
            repeatable=Count("pk", filter=Q(is_reproducible=True)),
            total=Sum("hours"),
            wasted=Sum("hours", filter=Q(status__in=run_measures.BAD)),
        )
    )
    weeks = stretch(period) / WEEK
    yield "run_success", {row["stretch"]: (row["n"], row["good"] / row["n"]) for row in rows}
    yield "run_reproducible", {row["stretch"]: (row["n"], row["repeatable"] / row["n"]) for row in rows}
    wasted = {row["stretch"]: (row["n"], (row["wasted"] or 0.0) / row["total"]) for row in rows if row["total"]}
    yield "run_waste", wasted
    yield "run_throughput", {row["stretch"]: (max(row["good"], FEWEST), row["good"] / weeks) for row in rows}


def commit_lines(period: Period) -> Iterator[tuple[str, Line]]:
    """Lines of commits; weeks from Monday lie in the stretch in which they begin."""
    inside = [(max(week.at, period.since), week) for week in period.commit_weeks]
    yield "commits_per_week", sums(grouped(period, ((at, float(week.commits)) for at, week in inside), median))
    lines = [(at, float(week.lines)) for at, week in inside if week.lines is not None]
    yield "churn", sums(grouped(period, lines, median))
    rows = commit_measures.reworked(period.projects, period.since, period.until)
    yield "rework_churn", grouped(period, ((at, lost / added) for _, at, added, lost in rows), median)


def sums(line: Line) -> Line:
    """A line whose points each stand for a week or some, which is what they tell."""
    return {key: (max(n, FEWEST), value) for key, (n, value) in line.items()}


def trends(period: Period) -> dict[str, list[Point]]:
    """The points of every measure that has a trend, one for each stretch of its time."""
    size = stretch(period) // WEEK
    begins = [period.begins(week) for week in range(0, period.weeks, size)]
    found = {}
    for told in (deployment_lines, forge_lines, run_lines, commit_lines):
        for key, line in told(period):
            points = [(at, *line.get(number, (0, None))) for number, at in enumerate(begins)]
            found[key] = [Point(at, value if n >= FEWEST else None, n) for at, n, value in points]
    return found
