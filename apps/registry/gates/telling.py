"""The registry room: a promotion as the doors show it: as it stands now, or, once done, as it was then."""

from datetime import datetime
from typing import Any

from apps.registry.gates import passage
from apps.registry.gates.passage import Verdict
from apps.registry.models import ArtifactVersion, Evidence, Promotion, Target


def line(promotion: Promotion) -> dict[str, Any]:
    """Tell of a promotion in a list."""
    target = {"alias": None, "stage": None} | {promotion.what: promotion.name}
    named = {"artifact": promotion.artifact.name, "version": str(promotion.version.number)}
    plain = ("id", "state", "why", "asked_by", "asked_at", "ended_by", "ended_at")
    return {name: getattr(promotion, name) for name in plain} | named | target


def verdict_facts(verdict: Verdict) -> dict[str, Any]:
    """Tell of a verdict."""
    return {
        "from_version": None if verdict.before is None else str(verdict.before),
        "conditions": verdict.told(),
        "missing_approvals": verdict.missing,
    }


def preview(version: ArtifactVersion, target: Target, at: datetime) -> dict[str, Any]:
    """Tell what would become of a promotion."""
    verdict = passage.look(version, target, at)
    would = "be refused" if verdict.unmet else "wait" if verdict.missing else "be done"
    return {"would": would, **verdict_facts(verdict)}


def whole(promotion: Promotion, at: datetime) -> dict[str, Any]:
    """Tell all of a promotion."""
    if promotion.state != Promotion.State.WAITING:
        return line(promotion) | kept(promotion) | {"words": words(promotion, "")}
    verdict = passage.look(promotion.version, promotion.target, at, promotion=promotion)
    return line(promotion) | verdict_facts(verdict) | {"words": words(promotion, verdict.seen)}


def kept(promotion: Promotion) -> dict[str, Any]:
    """Tell what was true when it was done. Of what was declined or withdrawn, and of what no gate stood before, nothing."""
    evidence = Evidence.objects.filter(artifact_id=promotion.artifact_id, promotion_id=promotion.pk).first()
    if evidence is None:
        return {"from_version": None, "conditions": [], "missing_approvals": 0}
    before = None if evidence.before_number is None else str(evidence.before_number)
    return {"from_version": before, "conditions": evidence.outcomes, "missing_approvals": 0}


def words(promotion: Promotion, seen: str) -> list[dict[str, Any]]:
    """List what approvers said, the first first."""
    return [
        {
            "by": one.given_by,
            "decision": "approve" if one.is_given else "decline",
            "why": one.why,
            "at": one.at,
            "counts": not seen or one.seen == seen,
        }
        for one in promotion.approvals.all()
    ]
