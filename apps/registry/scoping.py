"""The registry room: what a principal may see and change. Who reaches some projects sees shared artifacts and theirs."""

from collections.abc import Iterable
from contextlib import suppress
from typing import Any
from uuid import UUID

from apps.registry.models import Artifact, ArtifactVersion
from apps.tracking.models import Run
from apps.tracking.scoping import runs_for
from maestro.errors import Forbidden, Invalid, NotFound
from maestro.principals import Principal


def artifacts_for(principal: Principal) -> Any:
    """Artifacts that a principal may see."""
    return Artifact.objects.visible_to(principal.projects)


def trashed_artifacts(principal: Principal, *, and_others: bool = False) -> Any:
    """Artifacts in the trash that a principal might see else; with others, those that are not there too."""
    found = Artifact.everything.visible_to(principal.projects)
    return found if and_others else found.trashed()


def trashed_versions(principal: Principal, *, and_others: bool = False) -> Any:
    """Versions in the trash of artifacts that a principal might see else; with others, those that are not there too."""
    found = ArtifactVersion.everything.filter(artifact__in=trashed_artifacts(principal, and_others=True))
    return found if and_others else found.trashed()


def changeable(principal: Principal, reference: str) -> Artifact:
    """Fetch an artifact to be changed. Raises NotFound, or Forbidden for a shared one out of reach."""
    artifact: Artifact = artifacts_for(principal).fetch(reference)
    require_own(principal, artifact)
    return artifact


def require_own(principal: Principal, artifact: Artifact) -> None:
    """Raise Forbidden if a key of one project, or a role in projects alone, would change what all projects share."""
    if principal.projects is not None and artifact.project_id not in principal.projects:
        raise Forbidden(
            "a key of one project, or a role in projects alone, can't change an artifact that all projects share",
            "project_key",
        )


def runs_named(principal: Principal, identities: Iterable[str | None]) -> dict[str, Run]:
    """Fetch at once the runs that a body names, by how it names them. Those that are not there are left out."""
    ids: dict[str, UUID] = {}
    for identity in identities:
        with suppress(ValueError):
            ids |= {identity: UUID(identity)} if identity else {}
    found = runs_for(principal).select_related("experiment").in_bulk(set(ids.values()))
    return {identity: found[pk] for identity, pk in ids.items() if pk in found}


def run_named(principal: Principal, identity: str | None) -> Run | None:
    """Fetch the run that a body names. Raises Invalid."""
    if not identity:
        return None
    try:
        run: Run = runs_for(principal).select_related("experiment").fetch(identity)
    except NotFound as error:
        raise Invalid(error.detail, "unknown_run") from error
    return run
