"""The registry room: notes (tags) on artifacts and on versions: put on, taken off, or replaced as a whole."""

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from django.db import transaction

from apps.registry import prompts
from apps.registry.actions import Act
from apps.registry.models import Artifact, ArtifactTag, ArtifactVersion, VersionTag
from apps.registry.notices.artifacts import noted
from apps.tenants.access.audit.recording import record
from maestro.errors import Invalid
from maestro.principals import Actor

# The log keeps the head of a long note.
LOGGED_CHARS = 1_000


class Kind(NamedTuple):
    """Notes of one kind of row: their table, how it names the row, and what the acts are called."""

    model: Any
    owner: str
    tag: Act
    untag: Act


KINDS: dict[type[Artifact | ArtifactVersion], Kind] = {
    Artifact: Kind(ArtifactTag, "artifact", Act.ARTIFACT_TAG, Act.ARTIFACT_UNTAG),
    ArtifactVersion: Kind(VersionTag, "version", Act.VERSION_TAG, Act.VERSION_UNTAG),
}


def is_prompt(row: Artifact | ArtifactVersion) -> bool:
    """Say whether a row is a prompt, or a version of one."""
    artifact = row if isinstance(row, Artifact) else row.artifact
    return artifact.kind == Artifact.Kind.PROMPT


def without_kept(tags: Mapping[str, str]) -> dict[str, str]:
    """Leave out the notes that a prompt's template is written with."""
    return {key: value for key, value in tags.items() if key not in prompts.KEPT}


def check_prompt(key: str, value: str | None, *, is_prompt: bool) -> None:
    """Raise Invalid if a note would say of something that it is a prompt, or is none, against its kind."""
    if key == prompts.IS_PROMPT and value is not None and (value.lower() == "true") != is_prompt:
        raise kept(key)


def check_kept(row: Artifact | ArtifactVersion, tags: Mapping[str, str]) -> None:
    """Raise Invalid if notes would change a template, or what is a prompt."""
    of_prompt = is_prompt(row)
    for key, value in tags.items():
        check_prompt(key, value, is_prompt=of_prompt)
        if of_prompt and isinstance(row, ArtifactVersion) and key in prompts.KEPT:
            raise kept(key)


def kept(key: str) -> Invalid:
    """Say that a note of a prompt stays as it is."""
    return Invalid(
        f"the tag {key!r} says what a prompt is, and stays as it was made", "kept_tag", facts={"kept_tag": key}
    )


def tag(row: Artifact | ArtifactVersion, tags: Mapping[str, str], by: Actor) -> bool:
    """Write notes; those that say the same already are left alone, and so is the log. Says whether any is new.

    Raises Invalid for those that a prompt keeps.
    """
    kind = KINDS[type(row)]
    with transaction.atomic():
        before = {note.key: note.value for note in row.tags.select_for_update().filter(key__in=tags)}
        new = {key: value for key, value in tags.items() if before.get(key) != value}
        if not new:
            return False
        check_kept(row, new)
        put(row, new)
        old = {key: before[key] for key in new if key in before}
        record(by, kind.tag, subject=row, before=told(old) if old else None, after=told(new))
        noted(row, new)
    return True


def untag(row: Artifact | ArtifactVersion, keys: Collection[str], by: Actor) -> bool:
    """Take notes off; missing ones are no error. Says whether there were any. Raises Invalid for what a prompt keeps."""
    with transaction.atomic():
        held: list[Any] = list(row.tags.select_for_update().filter(key__in=keys))
        lost = [note.key for note in held if is_prompt(row) and note.key in prompts.KEPT]
        if lost:
            raise kept(lost[0])
        if held:
            row.tags.filter(pk__in=[note.pk for note in held]).delete()
            before = told({note.key: note.value for note in held})
            record(by, KINDS[type(row)].untag, subject=row, before=before)
            noted(row, {note.key: None for note in held})
    return bool(held)


def replace(row: Artifact | ArtifactVersion, tags: Mapping[str, str], by: Actor) -> bool:
    """Let a row have these notes and no others, beside those that a prompt keeps. Says whether that changes anything."""
    with transaction.atomic():
        there = set(row.tags.values_list("key", flat=True)) - (prompts.KEPT if is_prompt(row) else set())
        gone = untag(row, there - set(tags), by)
        return tag(row, tags, by) or gone


def put(row: Artifact | ArtifactVersion, tags: Mapping[str, str]) -> None:
    """Write the rows; a known key gets the new value."""
    kind = KINDS[type(row)]
    kind.model.objects.bulk_create(
        [kind.model(**{kind.owner: row}, key=key, value=value) for key, value in tags.items()],
        update_conflicts=True,
        unique_fields=[kind.owner, "key"],
        update_fields=["value"],
    )


def told(tags: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Tell the log of notes."""
    return {"tags": {key: value[:LOGGED_CHARS] for key, value in tags.items()}}
