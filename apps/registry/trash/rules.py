"""The registry room: what the trash of artifacts and that of versions have in common."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from django.db.models import Q

from apps.registry import aliases
from apps.registry.gates import passage
from apps.registry.models import Alias, AliasMove, Artifact, ArtifactVersion, Gate, Promotion, Target, Usage
from maestro.clock import from_ms
from maestro.errors import Conflict
from maestro.principals import Actor

NOTHING = {"deleted_ms": None, "deleted_by": ""}


def mark(by: Actor, at_ms: int) -> dict[str, object]:
    """Write when something went into the trash, and by whom."""
    return {"deleted_ms": at_ms, "deleted_by": by.name[:250]}


def require_unused(row: Artifact | ArtifactVersion) -> None:
    """Raise Conflict if a run or a project uses it, or a version of it.

    The versions are locked, so that whoever notes a use meanwhile has committed it before, or waits.
    """
    is_version = isinstance(row, ArtifactVersion)
    versions = ArtifactVersion.objects.filter(Q(pk=row.pk) if is_version else Q(artifact=row.pk))
    ids = list(versions.select_for_update(of=("self",)).order_by("pk").values_list("pk", flat=True))
    if Usage.objects.filter(version__in=ids).exists():
        raise Conflict(f"{row} is in use by a run or a project, so it stays; archive it instead", "in_use")


def withdraw(promotions: Iterable[Promotion], by: Actor, at: datetime) -> None:
    """End what waits for approval: there is nothing to approve any more."""
    for promotion in promotions:
        passage.end(promotion, Promotion.State.WITHDRAWN, by, at)


def bring_back(artifact: Artifact, ids: Iterable[UUID], by: Actor, *, deleted_ms: int, at_ms: int) -> None:
    """Take versions that went at some time out of the trash, with the aliases that they had then.

    What a gate protects does not come back by itself: nobody has looked at the gate.
    """
    gates, found = list(Gate.objects.over(artifact)), list(ids)
    ArtifactVersion.everything.filter(pk__in=found).update(**NOTHING, updated_ms=at_ms)
    back = ArtifactVersion.objects.filter(pk__in=found)
    back.filter(stage__in={stage for gate in gates for stage in gate.stages}).update(stage="None")
    versions = back.in_bulk()
    moves = AliasMove.objects.filter(artifact_id=artifact.pk, act=AliasMove.Act.DELETE, at=from_ms(deleted_ms))
    for move in moves.filter(from_version_id__in=found).order_by("id"):
        target = Target("alias", move.name)
        is_taken = Alias.objects.filter(artifact=artifact, name=move.name).exists()
        if move.from_version_id is None or is_taken or any(gate.protects(target) for gate in gates):
            continue
        version = versions[move.from_version_id]
        version.artifact = artifact
        act, at = AliasMove.Act.SET, from_ms(at_ms)
        aliases.turn(version, move.name, by, act=act, at=at, evidence=None, why="it was restored")
