"""The registry room: the stages of versions, which MLflow has given up for aliases and old clients still use."""

from django.db import transaction

from apps.registry import artifacts, versions
from apps.registry.actions import Act
from apps.registry.gates import passage
from apps.registry.models import ArtifactVersion, Target
from apps.registry.notices.gates import refusals_told
from apps.tenants.access.audit.recording import record
from maestro.clock import from_ms
from maestro.errors import Invalid
from maestro.principals import Actor

STAGES = ("None", "Staging", "Production", "Archived")
SERVING = ("Staging", "Production")  # upwards: who passes into the next leaves the one below


def read(text: str) -> str:
    """Read a stage in any case. Raises Invalid."""
    for stage in STAGES:
        if stage.lower() == text.lower():
            return stage
    raise Invalid(f"there is no stage {text[:60]!r}", "bad_stage", facts={"stage": text[:60]})


def move(
    version: ArtifactVersion, stage: str, by: Actor, *, at_ms: int, archive_others: bool = False, why: str = ""
) -> ArtifactVersion:
    """Move a version to a stage; with `archive_others` the versions there go to Archived.

    Raises Invalid, NotFound, Conflict or Forbidden (`gate_refused`) if gates stand before the stages it enters or leaves.
    """
    if archive_others and stage not in SERVING:
        raise Invalid("only what moves to Staging or Production may archive what was there", "bad_stage")
    target = Target("stage", stage)
    with refusals_told(version, target, from_ms(at_ms)), transaction.atomic():
        held = versions.hold(version, by)
        before = held.stage
        if stage != before:
            passed = passage.enter(held, target, by, at=from_ms(at_ms), why=why)
            if passed is None or before == SERVING[-1]:
                passage.leave(held, Target("stage", before), by, at=from_ms(at_ms), why=why)
        if archive_others:
            clear(held, stage, by, at_ms=at_ms)
        artifacts.touch(held, at_ms=at_ms, stage=stage)
        artifacts.touch(held.artifact, at_ms=at_ms)
        record(by, Act.VERSION_STAGE, subject=held, before={"stage": before}, after={"stage": stage})
    return held


def admit(version: ArtifactVersion, stage: str, by: Actor, *, at_ms: int, why: str) -> bool:
    """Put a version into the stage that it had in another tool, with its artifact held. Says whether a gate stands there."""
    evidence = passage.admit(version, Target("stage", stage), by, at=from_ms(at_ms), why=why)
    version.stage = stage
    version.save(update_fields=["stage"])
    return evidence is not None


def clear(version: ArtifactVersion, stage: str, by: Actor, *, at_ms: int) -> None:
    """Send the other versions of a stage to Archived. What takes their place has passed; else that is for approvers."""
    others = ArtifactVersion.objects.filter(artifact=version.artifact_id, stage=stage).exclude(pk=version.pk)
    if version.stage == stage:
        for other in others.select_related("logged_model"):
            other.artifact = version.artifact
            passage.leave(other, Target("stage", stage), by, at=from_ms(at_ms))
    others.update(stage="Archived", updated_ms=at_ms)
