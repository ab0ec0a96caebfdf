"""The registry room: promotions: asked for, approved or declined, and done as soon as nothing is missing.

The act of the last approver moves the alias or stage. If something else is missing by then, asking again does.
"""

from collections.abc import Callable
from datetime import datetime

from django.db import transaction
from django.db.models import Exists, OuterRef

from apps.registry import aliases, artifacts, stages, versions
from apps.registry.actions import Act
from apps.registry.gates import passage
from apps.registry.gates.rules import STAGES, standing_before
from apps.registry.models import Approval, ArtifactVersion, Promotion, Target
from apps.registry.models.gates import PromotionQuerySet
from apps.registry.notices.gates import at_gate, refusals_told
from apps.tenants.access.audit.recording import record
from apps.tenants.access.keys.keyring import answers_for, names_of
from apps.tracking.notices.events import Happening
from maestro import limits
from maestro.clock import to_ms
from maestro.errors import Conflict, Forbidden, Invalid, NotFound
from maestro.principals import Actor

Guard = Callable[[Promotion], None]


def read_target(*, alias: str = "", stage: str = "") -> Target:
    """Read what is asked for: an alias or a stage. Raises Invalid."""
    if bool(alias) == bool(stage):
        raise Invalid("name an alias or a stage: one of them", "bad_target")
    if alias:
        aliases.check_alias(alias)
        return Target("alias", alias)
    found = stages.read(stage)
    if found not in STAGES:
        raise Invalid(f"a version is promoted to {' or '.join(STAGES)}", "bad_stage")
    return Target("stage", found)


def ask(version: ArtifactVersion, target: Target, by: Actor, *, at: datetime, why: str = "") -> Promotion:
    """Ask that a version get an alias or a stage. If nothing is missing it does; if only approvals are, it waits.

    What waits already is asked again. Raises Conflict: it is there already, or a gate refuses; NotFound, Forbidden.
    """
    by.require("contributor", [version.artifact.project_id])
    with refusals_told(version, target, at), transaction.atomic():
        held = versions.hold(version, by)
        verdict = passage.look(held, target, at)
        if is_there(held, target):
            raise Conflict(f"v{held.number} has {target} already", "already_there")
        if verdict.unmet:
            raise passage.refused(verdict)
        promotion = passage.open_promotion(held, target)
        if promotion is None:
            promotion = begin(held, target, by, at=at, why=why)
            if not verdict.passes:
                at_gate(Happening.GATE_WAITING, held, target, at)
        if verdict.passes:
            move(held, target, by, at=at, why=why)
            promotion.refresh_from_db()
    return promotion


def is_there(version: ArtifactVersion, target: Target) -> bool:
    """Say whether a version has an alias or a stage already."""
    if target.what == "stage":
        return version.stage == target.name
    return version.aliases.filter(name=target.name).exists()


def begin(version: ArtifactVersion, target: Target, by: Actor, *, at: datetime, why: str) -> Promotion:
    """Write down what is asked for. Raises Conflict if too much waits already."""
    if Promotion.objects.waiting().filter(artifact=version.artifact).count() >= limits.PROMOTIONS_WAITING:
        raise Conflict(f"{limits.PROMOTIONS_WAITING} promotions of this artifact wait already", "too_many_promotions")
    promotion = Promotion.objects.create(
        artifact=version.artifact,
        version=version,
        what=target.what,
        name=target.name,
        why=why,
        asked_by=by.name[:250],
        asked_at=at,
    )
    record(by, Act.PROMOTION_ASK, subject=promotion, after=told(promotion))
    return promotion


def told(promotion: Promotion) -> dict[str, str]:
    """Tell the log of a promotion."""
    return {
        "artifact": promotion.artifact.name,
        "version": str(promotion.version.number),
        promotion.what: promotion.name,
        "why": promotion.why,
    }


def move(version: ArtifactVersion, target: Target, by: Actor, *, at: datetime, why: str) -> None:
    """Give the alias or the stage; versions that were in the stage go to Archived."""
    if target.what == "alias":
        aliases.point(version.artifact, target.name, version, by, at=at, why=why)
    else:
        stages.move(version, target.name, by, at_ms=to_ms(at), archive_others=True, why=why)


def hold(promotion: Promotion, by: Actor) -> Promotion:
    """Lock a promotion's artifact and gates and read it anew. Raises NotFound, Forbidden, or Conflict if it ended."""
    artifact = artifacts.hold(promotion.artifact, by)
    held = Promotion.objects.for_page().filter(pk=promotion.pk).first()
    if held is None:
        raise NotFound("there is no such promotion")
    held.artifact = held.version.artifact = artifact
    if held.state != Promotion.State.WAITING:
        raise Conflict(f"this promotion is {held.state}", "promotion_ended")
    passage.hold_gates(artifact, held.target)
    return held


