"""The registry room: the stages of versions, which MLflow has given up for aliases and old clients still use."""

from django.db import transaction

from apps.registry import artifacts, versions
from apps.registry.actions import Act
from apps.registry.models import ArtifactVersion
from apps.tenants.access.audit.recording import record
from maestro.errors import Invalid
from maestro.principals import Actor

STAGES = ("None", "Staging", "Production", "Archived")
SERVING = ("Staging", "Production")


def read(text: str) -> str:
    """Read a stage in any case. Raises Invalid."""
    for stage in STAGES:
        if stage.lower() == text.lower():
            return stage
    raise Invalid(f"there is no stage {text[:60]!r}", "bad_stage", facts={"stage": text[:60]})


def move(
    version: ArtifactVersion, stage: str, by: Actor, *, at_ms: int, archive_others: bool = False
) -> ArtifactVersion:
    """Move a version to a stage; with `archive_others` the versions there go to Archived. Raises Invalid, NotFound."""
    if archive_others and stage not in SERVING:
        raise Invalid("only what moves to Staging or Production may archive what was there", "bad_stage")
    with transaction.atomic():
        held = versions.hold(version, by)
        if archive_others:
            others = ArtifactVersion.objects.filter(artifact=held.artifact_id, stage=stage).exclude(pk=held.pk)
            others.update(stage="Archived", updated_ms=at_ms)
        before = held.stage
        artifacts.touch(held, at_ms=at_ms, stage=stage)
        artifacts.touch(held.artifact, at_ms=at_ms)
        record(by, Act.VERSION_STAGE, subject=held, before={"stage": before}, after={"stage": stage})
    return held
