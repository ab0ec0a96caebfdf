"""The registry room: which models of which project served from when, for the measures of how teams deliver.

A model belongs to its artifact's project; one that all projects share, to the project whose run made the version.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import F, Min, OuterRef, Subquery
from django.db.models.functions import Coalesce

from apps.registry.models import AliasMove, Artifact, ArtifactVersion
from apps.tracking.delivery.run_measures import COMMIT
from apps.tracking.delivery.serving import Asked, Move
from apps.tracking.models import Tag
from maestro.clock import from_ms
from maestro.principals import Reach

MOST_MOVES = 50_000
OF_PROJECT = Coalesce("artifact__project_id", "run__experiment__project_id")


def moved(asked: Asked) -> Iterator[Move]:
    """How serving aliases of models moved. What pointed nowhere any more is no move; a deleted artifact tells nothing."""
    names = {name for some in asked.aliases.values() for name in some} | set(asked.usual)
    rows = AliasMove.objects.filter(artifact__kind=Artifact.Kind.MODEL, name__in=names, at__lt=asked.until)
    told = list(rows.exclude(act=AliasMove.Act.DELETE).exclude(to_version_id=None).order_by("-id")[:MOST_MOVES])
    made = made_by(row.to_version_id for row in told if row.to_version_id)
    for row in told:
        version = made.get(row.to_version_id)
        if version is None or version["owner"] is None or row.name not in asked.of(version["owner"]):
            continue
        if asked.projects is not None and version["owner"] not in asked.projects:
            continue
        yield Move(
            number=row.pk,
            project=version["owner"],
            model=row.artifact_name,
            alias=row.name,
            version=str(row.to_number),
            version_id=version["pk"],
            at=row.at,
            is_rollback=row.act == AliasMove.Act.ROLLBACK,
            # The commit of another project's run is that project's own.
            commit=version["commit"] or "" if version["home"] == version["owner"] else "",
        )


def made_by(versions: Iterable[UUID]) -> dict[Any, dict[str, Any]]:
    """Of each version: whose it is, and the commit of its run."""
    commit = Tag.objects.filter(run=OuterRef("run"), key=COMMIT).values("value")[:1]
    found = ArtifactVersion.objects.filter(pk__in=set(versions)).annotate(
        owner=OF_PROJECT, home=F("run__experiment__project_id"), commit=Subquery(commit)
    )
    return {row["pk"]: dict(row) for row in found.values("pk", "owner", "home", "commit")}


def first_registered(projects: Reach) -> dict[UUID, datetime]:
    """When each project registered its first model that is ready."""
    rows = ArtifactVersion.objects.exclude(state=ArtifactVersion.State.DRAFT).filter(artifact__kind=Artifact.Kind.MODEL)
    rows = rows.annotate(owner=OF_PROJECT).exclude(owner=None).order_by()
    if projects is not None:
        rows = rows.filter(owner__in=projects)
    return {owner: from_ms(first) for owner, first in rows.values_list("owner").annotate(first=Min("created_ms"))}
