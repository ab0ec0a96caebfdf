"""The registry room: registered models of an MLflow source, with versions by their numbers, aliases, stages and notes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import transaction

from apps.registry import aliases, artifacts, notes, prompts, sources, stages, versions
from apps.registry.actions import Act
from apps.registry.imports.mlflow.given import GivenRegistered, GivenVersion
from apps.registry.imports.mlflow.identities import ID_TAG, SOURCE_TAG, Identities, free_name
from apps.registry.imports.mlflow.places import SCHEME
from apps.registry.imports.report import Report
from apps.registry.models import Artifact, ArtifactTag, ArtifactVersion, Edge, LoggedModel, VersionFile
from apps.registry.models.logged import MODEL_ID
from apps.tenants.access.audit.recording import record
from apps.tracking.models import Blob, Run
from maestro import limits
from maestro.clock import from_ms
from maestro.errors import Invalid
from maestro.principals import Actor

KIND, VERSION = "registered model", "version"
PROMPT_TAG = "mlflow.prompt.is_prompt"  # a prompt is text in notes, and has no files


@dataclass
class Origin:
    """What a version of the source was made of, as far as that is here."""

    source: str
    download_uri: str = ""
    run: Run | None = None
    model: LoggedModel | None = None
    files: list[tuple[str, Blob]] = field(default_factory=list)


@dataclass(frozen=True)
class Coming:
    """An import under way: what things are called here, what is told of it, who brings them and when."""

    identities: Identities
    report: Report
    by: Actor
    now: int

    @property
    def why(self) -> str:
        """Why an alias or a stage is where it is."""
        return f"it was there in {self.identities.origin}"[: limits.WHY_CHARS]


def bring(
    given: GivenRegistered, identities: Identities, project_id: UUID | None, report: Report, *, by: Actor, now: int
) -> None:
    """Take in a registered model and its versions, all of them or none, and compare them with what is here then."""
    came = Coming(identities, report, by, now)
    with transaction.atomic():
        artifact = known(given, identities) or make(given, identities, project_id, report, by)
        notes_here = set(artifact.tags.values_list("key", flat=True))
        notes.put(artifact, {key: value for key, value in given.tags.items() if key not in notes_here})
        numbers = set(ArtifactVersion.everything.filter(artifact=artifact).values_list("number", flat=True))
        new = [one for one in given.versions if one.number not in numbers]
        for one in new:
            make_version(artifact, one, came)
        highest = max((one.number for one in given.versions), default=0)
        if artifact.next_number <= highest:
            Artifact.objects.filter(pk=artifact.pk).update(next_number=highest + 1)
        point(artifact, given.aliases, came)
        if new:
            facts = {"source": identities.origin, "versions": len(new)}
            record(by, Act.SOURCE_IMPORT, subject=artifact, after=facts)
    report.map(KIND, given.name, artifact.name)
    compare(given, artifact, report)


def known(given: GivenRegistered, identities: Identities) -> Artifact | None:
    """Find the artifact that came as this one before, and hold it."""
    came = Artifact.objects.filter(tags__key=SOURCE_TAG, tags__value=identities.origin)
    tag = ArtifactTag.objects.filter(key=ID_TAG, value=given.name, artifact__in=came).first()
    return Artifact.objects.select_for_update().get(pk=tag.artifact_id) if tag else None


def make(
    given: GivenRegistered, identities: Identities, project_id: UUID | None, report: Report, by: Actor
) -> Artifact:
    """Make the artifact, under the name of the source if that is free and may be one here."""
    name = "".join("_" if char in artifacts.FORBIDDEN else char for char in given.name.strip()) or "model"
    taken = set(Artifact.objects.filter(name__startswith=name[:200]).values_list("name", flat=True))
    name = free_name(name, taken, limits.NAME_CHARS)
    artifacts.check_name(name)
    new = artifacts.NewArtifact(
        name,
        kind=Artifact.Kind.PROMPT if prompts.is_said(given.tags) else Artifact.Kind.MODEL,
        description=given.description,
        project_id=project_id,
        tags={ID_TAG: given.name, SOURCE_TAG: identities.origin},
    )
    artifact = artifacts.make(new, by, at_ms=given.created_ms)
    Artifact.objects.filter(pk=artifact.pk).update(updated_ms=given.updated_ms)
    report.tally(KIND).new += 1
    return artifact


def make_version(artifact: Artifact, given: GivenVersion, came: Coming) -> None:
    """Make a version under its own number, of the files that its run or logged model has here."""
    origin, report = origin_of(given, came.identities), came.report
    owner = f"{artifact.name} {given.number}"
    if not origin.download_uri and PROMPT_TAG not in given.tags:
        report.leave("files of version", owner, f"they are at {given.place[:200]!r}, which is no place here")
    tags = given.tags | ({"maestro.import.version_source": given.source} if origin.source != given.source else {})
    version = ArtifactVersion.objects.create(
        artifact=artifact,
        number=given.number,
        digest=versions.digest_of((path, blob.sha256) for path, blob in origin.files) if origin.files else "",
        state=ArtifactVersion.State.READY,
        description=given.description,
        source=origin.source,
        run_link=given.run_link,
        run=origin.run,
        run_hex=origin.run.pk.hex if origin.run else given.run_id,
        logged_model=origin.model,
        download_uri=origin.download_uri,
        created_by=came.by.name,
        created_ms=given.created_ms,
        updated_ms=given.updated_ms,
    )
    VersionFile.objects.bulk_create(VersionFile(version=version, path=path, blob=blob) for path, blob in origin.files)
    notes.put(version, tags)
    draw(version)
    report.tally(VERSION).new += 1
    if given.stage != "None" and stages.admit(version, given.stage, came.by, at_ms=came.now, why=came.why):
        report.admit(f"{owner} in the stage {given.stage}")


def origin_of(given: GivenVersion, identities: Identities) -> Origin:
    """Find the logged model or the run that a version was made of."""
    words = [given.model_id, *given.source.split("/"), *given.place.split("/")]
    model_id = next((word for word in words if MODEL_ID.fullmatch(word)), "")
    run_id = identities.run_ids([given.run_id])[given.run_id] if given.run_id else None
    run = Run.objects.select_related("experiment").filter(pk=run_id).first() if run_id else None
    if model_id:
        found = LoggedModel.objects.select_related("experiment", "run")
        model = found.filter(pk=identities.model_ids([model_id])[model_id]).first()
        if model is not None:
            source = f"models:/{model.model_id}"
            return Origin(source, model.artifact_uri, run or model.run, model, sources.files_below(model, ""))
    inside = path_in_run(given)
    if run is not None and inside is not None:
        source = f"runs:/{run.pk.hex}/{inside}".rstrip("/")
        uri = f"{run.artifact_uri}/{inside}".rstrip("/")
        return Origin(source, uri, run, None, sources.files_below(run, inside))
    scheme = SCHEME.match(given.place)
    is_cloud = scheme is not None and scheme[0][:-1].lower() in sources.CLOUDS
    return Origin(given.source or given.place or "unknown", given.place if is_cloud else "", run)


def path_in_run(given: GivenVersion) -> str | None:
    """Read which folder of its run a version was made of; None if it was made of none."""
    for text in (given.source, given.place):
        before, found, inside = text.partition(f"/{given.run_id}/artifacts")
        if found and before and not inside.startswith("..") and "/../" not in inside:
            return inside.strip("/")
        if text.startswith("runs:"):
            identity, _, inside = text.removeprefix("runs:").lstrip("/").partition("/")
            if identity == given.run_id:
                return inside.strip("/")
    return None


def draw(version: ArtifactVersion) -> None:
    """Draw a version's lineage. What a logged model says of its versions came with it."""
    if version.logged_model is not None:
        Edge.objects.get_or_create(from_model=version.logged_model, to_version=version, kind="registered")
    elif version.run is not None:
        Edge.objects.get_or_create(from_run=version.run, to_version=version, kind="produced")


