"""The registry room: make artifacts and their immutable versions."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F

from apps.registry.contents import nameable
from apps.registry.models import Artifact, ArtifactTag, ArtifactVersion, Edge, VersionFile, VersionTag
from apps.tracking.files import blobs
from apps.tracking.files.paths import clean_artifact_path
from apps.tracking.models import Blob, Run
from maestro.errors import AlreadyExists, Fault, Invalid, NotFound
from maestro.principals import Principal


@dataclass(frozen=True)
class NewFile:
    """A file of a version to be made: a path, and a digest of bytes that are here or a short text."""

    path: str
    sha256: str = ""
    text: str | None = None


@dataclass(frozen=True)
class NewVersion:
    """A version to be made."""

    files: list[NewFile]
    description: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    run: Run | None = None


def manifest_of(files: Iterable[tuple[str, str]]) -> str:
    """Write (path, sha256) pairs as `sha256sum` would, sorted by path."""
    return "".join(f"{sha256}  {path}\n" for path, sha256 in sorted(files))


def digest_of(files: Iterable[tuple[str, str]]) -> str:
    """Digest a manifest: the identity of a version's content."""
    return hashlib.sha256(manifest_of(files).encode()).hexdigest()


def make_artifact(name: str, *, at_ms: int, tags: dict[str, str] | None = None, **fields: Any) -> Artifact:
    """Make an artifact. Raises AlreadyExists, or Invalid for a name that no address can hold."""
    check_name(name)
    try:
        with transaction.atomic():
            artifact = Artifact.objects.create(name=name, created_ms=at_ms, updated_ms=at_ms, **fields)
            ArtifactTag.objects.bulk_create(
                ArtifactTag(artifact=artifact, key=k, value=v) for k, v in (tags or {}).items()
            )
    except IntegrityError as error:
        raise AlreadyExists(f"the name {name!r} is taken") from error
    return artifact


def check_name(name: str) -> None:
    """Raise Invalid for a name with a slash, a colon or an at sign, or one that is not a plain file name."""
    if not name.strip() or any(char in name for char in "/:@,%#") or name != name.strip():
        raise Invalid("a name must not be blank, begin or end with a space, or hold / : @ % # or a comma", "bad_name")
    clean_artifact_path(name)


def take_number(artifact: Artifact) -> int:
    """Take the next version number; the row's lock makes numbers dense. Call it in the version's transaction."""
    changed = Artifact.objects.filter(pk=artifact.pk).update(next_number=F("next_number") + 1)
    if not changed:
        raise NotFound("there is no such artifact")
    return Artifact.objects.values_list("next_number", flat=True).get(pk=artifact.pk) - 1


def make_version(artifact: Artifact, new: NewVersion, *, by: Principal, at_ms: int) -> tuple[ArtifactVersion, bool]:
    """Make a version of these files, or return the one that has them already. Says whether it was made.

    Raises Invalid naming the file that is wrong.
    """
    found = resolve_files(new.files, by=by)
    digest = digest_of((path, blob.sha256) for path, blob in found.items())
    with transaction.atomic():
        # The lock on the artifact lets only one of several equal requests make the version.
        Artifact.objects.select_for_update().filter(pk=artifact.pk).first()
        same = ArtifactVersion.objects.filter(artifact=artifact, digest=digest, source="").first()
        if same is not None:
            return same, False
        version = ArtifactVersion.objects.create(
            artifact=artifact,
            number=take_number(artifact),
            digest=digest,
            state=ArtifactVersion.State.READY,
            description=new.description,
            run=new.run,
            run_hex=new.run.pk.hex if new.run else "",
            created_by=str(by),
            created_ms=at_ms,
            updated_ms=at_ms,
        )
        VersionFile.objects.bulk_create(VersionFile(version=version, path=p, blob=b) for p, b in found.items())
        set_tags(version, new.tags)
        if new.run is not None:
            Edge.objects.create(from_run=new.run, to_version=version, kind="produced")
        Artifact.objects.filter(pk=artifact.pk).update(updated_ms=at_ms)
    return version, True


def set_tags(version: ArtifactVersion, tags: dict[str, str]) -> None:
    """Write notes on a version; a known key gets the new value."""
    VersionTag.objects.bulk_create(
        [VersionTag(version=version, key=key, value=value) for key, value in tags.items()],
        update_conflicts=True,
        unique_fields=["version", "key"],
        update_fields=["value"],
    )


def resolve_files(files: list[NewFile], *, by: Principal) -> dict[str, Blob]:
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
