"""The recommendations room: what to list where no effect may be shown. Light: web processes call it.

By mean rank, as the last training stored it, once five projects have outcomes; before that by recency, which is no
claim: such an item has no number at all.
"""

from typing import Any
from uuid import UUID

from django.db.models import F, Max, QuerySet

from apps.recommendations.answers.shapes import Item
from apps.recommendations.models import ImpactModel
from apps.recommendations.work.promotion import unseal
from apps.registry.models import Artifact
from apps.tracking.models import Project
from maestro.errors import Conflict

MOST_ITEMS = 10
RECENCY = "recency"
NO_NUMBERS = dict.fromkeys(("gain", "low", "high", "standing", "n_used", "n_unused"))


def by_recency(project: Project, used: "QuerySet[Any, UUID]") -> tuple[Item, ...]:
    """Artifacts that this project may use and lacks, the last used first; then the last changed."""
    lacking = Artifact.objects.visible_to([project.pk]).exclude(pk__in=used)
    recent = lacking.annotate(last=Max("versions__usages__at")).order_by(
        F("last").desc(nulls_last=True), "-updated_ms", "name"
    )[:MOST_ITEMS]
    return tuple(
        Item(
            rank=rank,
            artifact_id=artifact.pk,
            artifact_name=artifact.name,
            artifact_kind=artifact.kind,
            status="refused",
            n_projects=0,
            pooled=False,
            reasons=(f"Last used on {artifact.last:%Y-%m-%d}." if artifact.last else "Never used yet.",),
            evidence=(),
            **NO_NUMBERS,
        )
        for rank, artifact in enumerate(recent, 1)
    )


def by_rank(model: ImpactModel, project: Project, used: "QuerySet[Any, UUID]") -> tuple[Item, ...]:
    """The order of a project whose runs nobody has seen, as the ranking that serves stored it.

    An artifact that no project of its class used is left out; of a ranking that did not keep that, so are all.
    """
    try:
        standings: dict[str, dict[str, Any]] = unseal(model).get("standings", {})
    except Conflict:
        return ()
    known = Artifact.objects.visible_to([project.pk]).exclude(pk__in=used).in_bulk()
    own = project.problem_class
    pooled = set(model.figures.get("classes", {})) != {own}
    ordered = [
        (known[UUID(name)], said)
        for name, said in standings.items()
        if UUID(name) in known and (not pooled or said.get("used_in", {}).get(own))
    ]
    best = sorted(ordered, key=lambda pair: (-pair[1]["standing"], pair[0].name))[:MOST_ITEMS]
    return tuple(
        Item(
            rank=rank,
            artifact_id=artifact.pk,
            artifact_name=artifact.name,
            artifact_kind=artifact.kind,
            status="early" if model.code or pooled else "ok",
            n_projects=said["used"],
            pooled=pooled,
            reasons=(said["reason"],),
            evidence=(),
            **(NO_NUMBERS | {"standing": said["standing"]}),
        )
        for rank, (artifact, said) in enumerate(best, 1)
    )
