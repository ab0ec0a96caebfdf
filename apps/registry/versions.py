"""The registry room: immutable versions: made of named files or of what stands at a source, changed in words, deleted."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.db.models import F

from apps.registry import artifacts, logged_models, notes, sources
from apps.registry.actions import Act
from apps.registry.contents import nameable
from apps.registry.models import Artifact, ArtifactVersion, Edge, LoggedModel, VersionFile
from apps.registry.sources import Origin
from apps.tenants.access.audit.recording import record
from apps.tracking.files import blobs
from apps.tracking.files.paths import clean_artifact_path
from apps.tracking.models import Blob, Run
from maestro.errors import Conflict, Fault, Invalid, NotFound
from maestro.principals import Actor

VERSIONS_TAG = "mlflow.modelVersions"


@dataclass(frozen=True)
class NewFile:
    """A file of a version to be made: a path, and a digest of bytes that are here or a short text."""

    path: str
    sha256: str = ""
    text: str | None = None


@dataclass(frozen=True)
class NewVersion:
    """A version to be made: of files that are named one by one, or of what stands at a source.

    digest    what the files' digest has to be, if the caller knows
    run_hex   the run's id as it was said, also of a run that is not here
    """

    files: list[NewFile] = field(default_factory=list)
    source: str = ""
    digest: str = ""
    description: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    run: Run | None = None
    run_hex: str = ""
    run_link: str = ""
    model: LoggedModel | None = None


def manifest_of(files: Iterable[tuple[str, str]]) -> str:
    """Write (path, sha256) pairs as `sha256sum` would, sorted by path."""
    return "".join(f"{sha256}  {path}\n" for path, sha256 in sorted(files))


def digest_of(files: Iterable[tuple[str, str]]) -> str:
    """Digest a manifest: the identity of a version's content."""
    return hashlib.sha256(manifest_of(files).encode()).hexdigest()


def make(artifact: Artifact, new: NewVersion, by: Actor, *, at_ms: int) -> tuple[ArtifactVersion, bool]:
    """Make the next version. Says whether it was made: of named files that are a version already, that one is returned.

    Raises Invalid naming the file or the source that is wrong, NotFound, Forbidden.
    """
    origin = origin_of(new, by)
    digest = digest_of((path, blob.sha256) for path, blob in origin.files) if origin.files else ""
    if new.digest and digest != new.digest:
        raise Invalid(f"these files have the digest {digest}, not {new.digest[:100]}", "digest_mismatch")
    with transaction.atomic():
        # The lock on the artifact makes numbers dense, and lets only one of several equal requests make the version.
        held = artifacts.hold(artifact, by)
        same = None if new.source else ArtifactVersion.objects.filter(artifact=held, digest=digest, source="").first()
        if same is not None:
            return same, False
        version = insert(held, new, origin, digest=digest, by=by, at_ms=at_ms)
        join(version, at_ms)
        record(by, Act.VERSION_CREATE, subject=version, after=facts_of(version))
    return version, True


def origin_of(new: NewVersion, by: Actor) -> Origin:
    """Find a new version's files, and what it came from. Raises Invalid naming what is wrong."""
    if new.source:
        return sources.resolve(new.source, new.run, new.model, principal=by, run_hex=new.run_hex)
    return Origin("", new.run, new.model, list(resolve_files(new.files, by=by).items()))


def insert(
    artifact: Artifact, new: NewVersion, origin: Origin, *, digest: str, by: Actor, at_ms: int
) -> ArtifactVersion:
    """Write the rows of a new version, in its transaction."""
    run = new.run or origin.run
    version = ArtifactVersion.objects.create(
        artifact=artifact,
        number=take_number(artifact, at_ms),
        digest=digest,
        state=ArtifactVersion.State.READY,
        description=new.description,
        source=new.source,
        run_link=new.run_link,
        run=run,
        run_hex=new.run_hex or (run.pk.hex if run else ""),
        logged_model=new.model or origin.model,
        download_uri=origin.download_uri,
        created_by=by.name,
        created_ms=at_ms,
        updated_ms=at_ms,
    )
    VersionFile.objects.bulk_create(VersionFile(version=version, path=p, blob=b) for p, b in origin.files)
    notes.put(version, new.tags)
    return version


def take_number(artifact: Artifact, at_ms: int) -> int:
    """Take the next version number of an artifact that is held."""
    Artifact.objects.filter(pk=artifact.pk).update(next_number=F("next_number") + 1, updated_ms=at_ms)
    return Artifact.objects.values_list("next_number", flat=True).get(pk=artifact.pk) - 1


