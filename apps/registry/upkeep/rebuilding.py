"""The registry room: artifacts, versions, aliases, lineage and what is kept for ever, restored from what lies in the store.

What is there already stays as it is, so it may be repeated. Runs and logged models are not in manifests: a version keeps
the run's id as it was said, and edges from what is not here are counted.
"""

import uuid
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction

from apps.registry.actions import Act
from apps.registry.models import (
    Alias,
    Artifact,
    ArtifactTag,
    ArtifactVersion,
    Edge,
    LoggedModel,
    VersionFile,
    VersionTag,
)
from apps.registry.upkeep import manifests, recalling
from apps.tenants.access.audit.recording import record
from apps.tracking.files import blobs
from apps.tracking.models import Blob, Project, Run
from maestro import staging
from maestro.principals import Actor

NAMED = 100


@dataclass
class Rebuilt:
    """What was restored, and what could not be. `missing` names manifests whose bytes are not in the store."""

    artifacts: int = 0
    versions: int = 0
    aliases: int = 0
    edges: int = 0
    contents: int = 0
    projects: int = 0
    signatures: int = 0
    signing_keys: int = 0
    gates: int = 0
    kept: int = 0
    edges_left_out: int = 0
    missing: list[str] = field(default_factory=list)


def rebuild(by: Actor, now: datetime) -> Rebuilt:
    """Restore all that manifests tell and the tables lack: each version in a transaction of its own."""
    result, edges, kept = Rebuilt(), [], list(recalling.read_all())
    result.signing_keys = sum(recalling.recall_keys(document, by) for document in kept)
    for key, told in manifests.read_all():
        if ArtifactVersion.everything.filter(pk=uuid.UUID(told["version"]["id"])).exists():
            continue
        if any(staging.size_of(blobs.place_of(file["key"])) != file["size_bytes"] for file in told["files"]):
            result.missing.append(key)
            continue
        with transaction.atomic():
            restore(told, result, by)
        edges += [(uuid.UUID(told["version"]["id"]), edge) for edge in told["edges"]]
    for version, edge in edges:
        join(version, edge, result)
    for document in kept:
        with transaction.atomic():
            result.gates += recalling.recall_gates(document, by)
            result.kept += recalling.recall_kept(document)
    result.missing = result.missing[:NAMED]
    return result


def restore(told: dict[str, Any], result: Rebuilt, by: Actor) -> None:
    """Restore one version, its artifact if it is not here, and the rows of its bytes."""
    artifact = artifact_of(told["artifact"], result)
    facts = dict(told["version"])
    identity, model, tags = uuid.UUID(facts.pop("id")), facts.pop("logged_model"), facts.pop("tags")
    if ArtifactVersion.everything.filter(artifact=artifact, number=facts["number"]).exists():
        return
    run = run_of(facts["run_hex"])
    logged = LoggedModel.objects.filter(pk=uuid.UUID(model.removeprefix("m-"))).first() if model else None
    version = ArtifactVersion.objects.create(pk=identity, artifact=artifact, run=run, logged_model=logged, **facts)
    VersionTag.objects.bulk_create(VersionTag(version=version, key=key, value=value) for key, value in tags.items())
    for file in told["files"]:
        _, is_new = Blob.objects.get_or_create(
            pk=file["sha256"], defaults={"size_bytes": file["size_bytes"], "storage_key": file["key"]}
        )
        result.contents += is_new
        VersionFile.objects.create(version=version, path=file["path"], blob_id=file["sha256"])
    result.signatures += recalling.recall_signatures(told.get("signatures", []))
    for name in told["aliases"]:
        _, is_new = Alias.objects.get_or_create(artifact=artifact, name=name, defaults={"version": version})
        result.aliases += is_new
    result.versions += 1
    record(by, Act.VERSION_RESTORE, subject=version, after={"version": str(version.number), "digest": version.digest})


def artifact_of(told: dict[str, Any], result: Rebuilt) -> Artifact:
    """Find or restore an artifact, in the trash if it lay there. Its project is made anew if it is gone: without one it would be everybody's."""
    facts = dict(told)
    identity, slug, tags = uuid.UUID(facts.pop("id")), facts.pop("project"), facts.pop("tags")
    found = Artifact.everything.filter(pk=identity).first()
    if found is None and facts.get("deleted_ms") is None:
        found = Artifact.objects.filter(name=facts["name"]).first()
    if found is not None:
        most = max(found.next_number, facts["next_number"])
        Artifact.everything.filter(pk=found.pk, next_number__lt=most).update(next_number=most)
        return found
    project = None
    if slug is not None:
        project, is_new = Project.objects.get_or_create(slug=slug, defaults={"name": slug})
        result.projects += is_new
    made = Artifact.objects.create(pk=identity, project=project, **facts)
    ArtifactTag.objects.bulk_create(ArtifactTag(artifact=made, key=key, value=value) for key, value in tags.items())
    result.artifacts += 1
    return made


def run_of(text: str) -> Run | None:
    """The run that a version came from, if it is here."""
    try:
        return Run.objects.filter(pk=uuid.UUID(text)).first() if text else None
    except ValueError:
        return None


def join(version: uuid.UUID, edge: dict[str, Any], result: Rebuilt) -> None:
    """Draw an edge again, if both of its ends are here."""
    models: dict[str, Any] = {"version": ArtifactVersion, "run": Run, "model": LoggedModel}
    start = uuid.UUID(edge["id"])
    is_here = models[edge["from"]].objects.filter(pk=start).exists()
    if not is_here or not ArtifactVersion.everything.filter(pk=version).exists():
        result.edges_left_out += 1
        return
    ends: dict[str, Any] = {"to_version_id": version, f"from_{edge['from']}_id": start}
    _, is_new = Edge.objects.get_or_create(kind=edge["kind"], **ends)
    result.edges += is_new
