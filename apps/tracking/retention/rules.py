"""The tracking room: the rules of a project for its runs' lives: its own word, else that of all projects, else ours."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from apps.tenants.access.audit.recording import record
from apps.tracking.actions import Act
from apps.tracking.models import DEFAULT_PROJECT_ID, LifeRule, Project
from maestro.principals import Actor

TRASH_DAYS = 30
LOST_AFTER_HOURS = 24.0
FIELDS = ("trash_days", "keep_runs_days", "lost_after_hours")
# The rules in force of every project, as a table that statements join.
IN_FORCE = f"""(SELECT p.id AS project_id,
  coalesce(own.trash_days, whole.trash_days, {TRASH_DAYS}) AS trash_days,
  coalesce(own.keep_runs_days, whole.keep_runs_days) AS keep_runs_days,
  coalesce(own.lost_after_hours, whole.lost_after_hours, {LOST_AFTER_HOURS}) AS lost_after_hours
 FROM tracking_project p LEFT JOIN tracking_liferule own ON own.project_id = p.id
 LEFT JOIN tracking_liferule whole ON whole.project_id IS NULL)"""  # noqa: S608 constants of ours


@dataclass(frozen=True)
class Rules:
    """The rules in force."""

    trash_days: int = TRASH_DAYS
    keep_runs_days: int | None = None
    lost_after_hours: float = LOST_AFTER_HOURS


def said_of(projects: Iterable[Project]) -> dict[UUID | None, LifeRule]:
    """What somebody has said of some projects, by their ids, and of all, by None: in one statement."""
    ids = [project.pk for project in projects]
    rules = LifeRule.objects.filter(Q(project__in=ids) | Q(project=None)).order_by()
    return {rule.project_id: rule for rule in rules}


def rule_of(project: Project | None) -> LifeRule | None:
    """What somebody has said of a project, or of all; None for nothing."""
    return LifeRule.objects.filter(project=project).order_by().first()


def combined(said: Mapping[UUID | None, LifeRule], project: UUID | None) -> Rules:
    """The rules that hold for a project, by what was said of it and of all."""
    found: dict[str, Any] = asdict(Rules())
    for rule in (said.get(None), said.get(project)):
        found |= {name: getattr(rule, name) for name in FIELDS if getattr(rule, name, None) is not None}
    return Rules(**found)


def in_force(project: Project | None) -> Rules:
    """The rules that hold for a project, or, without one, for those that say nothing."""
    return combined(said_of([project] if project else []), project.pk if project else None)


def set_rule(
    project: Project | None, values: Mapping[str, Any], *, by: Actor, guard: Callable[[], None] | None = None
) -> LifeRule:
    """Write all of a rule: what is not named is left to the wider rule again. The same again changes nothing.

    `guard` is asked while nobody else may write it.
    """
    wanted = {name: values.get(name) for name in FIELDS}
    with transaction.atomic():
        # One at a time, though there may be no row of the rule to lock yet.
        list(Project.objects.select_for_update().filter(pk=project.pk if project else DEFAULT_PROJECT_ID))
        if guard is not None:
            guard()
        rule = LifeRule.objects.filter(project=project).order_by().first()
        before = None if rule is None else {name: getattr(rule, name) for name in FIELDS}
        if rule is not None and before == wanted:
            return rule
        rule, _ = LifeRule.objects.update_or_create(project=project, defaults=wanted | {"set_by": by.name[:250]})
        subject = project if project is not None else rule
        record(by, Act.RETENTION_CHANGE, subject=subject, before=before, after=wanted)
    return rule
