"""The registry room: artifacts into the trash, out of it, and away for ever, with their versions."""

from collections.abc import Callable

from django.db import IntegrityError, transaction

from apps.registry import alias_history, artifacts
from apps.registry.actions import Act
from apps.registry.gates import passage
from apps.registry.models import Alias, Artifact, ArtifactVersion, Promotion
from apps.registry.trash import rules
from apps.tenants.access.audit.recording import record
from maestro.clock import from_ms
from maestro.errors import Conflict
from maestro.principals import Actor


def throw_away(
    artifact: Artifact, by: Actor, *, at_ms: int, guard: Callable[[Artifact], None] | None = None
) -> Artifact:
    """Put an artifact and its versions into the trash. Its name is free, its aliases go. `guard` is asked with the row held.

    Raises NotFound, Conflict if something uses a version, or Forbidden (`gate_refused`) if something protected is its.
    """
    at, why = from_ms(at_ms), "the artifact was deleted"
    with transaction.atomic():
        held = artifacts.hold(artifact, by)
        if guard is not None:
            guard(held)
        rules.require_unused(held)
        passage.leave_all(held, by, at=at, why=why)
        alias_history.note_deletions(held, by, at=at, why=why, version=None)
        Alias.objects.filter(artifact=held).delete()
        rules.withdraw(Promotion.objects.waiting().filter(artifact=held), by, at)
        record(by, Act.ARTIFACT_TRASH, subject=held, before=artifacts.facts_of(held))
        gone = rules.mark(by, at_ms)
        held.versions.update(**gone)
        Artifact.objects.filter(pk=held.pk).update(**gone)
        held.refresh_from_db()
    return held


def bring_back(artifact: Artifact, by: Actor, *, at_ms: int) -> Artifact:
    """Take an artifact and the versions that went with it out of the trash. One that is not there stays as it is.

    Raises NotFound, Forbidden, or Conflict if another artifact has its name now.
    """
    with transaction.atomic():
        held = artifacts.hold(artifact, by, with_trash=True)
        if held.deleted_ms is None:
            return held
        deleted_ms = held.deleted_ms
        with_it = ArtifactVersion.everything.filter(artifact=held, deleted_ms=deleted_ms)
        ids = list(with_it.values_list("pk", flat=True))
        try:
            with transaction.atomic():
                Artifact.everything.filter(pk=held.pk).update(**rules.NOTHING, updated_ms=at_ms)
        except IntegrityError as error:
            text = f"another artifact has the name {held.name!r} now; rename that one first"
            raise Conflict(text, "name_taken") from error
        held.refresh_from_db()
        rules.bring_back(held, ids, by, deleted_ms=deleted_ms, at_ms=at_ms)
        record(by, Act.ARTIFACT_RESTORE, subject=held, after={"name": held.name, "versions": len(ids)})
    return held


def destroy(artifact: Artifact, by: Actor) -> None:
    """Delete an artifact for ever that lies in the trash. Raises Conflict if something uses a version after all."""
    with transaction.atomic():
        held = artifacts.hold(artifact, by, with_trash=True)
        if held.deleted_ms is None:
            raise Conflict(f"{held} is not in the trash", "not_in_trash")
        record(by, Act.ARTIFACT_DELETE, subject=held, before=artifacts.facts_of(held))
        artifacts.take_away(held)
