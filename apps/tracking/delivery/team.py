"""The tracking room: how a team delivers: every measure of some time, and the rows that stand behind each."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from itertools import islice
from typing import Any

from django.db.models import F

from apps.tracking import calendars, plans
from apps.tracking.delivery import failures, first_models, lead_times, run_measures
from apps.tracking.delivery.failures import Judged
from apps.tracking.delivery.git import measures as commit_measures
from apps.tracking.delivery.git.measures import Week
from apps.tracking.delivery.lead_times import Lead
from apps.tracking.delivery.shipped import Shipped, shipped
from apps.tracking.delivery.survival import survival
from apps.tracking.models import Incident, Pipeline, PullRequest, Run
from apps.tracking.models.forge_facts import PipelineQuerySet, PullRequestQuerySet
from apps.tracking.models.measures import Measure, between, share, spread
from maestro.clock import from_ms
from maestro.principals import Reach

FEWEST_PEOPLE = 4
BEFORE = timedelta(days=90)  # that are looked at to know what was deployed before
MOST_ROWS = 50_000
WEEK = timedelta(days=7)


@dataclass(frozen=True)
class Line:
    """A row behind a measure: which thing, when, and what it adds to it. Of people there is nothing in it."""

    what: str
    at: datetime
    value: float | None
    note: str = ""


@dataclass(frozen=True)
class Period:
    """Some weeks of some projects."""

    projects: Reach
    since: datetime
    until: datetime
    zone: str = calendars.USUAL

    @property
    def weeks(self) -> int:
        """How many weeks it has; one in which clocks were turned is one too."""
        return max(1, round((self.until - self.since) / WEEK))

    def day(self, at: datetime) -> date:
        """The day of a moment, where the tenant is."""
        return at.astimezone(calendars.zone_of(self.zone)).date()

    def begins(self, week: int) -> datetime:
        """When a week of it begins."""
        zone = calendars.zone_of(self.zone)
        return calendars.day_after(self.day(self.since) + week * WEEK - timedelta(days=1), zone)

    def pulls(self) -> PullRequestQuerySet:
        """Pull requests of people that were merged in it."""
        found: PullRequestQuerySet = PullRequest.objects.of_projects(self.projects)
        return found.merged(self.since, self.until)

    def pipelines(self) -> PipelineQuerySet:
        """Pipelines that succeeded or failed in it."""
        found: PipelineQuerySet = Pipeline.objects.of_projects(self.projects)
        return found.ended(self.since, self.until)

    def jobs(self) -> PipelineQuerySet:
        """Jobs that began in it."""
        found: PipelineQuerySet = Pipeline.objects.of_projects(self.projects)
        return found.jobs(self.since, self.until)

    @cached_property
    def judgement(self) -> Judged:
        """What deployments to production came to, with what was deployed before them, and incidents."""
        since = self.since - BEFORE
        broken = Incident.objects.of_projects(self.projects).during(since, self.until)[:MOST_ROWS]
        return failures.judge(shipped(self.projects, since, self.until), self.until, list(broken))

    def judged(self) -> Judged:
        """The judgement; asked for once."""
        return self.judgement

    @cached_property
    def leads(self) -> list[Lead]:
        """Commits that were first deployed in it."""
        return lead_times.leads(self.projects, self.since, self.until)

    @cached_property
    def commit_weeks(self) -> list[Week]:
        """Commits by the week."""
        return commit_measures.weekly(self.projects, self.since, self.until, self.zone)

    def is_small(self) -> bool:
        """Whether so few people opened pull requests that a row would tell who did what."""
        return self.pulls().people() < FEWEST_PEOPLE


def within(period: Period, rows: list[Shipped]) -> list[Shipped]:
    """Keep deployments that were good in a time."""
    return [row for row in rows if row.deployed_at and period.since <= row.deployed_at < period.until]


def per_week(period: Period, rows: list[Shipped]) -> list[tuple[datetime, int]]:
    """Good deployments in each week of a time, those without any too."""
    first = period.day(period.since)
    counts = Counter((period.day(row.deployed_at) - first).days // 7 for row in rows if row.deployed_at)
    return [(period.begins(week), counts[week]) for week in range(period.weeks)]


def deployments(period: Period) -> dict[str, Measure]:
    """The measures of deployments, by one question."""
    judged = period.judged()
    good, failed, mends = (within(period, rows) for rows in (judged.good, judged.failed, judged.mends))
    young = within(period, judged.young)
    weeks = spread([count for _, count in per_week(period, good)])
    return {
        "deployment_frequency": Measure(len(good), len(good) / period.weeks, weeks.median, weeks.p90),
        "change_fail_rate": share(len(failed), len(good) - len(young), len(young)),
        "rework_rate": share(len(mends), len(good)),
        "recovery_time": survival([span for _, span in recoveries(period, judged)]),
    }


def recoveries(period: Period, judged: Judged) -> list[tuple[datetime, tuple[float, bool]]]:
    """How long each failure of a time lasted, in seconds, and whether it has ended."""
    found = []
    for span in judged.spans:
        if period.since <= span.start < period.until:
            is_over = span.end is not None and span.end <= period.until
            end = span.end if span.end and is_over else period.until
            found.append((span.start, ((end - span.start).total_seconds(), is_over)))
    return found


def measures(period: Period) -> dict[str, Measure]:
    """Every measure of the catalogue."""
    pulls, pipelines = period.pulls(), period.pipelines()
    return deployments(period) | {
        "change_lead_time": lead_times.lead_time(period.leads),
        "pull_merge_time": pulls.time_to_merge(),
        "pull_first_review": pulls.time_to_first_review(),
        "pull_size": pulls.size(),
        "pipeline_duration": pipelines.duration(),
        "pipeline_queue": period.jobs().queue(),
        "pipeline_success": pipelines.success(),
        "pipeline_flakiness": pipelines.flakiness(),
        **first_models.measures(period.projects, period.since, period.until),
        **plans.measures(period.projects, period.since, period.until),
        **commit_measures.measures(period.projects, period.since, period.until, period.commit_weeks),
        **run_measures.measures(period.projects, period.since, period.until, period.zone),
    }


def deployment_rows(period: Period, key: str) -> Iterator[Line]:
    """Deployments, and whether each failed or mended another."""
    judged = period.judged()
    if key == "deployment_frequency":
        yield from (Line("week", at, count) for at, count in per_week(period, within(period, judged.good)))
    if key == "recovery_time":
        for at, (seconds, is_over) in recoveries(period, judged):
            yield Line("failure", at, seconds, "" if is_over else "not mended yet")
    failed, mends, young = ({row.key for row in rows} for rows in (judged.failed, judged.mends, judged.young))
    hits = {"change_fail_rate": failed, "rework_rate": mends}.get(key, set())
    left_out = young if key == "change_fail_rate" else set()
    counted = within(period, judged.good) if key in ("change_fail_rate", "rework_rate") else []
    for row in counted:
        if row.key in left_out:
            continue
        note = "mends another" if row.key in mends else "failed" if row.key in failed else ""
        yield Line(row.what, row.began, float(row.key in hits), note)


def lead_rows(period: Period, key: str) -> Iterator[Line]:
    """Commits and how long each took."""
    for one in period.leads:
        yield Line(one.sha, one.deployed_at, one.seconds)


def first_rows(period: Period, key: str) -> Iterator[Line]:
    """Projects that began, with how long each took until it had a model."""
    for one in first_models.begun(period.projects, period.since, period.until)[key]:
        yield Line(one.name, one.at, one.seconds, "" if one.is_over else "not yet")


def plan_rows(period: Period, key: str) -> Iterator[Line]:
    """Projects that ended, with how many times its plan each took."""
    for one in plans.against_plan(period.projects, period.since, period.until)[key]:
        yield Line(one.name, one.at, one.times, one.note)


def commit_rows(period: Period, key: str) -> Iterator[Line]:
    """Weeks with their commits or lines, or commits with the share of their lines that did not last."""
    asked = (period.projects, period.since, period.until)
    if key == "rework_churn":
        for sha, at, added, lost in commit_measures.reworked(*asked):
            yield Line(sha[:12], at, lost / added, f"{lost} of {added} lines")
    elif key in ("contributors", "concentration"):
        yield Line(
            "28 days", period.until, float(len(commit_measures.authors(period.projects, period.until))), "people"
        )
    else:
        for week in period.commit_weeks:
            yield Line("week", week.at, week.commits if key == "commits_per_week" else week.lines)


def pull_rows(period: Period, key: str) -> Iterator[Line]:
    """Pull requests with one of their figures."""
    figures = {
        "pull_merge_time": between("begun_at", "merged_at"),
        "pull_first_review": between("begun_at", "reviewed_at"),
        "pull_size": F("additions") + F("deletions"),
    }
    rows = period.pulls().with_first_review().annotate(figure=figures[key]).exclude(figure=None)
    for number, at, figure in rows.order_by("-merged_at").values_list("number", "merged_at", "figure"):
        yield Line(f"#{number}", at, figure)


def pipeline_rows(period: Period, key: str) -> Iterator[Line]:
    """Pipelines, or jobs, with one of their figures."""
    if key == "pipeline_flakiness":
        for row in period.pipelines().retried().order_by("-finished_at"):
            yield Line(f"{row.name} {row.sha[:12]}", row.finished_at or row.created_at, float(row.has_passed))
        return
    rows, begin, end = period.pipelines(), "started_at", "finished_at"
    if key == "pipeline_queue":
        rows, begin, end = period.jobs(), "created_at", "started_at"
    found = rows.annotate(figure=between(begin, end)).order_by(f"-{end}")
    for name, number, at, state, figure in found.values_list("name", "number", end, "state", "figure"):
        is_share = key == "pipeline_success"
        if is_share or figure is not None:
            yield Line(f"{name} {number}", at, float(state == "success") if is_share else figure, state)


def run_rows(period: Period, key: str) -> Iterator[Line]:
    """Runs with one of their figures, or weeks with their runs."""
    if key == "run_throughput":
        weeks = run_measures.weekly(period.projects, period.since, period.until, period.zone)
        yield from (Line("week", at, n) for at, n in weeks)
        return
    runs = run_measures.ended(period.projects, period.since, period.until)
    found: Any = run_measures.with_reproducible(run_measures.with_hours(runs)).order_by("-start_ms")
    for name, start_ms, state, hours, is_reproducible in found.values_list(
        "name", "start_ms", "status", "hours", "is_reproducible"
    ):
        is_good = float(state == Run.Status.FINISHED)
        values = {"run_success": is_good, "run_waste": hours, "run_reproducible": float(is_reproducible)}
        yield Line(name, from_ms(start_ms), values[key], state.lower())


ROWS: dict[str, Callable[[Period, str], Iterator[Line]]] = {
    "change_lead_time": lead_rows,
    **dict.fromkeys(("deployment_frequency", "change_fail_rate", "rework_rate", "recovery_time"), deployment_rows),
    **dict.fromkeys(first_models.KEYS, first_rows),
    **dict.fromkeys(commit_measures.KEYS, commit_rows),
    **dict.fromkeys(plans.KEYS, plan_rows),
    **dict.fromkeys(("pull_merge_time", "pull_first_review", "pull_size"), pull_rows),
    **dict.fromkeys(("pipeline_duration", "pipeline_queue", "pipeline_success", "pipeline_flakiness"), pipeline_rows),
    **dict.fromkeys(("run_success", "run_throughput", "run_waste", "run_reproducible"), run_rows),
}


def lines(period: Period, key: str, most: int = MOST_ROWS) -> list[Line]:
    """The rows behind a measure, the newest first where it counts things."""
    return list(islice(ROWS[key](period, key), most))
