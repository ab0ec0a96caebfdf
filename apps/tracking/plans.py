"""The tracking room: what was planned of projects, first and as it was revised; and what came of it."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.utils import timezone

from apps.tracking.models import DeliveryRule, PlanRevision, Project
from apps.tracking.models.measures import Measure, spread
from maestro.principals import Actor, Reach

FIELDS = ("planned_duration_days", "planned_cost", "planned_effort_hours")
DAY_SECONDS = 86_400
KEYS = {"duration_against_plan": "Duration", "cost_against_plan": "Cost", "effort_against_plan": "Effort"}


@dataclass(frozen=True)
class Compared:
    """One figure of a project: at first, as it is planned now, and as it came. `unit` may be empty."""

    name: str
    unit: str
    first: float | None
    planned: float | None
    actual: float | None


def figures(of: Project | PlanRevision) -> dict[str, float | None]:
    """What is planned."""
    return {name: getattr(of, name) for name in FIELDS}


def begin(project: Project) -> None:
    """Keep the plan that a project has had since it was made, before it is changed for the first time."""
    if any(value is not None for value in figures(project).values()) and not project.plans.exists():
        PlanRevision.objects.create(project=project, at=project.created_at, **figures(project))


def note(project: Project, by: Actor) -> PlanRevision | None:
    """Keep a plan that differs from the last one. The caller holds the project and a transaction."""
    last = project.plans.last()
    before = figures(last) if last else dict.fromkeys(FIELDS)
    if figures(project) == before:
        return None
    return PlanRevision.objects.create(project=project, at=timezone.now(), planned_by=by.name[:250], **figures(project))


def first_plans(projects: Iterable[UUID]) -> dict[UUID, PlanRevision]:
    """The plan that each of some projects began with, of those that have a history of it."""
    rows = PlanRevision.objects.filter(project__in=list(projects)).order_by("project_id", "id").distinct("project_id")
    return {row.project_id: row for row in rows}


def product(hours: float | None, rate: float | None) -> float | None:
    """Hours at a rate; None where either is not known."""
    return None if hours is None or rate is None else hours * rate


def days_of(project: Project) -> float | None:
    """How many days a project took: as somebody said, else from its start to its end."""
    if project.actual_duration_days is not None or project.starts_at is None or project.ends_at is None:
        return project.actual_duration_days
    return (project.ends_at - project.starts_at).total_seconds() / DAY_SECONDS


def compare(project: Project, first: Project | PlanRevision | None, rule: DeliveryRule | None) -> list[Compared]:
    """Duration, cost and effort: at first, planned now, actual. A cost that nobody said is hours at the project's rate."""
    rate, unit = (rule.hour_rate, rule.currency) if rule else (None, "")
    began: Mapping[str, float | None] = figures(first or project)
    now = figures(project)

    def cost(plan: Mapping[str, float | None]) -> float | None:
        said = plan["planned_cost"]
        return product(plan["planned_effort_hours"], rate) if said is None else said

    actual = product(project.actual_effort_hours, rate) if project.actual_cost is None else project.actual_cost
    hours, days = "planned_effort_hours", "planned_duration_days"
    return [
        Compared("Duration", "days", began[days], now[days], days_of(project)),
        Compared("Cost", unit, cost(began), cost(now), actual),
        Compared("Effort", "hours", began[hours], now[hours], project.actual_effort_hours),
    ]


def ended(projects: Iterable[Project], since: datetime, until: datetime) -> list[tuple[Project, list[Compared], int]]:
    """Of some projects those that ended in a time, each compared with its first plan, and how often that was revised."""
    rows = [project for project in projects if project.ends_at and since <= project.ends_at < until]
    first = first_plans(project.pk for project in rows)
    rules = {rule.project_id: rule for rule in DeliveryRule.objects.filter(project__in=rows)}
    counts: dict[UUID, int] = {}
    for key in PlanRevision.objects.filter(project__in=rows).values_list("project_id", flat=True):
        counts[key] = counts.get(key, 0) + 1
    told = [
        (row, compare(row, first.get(row.pk), rules.get(row.pk)), max(counts.get(row.pk, 1) - 1, 0)) for row in rows
    ]
    return sorted(told, key=lambda one: str(one[0].ends_at), reverse=True)


@dataclass(frozen=True)
class Ended:
    """A project that ended, and how many times its first plan it took."""

    name: str
    at: datetime
    times: float
    note: str


def said(one: Compared, revised: int) -> str:
    """What was planned and what came, in words."""
    unit = f" {one.unit}" if one.unit else ""
    again = f", revised {revised} times" if revised > 1 else ", revised once" if revised else ""
    return f"{figure(one.first)}{unit} planned{again}; {figure(one.actual)} actual"


def figure(value: float | None) -> str:
    """A number as people say it."""
    return "–" if value is None else f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def against_plan(projects: Reach, since: datetime, until: datetime) -> dict[str, list[Ended]]:
    """Projects that ended in a time, by what is compared; those without a plan or an end of it are left out."""
    found: dict[str, list[Ended]] = {key: [] for key in KEYS}
    rows = Project.objects.filter(ends_at__gte=since, ends_at__lt=until)
    rows = rows if projects is None else rows.filter(pk__in=projects)
    for project, compared, revised in ended(rows, since, until):
        for key, ratio in ratios(compared):
            one = next(item for item in compared if item.name == KEYS[key])
            found[key].append(Ended(project.name, project.ends_at or until, ratio, said(one, revised)))
    return found


def ratios(compared: list[Compared]) -> Iterator[tuple[str, float]]:
    """How many times the first plan each figure came to, where both are known."""
    by_name = {one.name: one for one in compared}
    for key, name in KEYS.items():
        one = by_name[name]
        times = one.actual / one.first if one.first and one.actual is not None else math.inf
        if math.isfinite(times):  # of next to nothing planned it is beyond all numbers
            yield key, times


def measures(projects: Reach, since: datetime, until: datetime) -> dict[str, Measure]:
    """All of them."""
    return {key: spread([one.times for one in rows]) for key, rows in against_plan(projects, since, until).items()}
