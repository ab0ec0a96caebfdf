"""The recommendations room: how a project went: set by a person, or derived from its goal metric by a stated rule.

    success = 100 * (best - worst) / (goal - worst), kept within 0 and 100

where `best` is the best finished run's goal metric, `worst` the value that counts as 0 (goal_worst) and `goal`
the value that counts as 100 (goal_best). A person's word is never overwritten. Who, when and by which rule
stand in the project; earlier ones in the audit log. A change is noticed by the next look (tasks.look).
"""

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import F, Max, Min, Q

from apps.recommendations.models import Training
from apps.tracking.models import LatestMetric, Project, Run
from apps.tracking.outcomes import Said, set_outcome
from maestro.errors import Conflict
from maestro.principals import Actor

RULE = Actor("rule")


@dataclass(frozen=True, slots=True)
class Derived:
    """What the rule says of a project."""

    success: float
    rule: str


def best_value(project: Project) -> float | None:
    """The best value of the goal metric among the project's finished runs."""
    values = LatestMetric.objects.filter(
        key__name=project.goal_metric,
        run__experiment__project=project,
        run__status=Run.Status.FINISHED,
        run__deleted_ms=None,
    ).filter(value__gt=float("-inf"), value__lt=float("inf"))
    found = values.aggregate(best=Max("value") if project.goal_maximize else Min("value"))
    return None if found["best"] is None else float(found["best"])


def derive(project: Project) -> Derived:
    """Apply the rule. Raises Conflict naming what the project lacks."""
    worst, goal = project.goal_worst, project.goal_best
    if not project.goal_metric or worst is None or goal is None:
        raise Conflict("set goal_metric, goal_worst and goal_best first", "no_goal")
    if worst == goal or (goal > worst) != project.goal_maximize:
        raise Conflict("goal_best must be better than goal_worst in the direction of the goal", "bad_goal")
    best = best_value(project)
    if best is None:
        raise Conflict(f"no finished run has the metric {project.goal_metric!r}", "no_goal_metric")
    success = round(min(100.0, max(0.0, 100 * (best - worst) / (goal - worst))), 4)
    return Derived(
        success, f"best finished run: {project.goal_metric} {best:.6g}, where {worst:g} is 0 and {goal:g} 100"
    )


def set_by_rule(project: Project, *, by: Actor = RULE, at: datetime) -> Project:
    """Record what the rule says. Raises Conflict if the rule can't speak, or a person has spoken."""
    with transaction.atomic():
        held = Project.objects.select_for_update().get(pk=project.pk)
        if held.outcome_source == Project.OutcomeSource.PERSON:
            raise Conflict("a person has set this outcome; the rule does not overwrite it", "set_by_person")
        found = derive(held)
        return set_outcome(held, Said(found.success, Project.OutcomeSource.DERIVED, found.rule), by=by, at=at)


def derive_due(at: datetime) -> int:
    """Apply the rule to every ended project whose runs allow it and whom no person judged. Returns how many changed."""
    due = (
        Project.objects.filter(ends_at__lte=at)
        .exclude(goal_metric="")
        .exclude(Q(goal_worst=None) | Q(goal_best=None) | Q(outcome_source=Project.OutcomeSource.PERSON))
    )
    # A value far outside is kept within 0..100 by the rule; equal bounds can't be judged at all.
    changed = 0
    for project in due.exclude(goal_worst=F("goal_best")).order_by("pk"):
        was = (project.success, project.outcome_rule)
        try:
            now = set_by_rule(project, at=at)
        except Conflict:
            continue
        changed += (now.success, now.outcome_rule) != was
    return changed


def changed_since_training() -> bool:
    """Say whether an outcome was set after the last training read the data."""
    last = Training.objects.done().exclude(data_at=None).order_by("-data_at").first()
    newest = Project.objects.exclude(success=None).aggregate(at=Max("outcome_set_at"))["at"]
    return newest is not None and (last is None or last.data_at is None or newest > last.data_at)
