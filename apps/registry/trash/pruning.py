"""The registry room: what has been in the trash for too long goes for ever, as each project's rules for runs say.

What is shared by all goes by the rule of all projects. Bytes stay until a sweep finds that nothing names them.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from apps.registry.models import Artifact, ArtifactVersion
from apps.registry.trash import artifacts, versions
from apps.registry.upkeep import sweeps
from apps.tracking.retention.rules import IN_FORCE, TRASH_DAYS, combined, said_of
from maestro.clock import from_ms
from maestro.database.arrays import UuidArray
from maestro.database.statements import execute
from maestro.errors import Conflict
from maestro.principals import Actor

DAY_MS = 86_400_000
AT_ONCE = 100
ACTOR = Actor("task:retention")

# How many days the trash of an artifact's project keeps things.
DAYS = f"""coalesce(%(days)s::float8, k.trash_days,
 (SELECT trash_days FROM tracking_liferule WHERE project_id IS NULL), {TRASH_DAYS})"""  # noqa: S608 constants of ours, here and below
HOME = f"LEFT JOIN {IN_FORCE} k ON k.project_id = a.project_id"
AGED = f"{{row}}.deleted_ms < %(now)s - {DAYS} * {DAY_MS}"
ARTIFACTS = f"""SELECT a.id FROM registry_artifact a {HOME} WHERE {AGED.format(row="a")} AND a.id > %(after)s
 ORDER BY a.id LIMIT %(most)s"""  # noqa: S608
VERSIONS = f"""SELECT v.id FROM registry_artifactversion v JOIN registry_artifact a ON a.id = v.artifact_id {HOME}
 WHERE ({AGED.format(row="v")} OR {AGED.format(row="a")}) AND v.id > %(after)s ORDER BY v.id LIMIT %(most)s"""  # noqa: S608


def prune(now: int, *, days: float | None = None) -> dict[str, int]:
    """Delete what has been in the trash for too long. What something uses after all stays, and is counted."""
    done: Counter[str] = Counter(artifacts=0, versions=0, in_use=0)
    for pk in aged(ARTIFACTS, now, days):
        done[destroyed("artifacts", pk)] += 1
    for pk in aged(VERSIONS, now, days):
        done[destroyed("versions", pk)] += 1
    return dict(done)


def is_due() -> bool:
    """Say whether anything lies in the trash."""
    return Artifact.everything.trashed().exists() or ArtifactVersion.everything.trashed().exists()


def aged(statement: str, now: int, days: float | None) -> Sequence[UUID]:
    """List what has been in the trash for too long."""
    found: list[UUID] = []
    while True:
        bound = {"now": now, "days": days, "after": found[-1] if found else UUID(int=0), "most": AT_ONCE}
        rows = [row[0] for row in execute(statement, bound)]
        if not rows:
            return found
        found += rows


def destroyed(kind: str, pk: UUID) -> str:
    """Delete one thing for ever; returns as what it counts."""
    try:
        if kind == "artifacts":
            artifacts.destroy(Artifact(pk=pk), ACTOR)
        else:
            row = ArtifactVersion.everything.select_related("artifact").get(pk=pk)
            versions.destroy(row, ACTOR)
    except (Conflict, ArtifactVersion.DoesNotExist):
        return "in_use"
    return kind


def outlook(now: int, *, days: float | None = None) -> dict[str, Any]:
    """Say what would go now, and how many bytes a sweep could free then: those that nothing else names."""
    gone = aged(VERSIONS, now, days)
    files, size = execute(sweeps.only_named_by("%(gone)s"), {"gone": UuidArray(gone)})[0]
    return {"artifacts": len(aged(ARTIFACTS, now, days)), "versions": len(gone), "files": files, "file_bytes": size}


def goes_at(rows: Iterable[Artifact | ArtifactVersion]) -> Mapping[UUID, datetime]:
    """When each thing in the trash goes for ever, by its id."""
    found = list(rows)
    homes = {row.pk: row.artifact if isinstance(row, ArtifactVersion) else row for row in found}
    rules = said_of([home.project for home in homes.values() if home.project])
    days = {pk: combined(rules, home.project_id).trash_days for pk, home in homes.items()}
    return {row.pk: from_ms((row.deleted_ms or 0) + days[row.pk] * DAY_MS) for row in found}