def point(artifact: Artifact, given: Mapping[str, int], came: Coming) -> None:
    """Set aliases that are not here. Raises Invalid for one that may not be, or that points at nothing."""
    here = set(artifact.aliases.values_list("name", flat=True))
    for name, number in given.items():
        if name in here:
            continue
        version = ArtifactVersion.everything.filter(artifact=artifact, number=number).first()
        if version is not None and version.deleted_ms is not None:
            continue  # it was thrown away here
        if version is None:
            raise Invalid(f"the alias {name!r} points at version {number}, which is not there", "bad_alias")
        version.artifact = artifact
        _, is_guarded = aliases.admit(version, name, came.by, at=from_ms(came.now), why=came.why)
        if is_guarded:
            came.report.admit(f"{artifact.name}@{name}")


def compare(given: GivenRegistered, artifact: Artifact, report: Report) -> None:
    """Compare a registered model and its versions with what is here."""
    pointed = {alias.name: alias.version.number for alias in artifact.aliases.select_related("version")}
    here: dict[str, Any] = {"tags": tags_of(artifact), "aliases": pointed, "description": artifact.description}
    asked = {"tags": given.tags, "aliases": given.aliases, "description": given.description}
    report.compare(KIND, {given.name: asked}, {given.name: here})
    report.compare(
        VERSION,
        {f"{given.name} {one.number}": facts_of(one) for one in given.versions},
        {
            f"{given.name} {one.number}": {
                "description": one.description,
                "stage": one.stage,
                "created_ms": one.created_ms,
                "run_link": one.run_link,
                "tags": tags_of(one),
            }
            for one in ArtifactVersion.everything.filter(artifact=artifact).prefetch_related("tags")
        },
    )


def facts_of(given: GivenVersion) -> dict[str, Any]:
    """Write a version of the source."""
    return {
        "description": given.description,
        "stage": given.stage,
        "created_ms": given.created_ms,
        "run_link": given.run_link,
        "tags": given.tags,
    }


def tags_of(row: Artifact | ArtifactVersion) -> dict[str, str]:
    """The notes on a row."""
    return {tag.key: tag.value for tag in row.tags.all()}
