"""The registry room: bytes by their digest, as far as somebody may name them: what they brought, or see in a file."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from apps.registry.models import ArtifactVersion, LoggedModelFile, VersionFile
from apps.registry.scoping import artifacts_for
from apps.tracking.files import blobs, uploads
from apps.tracking.files.paths import clean_artifact_path
from apps.tracking.models import Blob, Offer, RunFile, TraceFile, Upload
from apps.tracking.scoping import experiments_for, runs_for, traces_for
from maestro.errors import Conflict, Fault, Invalid
from maestro.principals import Actor, Principal

# What of this room names bytes, as the measure of what is kept reads it.
NAMES = {
    "logged": """SELECT e.project_id, 'logged_models' AS kind, f.blob_id FROM registry_loggedmodelfile f
 JOIN registry_loggedmodel m ON m.id = f.model_id JOIN tracking_experiment e ON e.id = m.experiment_id""",
    "versions": """SELECT a.project_id, a.kind, f.blob_id FROM registry_versionfile f
 JOIN registry_artifactversion v ON v.id = f.version_id JOIN registry_artifact a ON a.id = v.artifact_id""",
}


@dataclass(frozen=True)
class NewFile:
    """A file of a version to be made: a path, and a digest of bytes that are here or a short text."""

    path: str
    sha256: str = ""
    text: str | None = None


def bring(chunks: Iterable[bytes], promise: blobs.Promise, *, by: Principal) -> tuple[Blob, bool]:
    """Take in bytes that a version will name. Says whether they are new, as far as this principal may know."""
    blob, is_new = blobs.store(chunks, promise)
    if by.projects is None:
        return blob, is_new
    with transaction.atomic():
        is_known = bool(nameable(by, [blob.pk]))
        offer(blob, by)
    return blob, not is_known


def offer(blob: Blob, by: Principal) -> None:
    """Note that somebody brought these bytes, unless they may name any. A sweep spares what was offered lately."""
    if by.projects is not None:
        Offer.objects.update_or_create(sha256=blob.pk, owner=owner_of(by), defaults={"at": timezone.now()})


def missing(by: Principal, digests: Iterable[str]) -> list[str]:
    """List those of some digests whose bytes a principal may not name yet, in their order, each once."""
    asked = list(dict.fromkeys(digests))
    known = nameable(by, asked)
    return [sha256 for sha256 in asked if sha256 not in known]


def begin(wanted: uploads.Wanted, *, by: Principal, now: datetime) -> tuple[Upload | None, bool]:
    """Begin an upload in parts, or go on with it; None where a principal may name these bytes already.

    Raises Conflict if they have another size than is said, and what `uploads.begin` raises.
    """
    known = nameable(by, [wanted.sha256]).get(wanted.sha256)
    if known is None:
        return uploads.begin(wanted, owner=owner_of(by), now=now)
    if known.size_bytes != wanted.size_bytes:
        raise Conflict(f"these bytes are here, and they are {known.size_bytes}", "size_differs")
    with transaction.atomic():
        offer(known, by)
    return None, False


def commit(upload: Upload, *, by: Principal, now: datetime) -> tuple[Blob, bool]:
    """Make an upload's parts bytes that whoever sent them may name. Says whether this call did it."""
    return uploads.commit(upload, now=now, then=lambda blob: offer(blob, by))


def nameable(by: Principal, digests: Iterable[str]) -> dict[str, Blob]:
    """Find the bytes that a principal may name: any of the tenant's, or what they brought and the files they see."""
    found = Blob.objects.filter(pk__in=list(digests))
    if by.projects is not None:
        here = OuterRef("pk")
        found = found.filter(
            Exists(Offer.objects.filter(sha256=here, owner=owner_of(by)))
            | Exists(RunFile.objects.filter(blob=here, run__in=runs_for(by)))
            | Exists(
                VersionFile.objects.filter(blob=here, version__deleted_ms=None, version__artifact__in=artifacts_for(by))
            )
            | Exists(LoggedModelFile.objects.filter(blob=here, model__experiment__in=experiments_for(by)))
            | Exists(TraceFile.objects.filter(blob=here, trace__in=traces_for(by)))
        )
    return {blob.pk: blob for blob in found}


def owner_of(by: Principal) -> str:
    """Name who brings bytes: a kind and an id, which no other person or key has."""
    return f"{by.kind}:{by.id}"


def files_of(version: ArtifactVersion) -> Any:
    """The version's own files, or those of the logged model that it registers."""
    own = version.files.all()
    if version.logged_model_id is None or own.exists():
        return own
    return LoggedModelFile.objects.filter(model=version.logged_model_id)


def resolve_files(files: list[NewFile], *, by: Actor) -> dict[str, Blob]:
    """Find each file's bytes among those that somebody may name, storing short texts.

    Raises Invalid naming the entry that is wrong.
    """
    check_tree([file.path for file in files])
    known = nameable(by.who, {file.sha256 for file in files if file.text is None})
    for index, file in enumerate(files):
        if file.text is None and file.sha256 not in known:
            raise refused(index, "unknown_blob", "these bytes are not here yet: PUT them to /api/v1/blobs/{sha256}/")
    texts = iter(blobs.store_texts(f.text for f in files if f.text is not None))
    return {f.path: known[f.sha256] if f.text is None else next(texts) for f in files}


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
