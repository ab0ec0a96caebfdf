"""The registry room: passing a gate: the conditions are looked at as the alias or stage moves, and kept as evidence.

Called with the artifact held, in the transaction of the move, so that what is kept is what was true.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote
from uuid import UUID

import orjson
from django.db.models import Max

from apps.registry.gates.conditions import Outcome, is_ready, judge
from apps.registry.gates.rules import kept_facts, standing_before
from apps.registry.models import Alias, Approval, Artifact, ArtifactVersion, Evidence, Gate, Promotion, Target
from apps.registry.notices.gates import REFUSED, at_gate
from apps.tracking.notices.events import Happening
from maestro.errors import Conflict, Fault, Forbidden
from maestro.principals import Actor


@dataclass(frozen=True)
class Verdict:
    """How a version stands before the gates of an alias or a stage.

    outcomes  of each condition, without approvals
    needed    approvals that are asked for; the most that any gate asks
    given     approvals that count: given to what stands there now
    seen      digest of what approvers look at: version, gates, figures, and where the alias points
    """

    version: ArtifactVersion
    target: Target
    before: int | None
    gates: list[Gate]
    outcomes: list[Outcome]
    needed: int
    given: list[Approval]
    seen: str

    @property
    def unmet(self) -> list[Outcome]:
        """The conditions that are not met, approvals apart."""
        return [one for one in self.outcomes if not one.is_met]

    @property
    def missing(self) -> int:
        """How many approvals are missing."""
        return max(self.needed - len(self.given), 0)

    @property
    def passes(self) -> bool:
        """Say whether nothing is missing."""
        return not self.unmet and not self.missing

    def told(self) -> list[dict[str, Any]]:
        """Write each condition with its outcome, the approvals last."""
        rows = [one.told() for one in self.outcomes]
        return [*rows, approvals_of(self).told()] if self.needed else rows


def approvals_of(verdict: Verdict) -> Outcome:
    """Say how many approvals there are of how many."""
    gate = next((gate for gate in verdict.gates if gate.approvals == verdict.needed), None)
    given = [{"by": one.given_by, "at": one.at.isoformat(), "why": one.why} for one in verdict.given]
    text = f"{len(given)} of {verdict.needed} approvals by others than its author and who asks"
    facts = {"needed": verdict.needed, "given": given}
    return Outcome(gate.name if gate else "", "approvals", not verdict.missing, text, facts)


def stands_at(artifact: Artifact, target: Target) -> int | None:
    """The number of the version that has an alias, or the highest that is in a stage."""
    if target.what == "alias":
        found = Alias.objects.filter(artifact=artifact, name=target.name)
        return found.values_list("version__number", flat=True).first()
    return artifact.versions.filter(stage=target.name).aggregate(most=Max("number"))["most"]  # type: ignore[no-any-return]


def open_promotion(version: ArtifactVersion, target: Target) -> Promotion | None:
    """Fetch the promotion that waits for this."""
    return Promotion.objects.waiting().filter(version=version, what=target.what, name=target.name).first()


def look(version: ArtifactVersion, target: Target, at: datetime, *, promotion: Promotion | None = None) -> Verdict:
    """Judge a version as it is now. The approvals are those of `promotion`, or of the one that waits."""
    gates = standing_before(version.artifact, target)
    outcomes = [is_ready(version)] if gates else []
    outcomes += [one for gate in gates for one in judge(gate, version, target, at)]
    before = stands_at(version.artifact, target)
    seen = digest_of(version, gates, outcomes, before)
    promotion = promotion or open_promotion(version, target)
    given = list(promotion.approvals.filter(is_given=True, seen=seen)) if promotion else []
    needed = max((gate.approvals for gate in gates), default=0)
    return Verdict(version, target, before, gates, outcomes, needed, given, seen)


def digest_of(version: ArtifactVersion, gates: Iterable[Gate], outcomes: Iterable[Outcome], before: int | None) -> str:
    """Digest what there is to see. Time alone changes none of it."""
    told = {
        "version": [str(version.pk), version.digest, version.state, version.source],
        "gates": [[str(gate.pk), gate.revision] for gate in gates],
        "facts": [one.facts for one in outcomes],
        "before": before,
    }
    return hashlib.sha256(orjson.dumps(told, option=orjson.OPT_SORT_KEYS)).hexdigest()


def refused(verdict: Verdict) -> Conflict:
    """Tell each condition that is not met in plain words."""
    artifact = verdict.version.artifact.name
    lacking = [one.text for one in verdict.unmet]
    unmet = verdict.unmet
    if verdict.missing:
        lacking.append(
            f"{approvals_of(verdict).text}: ask for it by POST /api/v1/artifacts/{quote(artifact)}/promotions/"
        )
        unmet = [*unmet, approvals_of(verdict)]
    names = ", ".join(repr(gate.name) for gate in verdict.gates)
    what = f"{verdict.target} of {artifact} is protected by {names}; v{verdict.version.number} may not have it"
    faults = [Fault(f"/{one.kind}", one.kind, one.text) for one in unmet]
    return Conflict(f"{what}: {'; '.join(lacking)}", REFUSED, faults=faults)


def hold_gates(artifact: Artifact, target: Target) -> None:
    """Let no gate before a target change until the move is done."""
    ids = [gate.pk for gate in standing_before(artifact, target)]
    if ids:
        list(Gate.objects.select_for_update(of=("self",)).filter(pk__in=ids).order_by("pk"))


def enter(version: ArtifactVersion, target: Target, by: Actor, *, at: datetime, why: str = "") -> Evidence | None:
    """Pass the gates before an alias or a stage, if there are any, and keep the evidence. Ends the promotion that waits.

    Raises Conflict, `gate_refused`.
    """
    hold_gates(version.artifact, target)
    verdict = look(version, target, at)
    if not verdict.passes:
        raise refused(verdict)
    promotion = open_promotion(version, target)
    kept = keep(verdict, by, at=at, why=why, promotion=promotion) if verdict.gates else None
    if promotion is not None:
        end(promotion, Promotion.State.DONE, by, at)
    if verdict.gates:
        at_gate(Happening.GATE_PASSED, version, target, at)
    return kept


def end(promotion: Promotion, state: Promotion.State, by: Actor, at: datetime) -> None:
    """Write how a promotion ended."""
    promotion.state, promotion.ended_by, promotion.ended_at = state, by.name[:250], at
    promotion.save(update_fields=["state", "ended_by", "ended_at"])


def keep(
    verdict: Verdict,
    by: Actor,
    *,
    at: datetime,
    why: str,
    promotion: Promotion | None = None,
    act: Evidence.Act = Evidence.Act.PROMOTION,
) -> Evidence:
    """Write down why something was let through."""
    version = verdict.version
    return Evidence.objects.create(
        artifact_id=version.artifact_id,
        artifact_name=version.artifact.name,
        at=at,
        act=act,
        what=verdict.target.what,
        name=verdict.target.name,
        version_id=version.pk,
        number=version.number,
        digest=version.digest,
        run_hex=version.run_hex,
        before_number=verdict.before,
        gates=[kept_facts(gate) for gate in verdict.gates],
        outcomes=verdict.told(),
        promotion_id=promotion.pk if promotion else None,
        made_by=version.created_by,
        asked_by=promotion.asked_by if promotion else by.name[:250],
        moved_by=by.name[:250],
        why=(promotion.why if promotion else "") or why,
    )


def has_passed(version: ArtifactVersion, target: Target) -> bool:
    """Say whether a version once passed the gates of an alias or a stage."""
    once = Evidence.objects.filter(artifact_id=version.artifact_id, version_id=version.pk, act=Evidence.Act.PROMOTION)
    return once.filter(what=target.what, name=target.name).exists()


def come_back(version: ArtifactVersion, target: Target, by: Actor, *, at: datetime, why: str) -> Evidence | None:
    """Let a version back that passed once, whatever is asked today. Raises Conflict, `gate_refused`."""
    verdict = look(version, target, at)
    if not verdict.gates:
        return None
    if not has_passed(version, target):
        names = ", ".join(repr(gate.name) for gate in verdict.gates)
        text = f"v{version.number} of {version.artifact.name} never passed {names}, so {target} does not go back to it"
        raise Conflict(f"{text}; promote it", REFUSED, faults=[Fault("/passed", "never_passed", text)])
    return keep(verdict, by, at=at, why=why, act=Evidence.Act.ROLLBACK)


def admit(version: ArtifactVersion, target: Target, by: Actor, *, at: datetime, why: str) -> Evidence | None:
    """Let a version stand where another tool had it, and keep how it stands before the gates there.

    That is no promotion: nothing was asked, and no rollback goes back to it. For what operators bring in.
    """
    verdict = look(version, target, at)
    return keep(verdict, by, at=at, why=why, act=Evidence.Act.IMPORT) if verdict.gates else None


def leave(version: ArtifactVersion, target: Target, by: Actor, *, at: datetime, why: str = "") -> Evidence | None:
    """Take a protected alias or stage away from a version: that is for approvers. Raises Forbidden, `gate_refused`."""
    verdict = look(version, target, at)
    if not verdict.gates:
        return None
    require_approver(by, version.artifact.project_id, f"{target} of {version.artifact.name} is protected")
    return keep(verdict, by, at=at, why=why, act=Evidence.Act.REMOVAL)


def require_approver(by: Actor, home: UUID | None, because: str) -> None:
    """Raise Forbidden unless somebody may approve what is done to a project's artifacts, or to shared ones."""
    if by.who is not None and not by.who.has_role("approver", home):
        raise Forbidden(f"{because}: only an approver may do this", REFUSED)


