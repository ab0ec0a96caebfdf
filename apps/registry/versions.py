"""The registry room: immutable versions: made of named files or of what stands at a source, changed in words."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from django.db import transaction
from django.db.models import F

from apps.registry import artifacts, logged_models, notes, prompts, sources
from apps.registry.actions import Act
from apps.registry.contents import NewFile, resolve_files
from apps.registry.gates import passage
from apps.registry.models import Artifact, ArtifactVersion, Edge, LoggedModel, VersionFile
from apps.registry.notices.artifacts import registered
from apps.registry.sources import Origin
from apps.tenants.access.audit.recording import record
from apps.tracking.files import blobs, quotas
from apps.tracking.files.quotas import share_of
from apps.tracking.models import Run
from maestro.clock import from_ms
from maestro.errors import Conflict, Invalid, NotFound
from maestro.principals import Actor

VERSIONS_TAG = "mlflow.modelVersions"


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


@dataclass(frozen=True)
class Gathered:
    """A version to be made whose bytes are all in the store."""

    artifact: Artifact
    new: NewVersion
    origin: Origin
    digest: str


def make(artifact: Artifact, new: NewVersion, by: Actor, *, at_ms: int) -> tuple[ArtifactVersion, bool]:
    """Make the next version, as `gather` and `put` do."""
    return put(gather(artifact, new, by), by, at_ms=at_ms)


def gather(artifact: Artifact, new: NewVersion, by: Actor) -> Gathered:
    """Find a new version's bytes and bring short texts into the store. Best outside a transaction, which it would hold up.

    Raises Invalid naming the file or the source that is wrong, QuotaReached
    """
    new = with_template(artifact, new, by)
    origin = origin_of(new, by)
    digest = digest_of((path, blob.sha256) for path, blob in origin.files) if origin.files else ""
    if new.digest and digest != new.digest:
        raise Invalid(f"these files have the digest {digest}, not {new.digest[:100]}", "digest_mismatch")
    return Gathered(artifact, new, origin, digest)


def put(gathered: Gathered, by: Actor, *, at_ms: int) -> tuple[ArtifactVersion, bool]:
    """Make a version of what was gathered. Says whether it was made: what is a version already is returned.

    Raises QuotaReached, NotFound, Forbidden
    """
    new, origin, digest = gathered.new, gathered.origin, gathered.digest
    with transaction.atomic():
        # The lock on the artifact makes numbers dense, and lets only one of several equal requests make the version.
        held = artifacts.hold(gathered.artifact, by)
        same = None if new.source else ArtifactVersion.objects.filter(artifact=held, digest=digest, source="").first()
        if same is not None:
            return same, False
        quotas.take({b.sha256: b.size_bytes for _, b in origin.files}, share_of(held.project), are_kept=True)
        version = insert(held, new, origin, digest=digest, by=by, at_ms=at_ms)
        join(version, at_ms)
        record(by, Act.VERSION_CREATE, subject=version, after=facts_of(version))
        registered(version, new.tags, from_ms(at_ms))
    return version, True


def origin_of(new: NewVersion, by: Actor) -> Origin:
    """Find a new version's files, and what it came from. Raises Invalid naming what is wrong."""
    if new.source and not new.files:
        return sources.resolve(new.source, new.run, new.model, principal=by.who, run_hex=new.run_hex)
    return Origin("", new.run, new.model, list(resolve_files(new.files, by=by).items()))


def with_template(artifact: Artifact, new: NewVersion, by: Actor) -> NewVersion:
    """Complete a version of a prompt: its template is its file and its notes, whichever of them came. Raises Invalid."""
    is_prompt, is_said = artifact.kind == Artifact.Kind.PROMPT, prompts.is_said(new.tags)
    if is_said > is_prompt or (is_prompt and new.source and not is_said):
        raise not_that_kind(artifact)
    if not is_prompt:
        return new
    if not new.source:
        given = prompts.from_files(texts_of(new.files, by))
        return replace(new, tags=notes.without_kept(new.tags) | given.tags)
    if new.source not in prompts.PLACEHOLDERS:
        raise sources.refused(new.source, "a prompt has no source; its clients write a placeholder")
    given = prompts.from_tags(new.tags)
    files = [NewFile(path, text=text) for path, text in given.files.items()]
    return replace(new, files=files, tags=dict(new.tags) | given.tags)


def not_that_kind(artifact: Artifact) -> Invalid:
    """Say that a template is no version of a model, and a model none of a prompt."""
    other = ("prompt", "model") if artifact.kind == Artifact.Kind.PROMPT else ("model", "prompt")
    facts = {"artifact_name": artifact.name, "is_a": other[0], "not_a": other[1]}
    return Invalid(f"{artifact.name} is a {other[0]}, not a {other[1]}", "wrong_kind", facts=facts)


def texts_of(files: list[NewFile], by: Actor) -> dict[str, str]:
    """Read the files of a prompt's version. Raises Invalid."""
    prompts.check_paths(file.path for file in files)
    found = resolve_files([file for file in files if file.text is None], by=by)
    if any(blob.size_bytes > prompts.BYTES_MOST for blob in found.values()):
        raise prompts.too_long()
    told = {file.path: file.text for file in files if file.text is not None}
    try:
        return told | {path: b"".join(blobs.read(blob)).decode() for path, blob in found.items()}
    except UnicodeDecodeError as error:
        raise prompts.bad_template("a prompt is text in UTF-8") from error


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
        "tags": notes.without_kept({tag.key: tag.value for tag in version.tags.all()}),
    }


def hold(version: ArtifactVersion, by: Actor, *, with_trash: bool = False) -> ArtifactVersion:
    """Lock a version and its artifact, to be changed, and read it anew. Raises NotFound, Forbidden."""
    artifact = artifacts.hold(version.artifact, by, with_trash=with_trash)
    rows = ArtifactVersion.everything if with_trash else ArtifactVersion.objects
    held = rows.select_for_update().filter(pk=version.pk).first()
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
        if plain.get("state") == ArtifactVersion.State.ARCHIVED:
            passage.leave_all(held.artifact, by, at=from_ms(at_ms), why="archived", version=held)
        if "tags" in facts and notes.replace(held, facts["tags"], by) and not plain:
            artifacts.touch(held, at_ms=at_ms)
        if plain:
            before = {name: getattr(held, name) for name in plain}
            artifacts.touch(held, at_ms=at_ms, **plain)
            record(by, Act.VERSION_CHANGE, subject=held, before=before, after=plain)
    return held
