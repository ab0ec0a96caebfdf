"""The tracking room: how a project went: who says so, when, and by which rule; what was said before is in the log."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction

from apps.tenants.access.audit.recording import record
from apps.tracking.actions import Act
from apps.tracking.models import Project
from maestro.errors import Invalid
from maestro.principals import Actor

PERSON = Project.OutcomeSource.PERSON


@dataclass(frozen=True)
class Said:
    """How a project went, in a person's words or by the rule. `facts` is what else is known of its end, by field."""

    success: float | None
    source: str = PERSON
    rule: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


def set_outcome(project: Project, said: Said, *, by: Actor, at: datetime) -> Project:
    """Write how a project went and who says so; the same again changes nothing. No success takes the word back.

    Raises Invalid outside 0..100.
    """
    if said.success is not None and not 0 <= said.success <= 100:
        raise Invalid("success is a number from 0 to 100", "bad_success")
    is_open = said.success is None
    with transaction.atomic():
        held = Project.objects.select_for_update().get(pk=project.pk)
        wanted = {
            "success": said.success,
            "outcome_source": "" if is_open else said.source,
            "outcome_rule": "" if is_open else said.rule,
            **said.facts,
        }
        changed = {name: value for name, value in wanted.items() if getattr(held, name) != value}
        if changed:
            changed |= {"outcome_set_by": "" if is_open else by.name[:250], "outcome_set_at": None if is_open else at}
            before = {name: getattr(held, name) for name in changed}
            for name, value in changed.items():
                setattr(held, name, value)
            held.save(update_fields=[*changed])
            record(by, Act.PROJECT_OUTCOME, subject=held, before=before, after=changed)
    return held