def join(version: ArtifactVersion, at_ms: int) -> None:
    """Draw a new version's lineage, and note it on its logged model as MLflow does."""
    model = version.logged_model
    if model is None:
        if version.run is not None:
            Edge.objects.create(from_run=version.run, to_version=version, kind="produced")
        return
    Edge.objects.create(from_model=model, to_version=version, kind="registered")
    if not version.artifact.is_visible_to([project for project in [model.experiment.project_id] if project]):
        return  # its name is not for everybody who sees the model
    held = logged_models.hold(model)
    known = noted_versions(held.tags.get(VERSIONS_TAG, "[]"))
    known.append({"name": version.artifact.name, "version": version.number})
    logged_models.set_tags(held, {VERSIONS_TAG: json.dumps(known)}, at_ms=at_ms)


def noted_versions(text: str) -> list[Any]:
    """Read the versions that a logged model's tag tells of; clients may have written anything there."""
    try:
        known = json.loads(text)
    except (ValueError, RecursionError):
        return []
    return known if isinstance(known, list) else []


def facts_of(version: ArtifactVersion) -> dict[str, Any]:
    """Tell the log of a version: in one spelling, whichever door it came through."""
    return {
        "artifact": version.artifact.name,
        "version": str(version.number),
        "digest": version.digest,
        "state": version.state,
        "stage": version.stage,
        "description": version.description,
        "source": version.source,
        "run": version.run_hex,
        "model": version.logged_model.model_id if version.logged_model else None,
        "tags": {tag.key: tag.value for tag in version.tags.all()},
    }


def hold(version: ArtifactVersion, by: Actor) -> ArtifactVersion:
    """Lock a version and its artifact, to be changed, and read it anew. Raises NotFound, Forbidden."""
    artifact = artifacts.hold(version.artifact, by)
    held = ArtifactVersion.objects.select_for_update().filter(pk=version.pk).first()
    if held is None:
        raise NotFound(f"{artifact.name} has no version {version.number}")
    held.artifact = artifact
    return held


def change(
    version: ArtifactVersion,
    facts: Mapping[str, Any],
    by: Actor,
    *,
    at_ms: int,
    guard: Callable[[ArtifactVersion], None] | None = None,
) -> ArtifactVersion:
    """Write some facts of a version, never its files; `tags` replaces all of them. `guard` is asked with the row held.

    Raises Conflict if an aliased version would be archived, NotFound, Forbidden.
    """
    plain = {name: value for name, value in facts.items() if name != "tags"}
    with transaction.atomic():
        held = hold(version, by)
        if guard is not None:
            guard(held)
        if plain.get("state") == ArtifactVersion.State.ARCHIVED and held.aliases.exists():
            raise Conflict("an alias points at this version; move it first", "aliased")
        if "tags" in facts and notes.replace(held, facts["tags"], by) and not plain:
            artifacts.touch(held, at_ms=at_ms)
        if plain:
            before = {name: getattr(held, name) for name in plain}
            artifacts.touch(held, at_ms=at_ms, **plain)
            record(by, Act.VERSION_CHANGE, subject=held, before=before, after=plain)
    return held


def delete(version: ArtifactVersion, by: Actor, *, at_ms: int) -> None:
    """Delete a version and its aliases, which changes its artifact. Raises Conflict if something uses it."""
    with transaction.atomic():
        held = hold(version, by)
        record(by, Act.VERSION_DELETE, subject=held, before=facts_of(held))
        artifacts.take_away(held)
        Artifact.objects.filter(pk=held.artifact_id).update(updated_ms=at_ms)


def resolve_files(files: list[NewFile], *, by: Actor) -> dict[str, Blob]:
    """Find each file's bytes among those that somebody may name, storing short texts.

    Raises Invalid naming the entry that is wrong.
    """
    check_tree([file.path for file in files])
    known = nameable(by, {file.sha256 for file in files if file.text is None})
    for index, file in enumerate(files):
        if file.text is None and file.sha256 not in known:
            raise refused(index, "unknown_blob", "these bytes are not here yet: PUT them to /api/v1/blobs/{sha256}/")
    return {f.path: known[f.sha256] if f.text is None else blobs.store_text(f.text) for f in files}


def check_tree(paths: list[str]) -> None:
    """Raise Invalid for a bad path, one that stands twice, or a file that is a folder as well."""
    seen: set[str] = set()
    folders: set[str] = set()
    for index, path in enumerate(paths):
        try:
            clean_artifact_path(path)
        except Invalid as error:
            raise refused(index, error.code, error.detail) from error
        if path in seen:
            raise refused(index, "duplicate_path", "this path stands twice")
        seen.add(path)
        parts = path.split("/")
        folders.update("/".join(parts[:end]) for end in range(1, len(parts)))
    for index, path in enumerate(paths):
        if path in folders:
            raise refused(index, "bad_path", "this is a file and a folder at once")


def refused(index: int, code: str, detail: str) -> Invalid:
    """Name the file that is wrong."""
    return Invalid(f"files[{index}]: {detail}", code, faults=[Fault(f"/files/{index}", code, detail)])
