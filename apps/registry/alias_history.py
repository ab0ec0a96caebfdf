"""The registry room: where aliases pointed, from when, and who moved them how. Kept for ever; process measures read it."""

from datetime import datetime
from uuid import UUID

from apps.registry.models import Alias, AliasMove, Artifact, ArtifactVersion, Evidence
from maestro.principals import Actor

# So far back somebody may go.
READ = 1_000


def note(  # noqa: PLR0913 a move is all of these
    artifact: Artifact,
    name: str,
    by: Actor,
    *,
    act: AliasMove.Act,
    at: datetime,
    old: ArtifactVersion | None,
    new: ArtifactVersion | None,
    evidence: Evidence | None = None,
    why: str = "",
) -> AliasMove:
    """Write down a move, in its transaction and with the artifact held, so that moves are numbered in their order."""
    return AliasMove.objects.create(
        artifact_id=artifact.pk,
        artifact_name=artifact.name,
        at=at,
        name=name,
        act=act,
        from_version_id=old.pk if old else None,
        from_number=old.number if old else None,
        to_version_id=new.pk if new else None,
        to_number=new.number if new else None,
        evidence_id=evidence.pk if evidence else None,
        moved_by=by.name[:250],
        why=why or (evidence.why if evidence else ""),
    )


def note_deletions(artifact: Artifact, by: Actor, *, at: datetime, why: str, version: ArtifactVersion | None) -> None:
    """Write down that the aliases of a version, or of all, go with it."""
    aliases = Alias.objects.filter(artifact=artifact) if version is None else version.aliases.all()
    for alias in aliases.select_related("version").order_by("name"):
        note(artifact, alias.name, by, act=AliasMove.Act.DELETE, at=at, old=alias.version, new=None, why=why)


def previous(alias: Alias) -> ArtifactVersion | None:
    """Fetch the version that an alias pointed at before, of those that are still there and ready; None if there is none.

    Who goes back twice comes to the one before that, not to where they began.
    """
    rows = AliasMove.objects.filter(artifact_id=alias.artifact_id, name=alias.name).order_by("-id")[:READ]
    stack: list[UUID] = []
    for row in reversed(rows):
        if row.act == AliasMove.Act.DELETE or row.to_version_id is None:
            stack = []
        elif row.act == AliasMove.Act.ROLLBACK and row.to_version_id in stack:
            del stack[len(stack) - stack[::-1].index(row.to_version_id) :]
        else:
            stack += [*([row.from_version_id] if row.from_version_id and not stack else []), row.to_version_id]
    ready = ArtifactVersion.objects.ready().select_related("artifact", "logged_model").in_bulk(stack)
    earlier = [ready[pk] for pk in stack if pk in ready and pk != alias.version_id]
    return earlier[-1] if earlier else None