def approve(promotion: Promotion, by: Actor, *, at: datetime, guard: Guard, why: str = "") -> Promotion:
    """Say yes to a promotion as it is now. If nothing is missing then, it is done.

    `guard` is asked with everything held: is this what the approver looked at? Raises Forbidden, Conflict, NotFound.
    """
    with refusals_told(promotion.version, promotion.target, at), transaction.atomic():
        held = hold(promotion, by)
        guard(held)
        behind = require_other(held, by)
        verdict = passage.look(held.version, held.target, at, promotion=held)
        if any(one.answers_by == behind for one in verdict.given):
            raise Conflict("you have approved this already", "already_approved")
        write(held, by, at=at, why=why, seen=verdict.seen, is_given=True)
        record(by, Act.PROMOTION_APPROVE, subject=held, after=told(held) | {"why": why, "seen": verdict.seen})
        if passage.look(held.version, held.target, at, promotion=held).passes:
            move(held.version, held.target, by, at=at, why=why)
            held.refresh_from_db()
    return held


def decline(promotion: Promotion, by: Actor, *, at: datetime, guard: Guard, why: str = "") -> Promotion:
    """Say no to a promotion, which ends it. Raises Forbidden, Conflict, NotFound."""
    with transaction.atomic():
        held = hold(promotion, by)
        guard(held)
        passage.require_approver(by, held.artifact.project_id, "who declines a promotion is an approver")
        verdict = passage.look(held.version, held.target, at, promotion=held)
        write(held, by, at=at, why=why, seen=verdict.seen, is_given=False)
        passage.end(held, Promotion.State.DECLINED, by, at)
        record(by, Act.PROMOTION_DECLINE, subject=held, after=told(held) | {"why": why})
    return held


def withdraw(promotion: Promotion, by: Actor, *, at: datetime, guard: Guard | None = None) -> None:
    """Take a promotion back: who asked for it, or an approver. Raises Forbidden, Conflict, NotFound."""
    with transaction.atomic():
        held = hold(promotion, by)
        if guard is not None:
            guard(held)
        if held.asked_by != by.name[:250]:
            passage.require_approver(by, held.artifact.project_id, "somebody else asked for this")
        passage.end(held, Promotion.State.WITHDRAWN, by, at)
        record(by, Act.PROMOTION_WITHDRAW, subject=held, before=told(held), after={"state": held.state})


def require_other(promotion: Promotion, by: Actor) -> str:
    """Raise Forbidden unless an approver acts who neither made the version nor asks; name who answers for them."""
    passage.require_approver(by, promotion.artifact.project_id, "who approves a promotion is an approver")
    if names_of(by) & {promotion.asked_by[:250], promotion.version.created_by[:250]}:
        raise Forbidden("somebody else approves what you, or a key of yours, made or ask for", "own_promotion")
    return answers_for(by)


def write(promotion: Promotion, by: Actor, *, at: datetime, why: str, seen: str, is_given: bool) -> None:
    """Keep an approver's word."""
    Approval.objects.create(
        promotion=promotion,
        artifact_id=promotion.artifact_id,
        artifact_name=promotion.artifact.name,
        at=at,
        is_given=is_given,
        given_by=by.name[:250],
        answers_by=answers_for(by),
        why=why,
        seen=seen,
    )


def move_or_ask(
    version: ArtifactVersion,
    target: Target,
    by: Actor,
    *,
    at: datetime,
    why: str = "",
    guard: aliases.Guard | None = None,
) -> Promotion | None:
    """Move what no gate protects, and ask for what one does. Returns the promotion, if there is one.

    `guard` is asked before an open alias is moved. Raises Conflict, NotFound, Forbidden, Invalid.
    """
    if standing_before(version.artifact, target):
        return ask(version, target, by, at=at, why=why)
    if target.what == "alias":
        aliases.point(version.artifact, target.name, version, by, at=at, why=why, guard=guard)
    else:
        move(version, target, by, at=at, why=why)
    return None


def waiting_for(by: Actor) -> PromotionQuerySet:
    """Keep what waits for somebody's word: they may approve it, neither made nor asked for it, and have not spoken yet."""
    rows = Promotion.objects.for_page().waiting()
    within = by.reach_with("approver")
    if within is not None:
        rows = rows.filter(artifact__project_id__in=within)
    names = names_of(by)
    spoken = Approval.objects.filter(promotion=OuterRef("pk"), answers_by__in=names)
    rows = rows.exclude(asked_by__in=names).exclude(version__created_by__in=names)
    return rows.filter(~Exists(spoken)).order_by("-id")
