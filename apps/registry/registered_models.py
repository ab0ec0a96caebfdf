"""The registry room: registered models and their versions, as MLflow names them; their rows are artifacts."""

import json
import re
from dataclasses import dataclass, field
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import ProtectedError

from apps.registry import logged_models, sources, versions
from apps.registry.models import Artifact, ArtifactTag, ArtifactVersion, Edge, LoggedModel, VersionFile
from apps.tracking.models import Run
from maestro.errors import AlreadyExists, Conflict, Invalid, NotFound
from maestro.principals import Principal

STAGES = ("None", "Staging", "Production", "Archived")
VERSIONS_TAG = "mlflow.modelVersions"
BAD_NAME = re.compile(r"[/:\x00-\x1f\x7f]")


@dataclass(frozen=True)
class NewModelVersion:
    """A model version to be made."""

    source: str
    run: Run | None = None
    run_hex: str = ""
    model: LoggedModel | None = None
    description: str = ""
    run_link: str = ""
    tags: dict[str, str] = field(default_factory=dict)


def check_name(name: str) -> None:
    """Raise Invalid for a name that MLflow refuses."""
    if not name.strip() or BAD_NAME.search(name) or name in (".", ".."):
        raise Invalid(f"Invalid model name: {name[:100]!r}: it must not be blank or hold / or :", "bad_name")


def make_model(name: str, *, description: str, tags: dict[str, str], project: Any, at_ms: int) -> Artifact:
    """Make a registered model. Raises AlreadyExists."""
    check_name(name)
    try:
        with transaction.atomic():
            artifact = Artifact.objects.create(
                name=name,
                kind=Artifact.Kind.MODEL,
                description=description,
                project_id=project,
                created_ms=at_ms,
                updated_ms=at_ms,
            )
            ArtifactTag.objects.bulk_create(ArtifactTag(artifact=artifact, key=k, value=v) for k, v in tags.items())
    except IntegrityError as error:
        raise AlreadyExists(f"Registered Model (name={name}) already exists.") from error
    return artifact


def rename(artifact: Artifact, name: str, *, at_ms: int) -> Artifact:
    """Give a model another name. Raises AlreadyExists."""
    check_name(name)
    try:
        with transaction.atomic():
            Artifact.objects.filter(pk=artifact.pk).update(name=name, updated_ms=at_ms)
            artifact.versions.update(updated_ms=at_ms)
    except IntegrityError as error:
        raise AlreadyExists(f"Registered Model (name={name}) already exists.") from error
    artifact.name, artifact.updated_ms = name, at_ms
    return artifact


def delete(row: Artifact | ArtifactVersion, *, at_ms: int) -> None:
    """Delete a model or a version, which changes its model. Raises Conflict if something uses it."""
    try:
        with transaction.atomic():
            row.delete()
            if isinstance(row, ArtifactVersion):
                Artifact.objects.filter(pk=row.artifact_id).update(updated_ms=at_ms)
    except ProtectedError as error:
        raise Conflict(f"{row} is in use by a run or a project, so it stays; archive it instead", "in_use") from error


def add_version(artifact: Artifact, new: NewModelVersion, *, by: Principal, at_ms: int) -> ArtifactVersion:
    """Make the next version of a model, with its files as they are now. Raises Invalid for a bad source."""
    origin = sources.resolve(new.source, new.run, new.model, principal=by, run_hex=new.run_hex)
    run = new.run or origin.run
    with transaction.atomic():
        version = ArtifactVersion.objects.create(
            artifact=artifact,
            number=versions.take_number(artifact),
            digest=versions.digest_of((path, blob.sha256) for path, blob in origin.files) if origin.files else "",
            state=ArtifactVersion.State.READY,
            description=new.description,
            source=new.source,
            run_link=new.run_link,
            run=run,
            run_hex=new.run_hex or (run.pk.hex if run else ""),
            logged_model=new.model or origin.model,
            download_uri=origin.download_uri,
            created_by=str(by),
            created_ms=at_ms,
            updated_ms=at_ms,
        )
        VersionFile.objects.bulk_create(VersionFile(version=version, path=p, blob=b) for p, b in origin.files)
        versions.set_tags(version, new.tags)
        join(version, at_ms)
        Artifact.objects.filter(pk=artifact.pk).update(updated_ms=at_ms)
    return version


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


def fetch_version(artifact: Artifact, number: str) -> ArtifactVersion:
    """Fetch a version by number. Raises Invalid for what is no number, NotFound."""
    if not number.isascii() or not number.isdecimal() or len(number) > 9:
        raise Invalid(f"Parameter 'version' must be an integer, got {number[:60]!r}.", "bad_version")
    found = ArtifactVersion.objects.for_page().filter(artifact=artifact, number=int(number)).first()
    if found is None:
        raise NotFound(f"Model Version (name={artifact.name}, version={number}) not found")
    return found


def read_stage(text: str) -> str:
    """Read a stage in any case. Raises Invalid."""
    for stage in STAGES:
        if stage.lower() == text.lower():
            return stage
    raise Invalid(f"Invalid Model Version stage: {text[:60]!r}. Value must be one of {', '.join(STAGES)}.", "bad_stage")


def move_stage(version: ArtifactVersion, stage: str, *, archive_others: bool, at_ms: int) -> None:
    """Move a version to a stage; with `archive_others` the versions there go to Archived."""
    wanted = read_stage(stage)
    if archive_others and wanted not in ("Staging", "Production"):
        raise Invalid("archive_existing_versions goes with Staging and Production only", "bad_stage")
    with transaction.atomic():
        Artifact.objects.select_for_update().filter(pk=version.artifact_id).first()
        if archive_others:
            others = ArtifactVersion.objects.filter(artifact=version.artifact_id, stage=wanted).exclude(pk=version.pk)
            others.update(stage="Archived", updated_ms=at_ms)
        ArtifactVersion.objects.filter(pk=version.pk).update(stage=wanted, updated_ms=at_ms)
        Artifact.objects.filter(pk=version.artifact_id).update(updated_ms=at_ms)


def latest_by_stage(artifacts: list[Artifact]) -> dict[Any, list[ArtifactVersion]]:
    """Fetch, for each artifact, the highest version of each stage."""
    rows = (
        ArtifactVersion.objects.for_page()
        .filter(artifact__in=artifacts)
        .order_by("artifact_id", "stage", "-number")
        .distinct("artifact_id", "stage")
    )
    found: dict[Any, list[ArtifactVersion]] = {}
    for row in rows:
        found.setdefault(row.artifact_id, []).append(row)
    return found
