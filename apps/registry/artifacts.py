"""The registry room: make, change and rename artifacts. An MLflow registered model is one of kind model."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import ProtectedError

from apps.registry import notes, prompts
from apps.registry.actions import Act
from apps.registry.gates import passage
from apps.registry.models import Artifact, ArtifactTag, ArtifactVersion, Gate
from apps.registry.notices.artifacts import made
from apps.registry.scoping import require_own
from apps.tenants.access.audit.recording import record
from apps.tracking.files.paths import clean_artifact_path
from maestro.clock import from_ms
from maestro.errors import AlreadyExists, Conflict, Invalid, NotFound
from maestro.principals import Actor

FORBIDDEN = frozenset("/:@,%#")


@dataclass(frozen=True)
class NewArtifact:
    """An artifact to be made; without a project it is shared by all."""

    name: str
    kind: str = Artifact.Kind.MODEL
    description: str = ""
    card: str = ""
    owner: str = ""
    project_id: UUID | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


def check_name(name: str) -> None:
    """Raise Invalid for a name that an address, a `models:/` URI or a mention `artifact@version` could not hold.

    Names from before this rule stay: they are read by what they are, by every call that takes a name as a whole, and
    may be renamed. Nothing is looked up through this rule.
    """
    facts = {"artifact_name": name[:100]}
    if not name.strip() or name != name.strip() or not FORBIDDEN.isdisjoint(name):
        detail = "a name must not be blank, begin or end with a space, or hold / : @ % # or a comma"
        raise Invalid(detail, "bad_name", facts=facts)
    try:
        clean_artifact_path(name)
    except Invalid as error:
        raise Invalid(f"a name is like a file's: {error.detail}", "bad_name", facts=facts) from error


def make(new: NewArtifact, by: Actor, *, at_ms: int) -> Artifact:
    """Make an artifact. Raises AlreadyExists, or Invalid for a name that no address can hold.

    That something is a prompt, its kind says, and a note for MLflow's clients.
    """
    check_name(new.name)
    is_prompt = new.kind == Artifact.Kind.PROMPT
    notes.check_prompt(prompts.IS_PROMPT, new.tags.get(prompts.IS_PROMPT), is_prompt=is_prompt)
    if is_prompt:
        new = replace(new, tags={**new.tags, prompts.IS_PROMPT: "true"})
    with transaction.atomic():
        artifact = insert(new, at_ms)
        record(by, Act.ARTIFACT_CREATE, subject=artifact, after=facts_of(artifact))
        made(artifact, new.tags, from_ms(at_ms))
    return artifact


def insert(new: NewArtifact, at_ms: int) -> Artifact:
    """Write the rows. Raises AlreadyExists."""
    facts = {name: value for name, value in vars(new).items() if name != "tags"}
    try:
        with transaction.atomic():
            artifact = Artifact.objects.create(**facts, created_ms=at_ms, updated_ms=at_ms)
            ArtifactTag.objects.bulk_create(ArtifactTag(artifact=artifact, key=k, value=v) for k, v in new.tags.items())
    except IntegrityError as error:
        raise name_is_taken(new.name, new.kind) from error
    return artifact


def name_is_taken(name: str, kind: str) -> AlreadyExists:
    """Say that an artifact has the name already."""
    facts = {"prompt_name" if kind == Artifact.Kind.PROMPT else "artifact_name": name}
    return AlreadyExists(f"the name {name!r} is taken", facts=facts)


def facts_of(artifact: Artifact) -> dict[str, Any]:
    """Tell the log of an artifact: in one spelling, whichever door it came through."""
    return {
        "name": artifact.name,
        "kind": artifact.kind,
        "description": artifact.description,
        "card": artifact.card,
        "owner": artifact.owner,
        "project": str(artifact.project_id) if artifact.project_id else None,
        "tags": {tag.key: tag.value for tag in artifact.tags.all() if tag.key not in prompts.KEPT},
    }


def check_same(artifact: Artifact, facts: Mapping[str, Any]) -> None:
    """Raise AlreadyExists if an artifact has other facts than somebody says who would make it."""
    known = facts_of(artifact)
    said = dict(facts) | ({"tags": notes.without_kept(facts["tags"])} if "tags" in facts else {})
    different = sorted(name for name, value in said.items() if known[name] != value)
    if different:
        raise AlreadyExists(f"this artifact has another {', '.join(different)}; PATCH changes it")


def hold(artifact: Artifact, by: Actor, *, with_trash: bool = False) -> Artifact:
    """Lock an artifact to be changed and read it anew. Raises NotFound if it went meanwhile, or Forbidden."""
    rows = Artifact.everything if with_trash else Artifact.objects
    held = rows.select_for_update(of=("self",)).select_related("project").filter(pk=artifact.pk).first()
    if held is None:
        raise NotFound("there is no such artifact")
    require_own(by.who, held)
    return held


def change(
    artifact: Artifact,
    facts: Mapping[str, Any],
    by: Actor,
    *,
    at_ms: int,
    guard: Callable[[Artifact], None] | None = None,
) -> Artifact:
    """Write some facts of an artifact; `tags` replaces all of them. `guard` is asked with the row held.

    Raises Invalid, NotFound, Forbidden.
    """
    plain = {name: value for name, value in facts.items() if name != "tags"}
    with transaction.atomic():
        held = hold(artifact, by)
        if guard is not None:
            guard(held)
        if (held.kind == Artifact.Kind.PROMPT) != (plain.get("kind", held.kind) == Artifact.Kind.PROMPT):
            raise Invalid("a prompt stays a prompt, and nothing else becomes one", "kind_is_fixed")
        if "tags" in facts and notes.replace(held, facts["tags"], by) and not plain:
            touch(held, at_ms=at_ms)
        if plain:
            before, gates, home = facts_of(held), list(Gate.objects.over(held)), held.project_id
            touch(held, at_ms=at_ms, **plain)
            passage.require_same_gates(held, gates, by, home=home)
            was, now = ({name: told[name] for name in plain} for told in (before, facts_of(held)))
            record(by, Act.ARTIFACT_CHANGE, subject=held, before=was, after=now)
    return held


def touch(row: Artifact | ArtifactVersion, *, at_ms: int, **facts: Any) -> None:
    """Write facts of a held row, and that it changed."""
    for name, value in facts.items():
        setattr(row, name, value)
    row.updated_ms = at_ms
    row.save(update_fields=[*facts, "updated_ms"])


def rename(artifact: Artifact, name: str, by: Actor, *, at_ms: int) -> Artifact:
    """Give an artifact another name, which is for approvers once something protected points into it.

    Raises AlreadyExists, Invalid, NotFound, Forbidden.
    """
    check_name(name)
    with transaction.atomic():
        held = hold(artifact, by)
        before = held.name
        if passage.protected_of(held):
            passage.require_approver(by, held.project_id, "what is protected in it is known by its name")
        try:
            with transaction.atomic():
                touch(held, at_ms=at_ms, name=name)
        except IntegrityError as error:
            raise name_is_taken(name, held.kind) from error
        held.versions.update(updated_ms=at_ms)
        record(by, Act.ARTIFACT_RENAME, subject=held, before={"name": before}, after={"name": name})
    return held


def take_away(row: Artifact | ArtifactVersion) -> None:
    """Delete a row and what hangs on it, for ever. Raises Conflict if something uses it."""
    try:
        row.delete()
    except ProtectedError as error:
        raise Conflict(f"{row} is in use by a run or a project, so it stays; archive it instead", "in_use") from error


def latest_by_stage(artifacts: Iterable[Artifact]) -> dict[Any, list[ArtifactVersion]]:
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
