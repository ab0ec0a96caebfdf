"""The registry room: aliases, which point at one version and may move."""

import re
from collections.abc import Callable
from datetime import datetime

from django.db import transaction

from apps.registry import alias_history, artifacts, versions
from apps.registry.actions import Act
from apps.registry.gates import passage
from apps.registry.models import Alias, AliasMove, Artifact, ArtifactVersion, Evidence, Target
from apps.registry.notices.artifacts import moved as tell_moved
from apps.registry.notices.artifacts import taken_away
from apps.registry.notices.gates import refusals_told
from apps.tenants.access.audit.recording import record
from maestro.errors import Conflict, Invalid, NotFound
from maestro.principals import Actor

NAME = re.compile(r"[\w-]{1,255}")
NUMBER_LIKE = re.compile(r"v?\d+", re.IGNORECASE)
Guard = Callable[[Alias], None]
ACTS = {
    AliasMove.Act.SET: Act.ALIAS_SET,
    AliasMove.Act.MOVE: Act.ALIAS_MOVE,
    AliasMove.Act.ROLLBACK: Act.ALIAS_ROLLBACK,
}


def check_alias(name: str) -> None:
    """Raise Invalid for a name that could be taken for a version."""
    if not NAME.fullmatch(name) or name.lower() == "latest" or NUMBER_LIKE.fullmatch(name):
        raise Invalid("an alias is made of letters, digits, _ and -, and is neither `latest` nor a number", "bad_alias")


def point(
    artifact: Artifact,
    name: str,
    version: ArtifactVersion,
    by: Actor,
    *,
    at: datetime,
    why: str = "",
    guard: Guard | None = None,
) -> tuple[Alias, str]:
    """Set or move an alias. Returns it and the number that it pointed at before, or nothing.

    One that points there already stays as it is. `guard` is asked before one is moved. Raises Invalid, NotFound,
    Forbidden, and Conflict (`gate_refused`) if a gate stands before it that the version does not pass.
    """
    check_alias(name)
    target = Target("alias", name)
    with refusals_told(version, target, at), transaction.atomic():
        held = versions.hold(version, by)
        old = Alias.objects.select_related("version").filter(artifact=artifact, name=name).first()
        before = str(old.version.number) if old else ""
        if old is not None and old.version_id == held.pk:
            return old, before
        if old is not None and guard is not None:
            guard(old)
        evidence = passage.enter(held, target, by, at=at, why=why)
        act = AliasMove.Act.MOVE if old else AliasMove.Act.SET
        alias = turn(held, name, by, act=act, at=at, evidence=evidence, why=why)
        tell_moved(held, name, before, at)
    return alias, before


def admit(version: ArtifactVersion, name: str, by: Actor, *, at: datetime, why: str) -> tuple[Alias, bool]:
    """Set an alias that another tool had, with its artifact held. Says whether a gate stands before it. Raises Invalid."""
    check_alias(name)
    evidence = passage.admit(version, Target("alias", name), by, at=at, why=why)
    is_there = Alias.objects.filter(artifact=version.artifact, name=name).exists()
    act = AliasMove.Act.MOVE if is_there else AliasMove.Act.SET
    alias = turn(version, name, by, act=act, at=at, evidence=evidence, why=why)
    return alias, evidence is not None


def turn(
    version: ArtifactVersion,
    name: str,
    by: Actor,
    *,
    act: AliasMove.Act,
    at: datetime,
    evidence: Evidence | None,
    why: str,
) -> Alias:
    """Let an alias point at a version that is held, in one transaction with what is kept of it."""
    artifact = version.artifact
    old = Alias.objects.select_related("version").filter(artifact=artifact, name=name).first()
    was = old.version if old else None
    alias, _ = Alias.objects.update_or_create(artifact=artifact, name=name, defaults={"version": version})
    alias_history.note(artifact, name, by, act=act, at=at, old=was, new=version, evidence=evidence, why=why)
    record(
        by,
        ACTS[act],
        object_type="Alias",
        object_id=f"{artifact.name}@{name}",
        before={"version": str(was.number)} if was else None,
        after={"version": str(version.number)},
    )
    return alias


def roll_back(
    artifact: Artifact, name: str, by: Actor, *, at: datetime, why: str = "", guard: Guard | None = None
) -> tuple[Alias, str]:
    """Let an alias point again where it pointed before. Returns it and the number that it pointed at.

    Raises NotFound, Forbidden, or Conflict: there is no earlier version, or it never passed the gate that stands there.
    """
    with transaction.atomic():
        held = artifacts.hold(artifact, by)
        alias = fetch_alias(held, name)
        if guard is not None:
            guard(alias)
        back = alias_history.previous(alias)
        if back is None:
            raise Conflict(
                f"{held.name}@{name} pointed at no earlier version that is still there", "no_earlier_version"
            )
        back.artifact = held
        evidence = passage.come_back(back, Target("alias", name), by, at=at, why=why)
        moved = turn(back, name, by, act=AliasMove.Act.ROLLBACK, at=at, evidence=evidence, why=why)
        tell_moved(back, name, str(alias.version.number), at)
    return moved, str(alias.version.number)


def take_away(
    artifact: Artifact, name: str, by: Actor, *, at: datetime, why: str = "", guard: Guard | None = None
) -> bool:
    """Take an alias away, and say whether there was one. `guard` is asked with the row held.

    Raises Forbidden (`gate_refused`) if it is protected and nobody who may approve does it.
    """
    with transaction.atomic():
        held = artifacts.hold(artifact, by)
        found = Alias.objects.select_related("version__logged_model").filter(artifact=held, name=name).first()
        if found is None:
            return False
        if guard is not None:
            guard(found)
        found.artifact = found.version.artifact = held
        evidence = passage.leave(found.version, Target("alias", name), by, at=at, why=why)
        act = AliasMove.Act.DELETE
        alias_history.note(held, name, by, act=act, at=at, old=found.version, new=None, evidence=evidence, why=why)
        before = {"version": str(found.version.number)}
        record(by, Act.ALIAS_DELETE, object_type="Alias", object_id=f"{held.name}@{name}", before=before)
        found.delete()
        taken_away(held, name, at)
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
