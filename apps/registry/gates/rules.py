"""The registry room: make, change and delete gates. Who rules what a gate counts for says what it asks."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from apps.registry.actions import Act
from apps.registry.gates import bounds
from apps.registry.models import Artifact, Gate, Target
from apps.tenants.access.audit.recording import record
from apps.tracking.files.paths import clean_artifact_path
from maestro import limits
from maestro.errors import AlreadyExists, Conflict, Fault, Forbidden, Invalid, NotFound
from maestro.principals import Actor

STAGES = ("Staging", "Production")
PLAIN = (
    "name",
    "kind",
    "spares_prompts",
    "aliases",
    "stages",
    "metrics",
    "files",
    "sections",
    "needs_signature",
    "max_run_age_hours",
    "approvals",
)
LISTS = ("aliases", "stages", "metrics", "files", "sections")
Guard = Callable[[Gate], None]


def facts_of(gate: Gate) -> dict[str, Any]:
    """Tell of a gate: to the log, to who looks, and as evidence of what it asked."""
    told = {name: getattr(gate, name) for name in PLAIN}
    told["artifact"] = gate.artifact.name if gate.artifact else None
    told["project"] = gate.project.slug if gate.project else None
    return told


def kept_facts(gate: Gate) -> dict[str, Any]:
    """Tell of a gate with what tells one state of it from another."""
    return {"id": str(gate.pk), "revision": gate.revision, **facts_of(gate)}


def check(gate: Gate) -> None:
    """Raise Invalid naming the field that is wrong."""
    faults = [Fault(f"/{name}", "invalid", detail) for name, detail in wrong_in(gate)]
    if faults:
        raise Invalid(f"{faults[0].pointer[1:]}: {faults[0].detail}", "bad_gate", faults=faults)


def wrong_in(gate: Gate) -> list[tuple[str, str]]:
    """List what is wrong with a gate, by field."""
    wrong = [(name, f"at most {limits.GATE_NAMES}") for name in LISTS if len(getattr(gate, name)) > limits.GATE_NAMES]
    if not gate.name.strip():
        wrong.append(("name", "a gate has a name"))
    if gate.artifact_id and (gate.project_id or gate.kind):
        wrong.append(("artifact", "a gate of one artifact is of no project and no kind besides"))
    if gate.spares_prompts and (gate.artifact_id or gate.kind):
        wrong.append(("spares_prompts", "a gate of one artifact or kind has no prompts to spare"))
    if not gate.aliases and not gate.stages:
        wrong.append(("aliases", "a gate protects an alias or a stage at least; * is every alias"))
    if not set(gate.stages) <= set(STAGES):
        wrong.append(("stages", f"only {' and '.join(STAGES)} can be protected"))
    if not asks_something(gate):
        wrong.append(("approvals", "a gate that asks for nothing protects nothing"))
    return wrong + wrong_paths(gate)


def wrong_paths(gate: Gate) -> list[tuple[str, str]]:
    """List the files that no version could have."""
    wrong = []
    for path in gate.files:
        try:
            clean_artifact_path(path.removesuffix("/"))
        except Invalid as error:
            wrong.append(("files", error.detail))
    return wrong


def asks_something(gate: Gate) -> bool:
    """Say whether a gate has any condition."""
    listed = gate.metrics or gate.files or gate.sections
    return bool(listed or gate.needs_signature or gate.approvals or gate.max_run_age_hours is not None)


def require_rule(by: Actor, gate: Gate) -> None:
    """Raise Forbidden unless somebody rules all that a gate counts for: a project's, or the tenant."""
    if gate.home is None and by.projects is not None:
        raise Forbidden("only an admin of the whole tenant rules what is shared by all projects", "project_key")
    by.require("admin", [gate.home])


def add(gate: Gate, by: Actor, *, at: datetime) -> Gate:
    """Make a gate. Raises AlreadyExists, Invalid, Forbidden, or Conflict if there are too many."""
    check(gate)
    require_rule(by, gate)
    with transaction.atomic():
        if Gate.objects.count() >= limits.GATES:
            raise Conflict(f"a tenant has at most {limits.GATES} gates", "too_many_gates")
        require_few_bounds(gate)
        write(gate, by, at=at, is_new=True)
        record(by, Act.GATE_ADD, subject=gate, after=facts_of(gate))
    return gate


def require_few_bounds(gate: Gate) -> None:
    """Raise Conflict if the gates of the tenant would ask for more figures than one request may look at."""
    others = Gate.objects.exclude(pk=gate.pk).values_list("metrics", flat=True)
    if len(gate.metrics) + sum(map(len, others)) > limits.GATE_BOUNDS:
        raise Conflict(f"the gates of a tenant have at most {limits.GATE_BOUNDS} bounds on metrics", "too_many_bounds")


def write(gate: Gate, by: Actor, *, at: datetime, is_new: bool = False) -> None:
    """Write the row. Raises AlreadyExists."""
    gate.changed_by, gate.changed_at = by.name[:250], at
    try:
        with transaction.atomic():
            gate.save(force_insert=is_new)
    except IntegrityError as error:
        raise AlreadyExists(f"there is a gate named {gate.name!r}") from error


def change(gate: Gate, facts: Mapping[str, Any], by: Actor, *, at: datetime, guard: Guard | None = None) -> Gate:
    """Write some facts of a gate; what was approved before is to be approved anew. `guard` is asked with the row held.

    Raises NotFound, AlreadyExists, Invalid, Forbidden.
    """
    with transaction.atomic():
        held = hold(gate, by)
        if guard is not None:
            guard(held)
        before = facts_of(held)
        for name, value in facts.items():
            setattr(held, name, value)
        check(held)
        require_rule(by, held)
        require_few_bounds(held)
        after = facts_of(held)
        if before != after:
            held.revision += 1
            write(held, by, at=at)
            record(by, Act.GATE_CHANGE, subject=held, before=before, after=after)
    return held


def hold(gate: Gate, by: Actor) -> Gate:
    """Lock a gate to be changed and read it anew. Raises NotFound if it went meanwhile, or Forbidden."""
    held = Gate.objects.select_for_update(of=("self",)).select_related("artifact", "project").filter(pk=gate.pk).first()
    if held is None:
        raise NotFound("there is no such gate")
    require_rule(by, held)
    return held


def delete(gate: Gate, by: Actor, *, guard: Guard | None = None) -> None:
    """Delete a gate: what it protected is open, if no other gate protects it. Raises NotFound, Forbidden."""
    with transaction.atomic():
        held = hold(gate, by)
        if guard is not None:
            guard(held)
        record(by, Act.GATE_DELETE, subject=held, before=facts_of(held))
        held.delete()


def standing_before(artifact: Artifact, target: Target) -> list[Gate]:
    """Fetch the gates before an alias or a stage of an artifact, by name."""
    over = Gate.objects.over(artifact).select_related("artifact", "project")
    return [gate for gate in over if gate.protects(target)]


def read_metrics(lines: str) -> list[dict[str, Any]]:
    """Read bounds as people write them, one a line. Raises Invalid."""
    return [bounds.as_json(bounds.read_line(line)) for line in lines.splitlines() if line.strip()]
