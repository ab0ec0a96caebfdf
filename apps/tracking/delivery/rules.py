"""The tracking room: how each project's delivery is measured: what counts as a deployment, which aliases serve, an hour's cost."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction

from apps.tenants.access.audit.recording import record
from apps.tracking.actions import Act
from apps.tracking.models import Connection, DeliveryRule, Project
from apps.tracking.models.delivery_rules import SERVING
from maestro.errors import Invalid
from maestro.principals import Actor, Reach

FORGE, ALIAS = DeliveryRule.Source.FORGE, DeliveryRule.Source.ALIAS
FIELDS = ("source", "serving_aliases", "hour_rate", "currency")
MOST_RATE = 1e9
MOST_ALIASES = 10


@dataclass(frozen=True)
class InForce:
    """How a project is measured in the end."""

    source: str
    serving_aliases: Sequence[str]


@dataclass(frozen=True)
class Chosen:
    """Of some projects: those measured by alias though a forge may tell of them, those by forge, and their own aliases."""

    by_alias: frozenset[UUID]
    by_forge: frozenset[UUID]
    aliases: Mapping[UUID, Sequence[str]]


def chosen(projects: Reach) -> Chosen:
    """What was chosen for some projects; those in neither set are measured by alias, as no forge tells of them."""
    rules, told = DeliveryRule.objects.all(), Connection.objects.of_forges().order_by()
    if projects is not None:
        rules, told = rules.filter(project__in=projects), told.filter(project__in=projects)
    said = {rule.project_id: rule for rule in rules}
    by_alias = frozenset(key for key, rule in said.items() if rule.source == ALIAS)
    by_forge = {key for key, rule in said.items() if rule.source == FORGE}
    connected = set(told.values_list("project_id", flat=True).distinct())
    aliases = {key: rule.serving_aliases for key, rule in said.items()}
    return Chosen(by_alias, frozenset(by_forge | (connected - by_alias)), aliases)


def rule_of(project: Project) -> DeliveryRule | None:
    """What somebody has said of a project; None for nothing."""
    return DeliveryRule.objects.filter(project=project).first()


def in_force(project: Project) -> InForce:
    """How a project is measured in the end."""
    found = chosen([project.pk])
    return InForce(FORGE if project.pk in found.by_forge else ALIAS, found.aliases.get(project.pk, SERVING))


def set_rule(
    project: Project, values: Mapping[str, Any], *, by: Actor, guard: Callable[[], None] | None = None
) -> DeliveryRule | None:
    """Write all of a project's rule: what is not named is left to the usual again. The same again changes nothing.

    Raises Invalid, Forbidden. `guard` is asked while nobody else may write it.
    """
    by.require("admin", [project.pk])
    aliases = values.get("serving_aliases") or list(SERVING)
    wanted = {
        "source": values.get("source") or "",
        "serving_aliases": aliases,
        "hour_rate": values.get("hour_rate"),
        "currency": values.get("currency") or "",
    }
    if len(aliases) > MOST_ALIASES or not all(aliases):
        raise Invalid(f"at most {MOST_ALIASES} aliases serve, and each has a name", "bad_aliases")
    with transaction.atomic():
        Project.objects.select_for_update().get(pk=project.pk)
        if guard is not None:
            guard()
        rule = rule_of(project)
        before = {name: getattr(rule, name) for name in FIELDS} if rule else None
        if before == wanted:
            return rule
        rule, _ = DeliveryRule.objects.update_or_create(project=project, defaults=wanted | {"set_by": by.name[:250]})
        record(by, Act.DELIVERY_RULE, subject=project, before=before, after=wanted)
    return rule
