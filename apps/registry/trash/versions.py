"""The registry room: versions into the trash, out of it, and away for ever. Their numbers are never given again."""

from collections.abc import Callable

from django.db import IntegrityError, transaction

from apps.registry import alias_history, artifacts, versions
from apps.registry.actions import Act
from apps.registry.gates import passage
from apps.registry.models import Artifact, ArtifactVersion, Promotion
from apps.registry.trash import rules
from apps.tenants.access.audit.recording import record
from maestro.clock import from_ms
from maestro.errors import Conflict
from maestro.principals import Actor


def throw_away(
    version: ArtifactVersion, by: Actor, *, at_ms: int, guard: Callable[[ArtifactVersion], None] | None = None
) -> ArtifactVersion:
    """Put a version into the trash; its aliases go. `guard` is asked with the row held.

    Raises NotFound, Conflict if something uses it, or Forbidden (`gate_refused`) if a protected alias or stage is its.
    """
    at, why = from_ms(at_ms), "the version was deleted"
    with transaction.atomic():
        held = versions.hold(version, by)
        if guard is not None:
            guard(held)
        rules.require_unused(held)
        passage.leave_all(held.artifact, by, at=at, why=why, version=held)
        alias_history.note_deletions(held.artifact, by, at=at, why=why, version=held)
        held.aliases.all().delete()
        rules.withdraw(Promotion.objects.waiting().filter(version=held), by, at)
        record(by, Act.VERSION_TRASH, subject=held, before=versions.facts_of(held))
        ArtifactVersion.objects.filter(pk=held.pk).update(**rules.mark(by, at_ms))
        Artifact.objects.filter(pk=held.artifact_id).update(updated_ms=at_ms)
        held.refresh_from_db(fields=["deleted_ms", "deleted_by"])
    return held


def bring_back(version: ArtifactVersion, by: Actor, *, at_ms: int) -> ArtifactVersion:
    """Take a version out of the trash, under its old number. One that is not there stays as it is.

    Raises NotFound, Forbidden, or Conflict if its artifact is in the trash or the same content is a version again.
    """
    with transaction.atomic():
        held = versions.hold(version, by, with_trash=True)
        if held.deleted_ms is None:
            return held
        if held.artifact.deleted_ms is not None:
            raise Conflict(f"{held.artifact} is in the trash; restore it first", "artifact_is_deleted")
        try:
            with transaction.atomic():
                rules.bring_back(held.artifact, [held.pk], by, deleted_ms=held.deleted_ms, at_ms=at_ms)
        except IntegrityError as error:
            raise Conflict(f"the same files are another version of {held.artifact} now", "content_is_there") from error
        Artifact.objects.filter(pk=held.artifact_id).update(updated_ms=at_ms)
        facts = {"version": str(held.number), "digest": held.digest}
        record(by, Act.VERSION_RESTORE, subject=held, after=facts)
    return ArtifactVersion.objects.for_page().get(pk=held.pk)


def destroy(version: ArtifactVersion, by: Actor) -> None:
    """Delete a version for ever that lies in the trash. Raises Conflict if something uses it after all."""
    with transaction.atomic():
        held = versions.hold(version, by, with_trash=True)
        if held.deleted_ms is None:
            raise Conflict(f"{held} is not in the trash", "not_in_trash")
        record(by, Act.VERSION_DELETE, subject=held, before=versions.facts_of(held))
        artifacts.take_away(held)
