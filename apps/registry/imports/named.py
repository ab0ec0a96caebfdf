"""The registry room: artifacts of other tools, known again by what they were called there."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from apps.registry import artifacts
from apps.registry.models import Artifact, ArtifactTag
from maestro import limits
from maestro.errors import Invalid
from maestro.principals import Actor

SOURCE_TAG = "maestro.import.source"


@dataclass(frozen=True)
class Origin:
    """Where things come from: what the source is called, the project that takes them, who brings them and when."""

    name: str
    project_id: UUID | None
    by: Actor
    now: int


@dataclass(frozen=True)
class Given:
    """A thing of the source: the note that tells it from others there, and what it is here."""

    key: str
    identity: str
    name: str
    kind: str
    description: str = ""
    owner: str = ""
    tags: Mapping[str, str] | None = None


def find(given: Given, origin: Origin) -> Artifact | None:
    """Find the artifact that came as this one before."""
    came = Artifact.objects.filter(tags__key=SOURCE_TAG, tags__value=origin.name)
    same = ArtifactTag.objects.filter(key=given.key, value=given.identity, artifact__in=came)
    tag = same.select_related("artifact").first()
    return tag.artifact if tag else None


def find_or_make(given: Given, origin: Origin) -> Artifact:
    """Find it, or make it. Raises Invalid for a name that is somebody else's."""
    found = find(given, origin)
    if found is not None:
        return found
    name = "".join("_" if char in artifacts.FORBIDDEN else char for char in given.name)[: limits.NAME_CHARS]
    if Artifact.objects.filter(name=name).exists():
        raise Invalid(f"the name {name!r} is taken by another artifact", "name_taken")
    new = artifacts.NewArtifact(
        name,
        kind=given.kind,
        description=given.description,
        owner=given.owner,
        project_id=origin.project_id,
        tags={given.key: given.identity, SOURCE_TAG: origin.name, **(given.tags or {})},
    )
    return artifacts.make(new, origin.by, at_ms=origin.now)