def require_same_gates(artifact: Artifact, before: Iterable[Gate], by: Actor, *, home: UUID | None) -> None:
    """Raise Forbidden if an artifact has left gates by a change, and nobody who may approve at its old home did it."""
    left = {gate.pk for gate in before} - set(Gate.objects.over(artifact).values_list("pk", flat=True))
    if left:
        require_approver(by, home, "this takes the artifact out of a gate")


def protected_of(artifact: Artifact) -> list[tuple[ArtifactVersion, Target]]:
    """List the protected aliases and stages that an artifact's versions have."""
    gates = list(Gate.objects.over(artifact))
    aliases = Alias.objects.select_related("version__logged_model").filter(artifact=artifact).order_by("name")
    held = [(alias.version, Target("alias", alias.name)) for alias in aliases]
    staged = artifact.versions.filter(stage__in={stage for gate in gates for stage in gate.stages})
    held += [(one, Target("stage", one.stage)) for one in staged.order_by("number")]
    found = [(one, target) for one, target in held if any(gate.protects(target) for gate in gates)]
    for one, _ in found:
        one.artifact = artifact
    return found


def leave_all(artifact: Artifact, by: Actor, *, at: datetime, why: str, version: ArtifactVersion | None = None) -> None:
    """Leave every protected alias and stage: of one version, or of all."""
    for one, target in protected_of(artifact):
        if version is None or one.pk == version.pk:
            leave(one, target, by, at=at, why=why)
