"""The registry room: aliases, which point at one version and may move."""

import re
from collections.abc import Callable

from django.db import transaction

from apps.registry import versions
from apps.registry.actions import Act
from apps.registry.models import Alias, Artifact, ArtifactVersion
from apps.tenants.access.audit.recording import record
from maestro.errors import Invalid, NotFound
from maestro.principals import Actor

NAME = re.compile(r"[\w-]{1,255}")
NUMBER_LIKE = re.compile(r"v?\d+", re.IGNORECASE)
Guard = Callable[[Alias], None]


def check_alias(name: str) -> None:
    """Raise Invalid for a name that could be taken for a version."""
    if not NAME.fullmatch(name) or name.lower() == "latest" or NUMBER_LIKE.fullmatch(name):
        raise Invalid("an alias is made of letters, digits, _ and -, and is neither `latest` nor a number", "bad_alias")


def point(
    artifact: Artifact, name: str, version: ArtifactVersion, by: Actor, *, guard: Guard | None = None
) -> tuple[Alias, str]:
    """Set or move an alias. Returns it and the number that it pointed at before, or nothing.

    One that points there already stays as it is. `guard` is asked before one is moved. Raises Invalid, NotFound, Forbidden.
    """
    check_alias(name)
    with transaction.atomic():
        held = versions.hold(version, by)
        old = Alias.objects.select_related("version").filter(artifact=artifact, name=name).first()
        before = str(old.version.number) if old else ""
        if old is not None and old.version_id == held.pk:
            return old, before
        if old is not None and guard is not None:
            guard(old)
        alias, _ = Alias.objects.update_or_create(artifact=artifact, name=name, defaults={"version": held})
        record(
            by,
            Act.ALIAS_MOVE if old else Act.ALIAS_SET,
            object_type="Alias",
            object_id=f"{held.artifact.name}@{name}",
            before={"version": before} if old else None,
            after={"version": str(held.number)},
        )
    return alias, before


def take_away(artifact: Artifact, name: str, by: Actor, *, guard: Guard | None = None) -> bool:
    """Take an alias away, and say whether there was one. `guard` is asked with the row held."""
    with transaction.atomic():
        held = Alias.objects.select_for_update(of=("self",)).select_related("version", "artifact")
        found = held.filter(artifact=artifact, name=name).first()
        if found is None:
            return False
        if guard is not None:
            guard(found)
        before = {"version": str(found.version.number)}
        record(by, Act.ALIAS_DELETE, object_type="Alias", object_id=f"{artifact.name}@{name}", before=before)
        found.delete()
    return True


def fetch_alias(artifact: Artifact, name: str) -> Alias:
    """Fetch an alias. Raises NotFound."""
    found = Alias.objects.select_related("version", "artifact").filter(artifact=artifact, name=name).first()
    if found is None:
        raise no_alias(artifact, name)
    return found


def no_alias(artifact: Artifact, name: str) -> NotFound:
    """Say that an artifact has no alias of a name."""
    return NotFound(f"{artifact.name} has no alias {name[:100]!r}")
