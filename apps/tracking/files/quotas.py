"""The tracking room: how many bytes a tenant and its projects may keep, and whether more of them fit.

Bytes count for the tenant as they come in, and for a project as a name in it is given to them. Room is taken before they
are kept, in one statement that holds no row while bytes move; what then comes to nothing is given back by the next
measure. Without a quota nothing is asked.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from apps.tenants.access.audit.recording import record
from apps.tenants.routing import this_tenant
from apps.tracking.actions import Act
from apps.tracking.files import use
from apps.tracking.models import Blob, Project, StorageUse
from apps.tracking.scoping import projects_for, require_tenant_wide
from maestro.errors import QuotaReached, Unavailable
from maestro.principals import Actor

WANTED = """
WITH brought AS (SELECT * FROM unnest(%(digests)s::text[], %(sizes)s::bigint[]) AS t (sha256, size)),
wanted AS (
 SELECT NULL::uuid AS project_id, %(tenant_quota)s::bigint AS quota,
  (SELECT coalesce(sum(t.size), 0)::bigint FROM brought t
   WHERE %(are_new)s OR NOT EXISTS (SELECT FROM tracking_blob b WHERE b.sha256 = t.sha256)) AS size
  WHERE %(tenant_quota)s::bigint IS NOT NULL
 UNION ALL SELECT %(project)s::uuid, %(project_quota)s::bigint,
  (SELECT coalesce(sum(t.size), 0)::bigint FROM brought t
   WHERE NOT EXISTS (SELECT FROM ({names}) n WHERE n.project_id = %(project)s::uuid AND n.blob_id = t.sha256))
  WHERE %(project_quota)s::bigint IS NOT NULL),
held AS (SELECT u.id, u.bytes, w.project_id, w.quota, w.size FROM wanted w
 JOIN tracking_storageuse u ON u.project_id IS NOT DISTINCT FROM w.project_id ORDER BY u.id {lock}),
fits AS (SELECT count(*) FILTER (WHERE size = 0 OR bytes + size <= quota) = (SELECT count(*) FROM wanted) AS yes FROM held)
"""
TAKE = """UPDATE tracking_storageuse u SET bytes = u.bytes + held.size FROM held
WHERE u.id = held.id AND (SELECT yes FROM fits) RETURNING u.id"""
ASK = "SELECT project_id, bytes, quota, size FROM held"


@dataclass(frozen=True)
class Share:
    """The part of a project in what is kept."""

    project_id: UUID
    quota_bytes: int | None


def share_of(project: Project | None) -> Share | None:
    """A project's share; None where no project is."""
    return Share(project.pk, project.quota_bytes) if project else None


def take(
    contents: Mapping[str, int], share: Share | None = None, *, are_kept: bool = False, are_new: bool = False
) -> None:
    """Take room for contents, by their digest and size, before they are kept.

    are_kept  they count for the tenant already and are to be named in a project
    are_new   they were not here before this transaction

    Raises QuotaReached with the numbers.
    """
    asked = question(contents, share, are_kept=are_kept, are_new=are_new)
    if asked is None or taken(asked):
        return
    if measured_anew() and taken(asked):
        return
    refuse(asked)


@contextmanager
def room_for(contents: Mapping[str, int]) -> Iterator[None]:
    """Keep contents in the block, which is within a transaction: room is asked for before, and taken after it.

    So the row of what is used, which stays held until the transaction ends, is not held while bytes move.
    """
    fresh: dict[str, int] = {}
    if contents and this_tenant().quota_bytes is not None:
        known = set(Blob.objects.filter(pk__in=contents).values_list("pk", flat=True))
        fresh = {sha256: size for sha256, size in contents.items() if sha256 not in known}
        check(lambda: fresh)
    yield
    if fresh:
        take(fresh, are_new=True)


def check(contents: Callable[[], Mapping[str, int]]) -> None:
    """Raise QuotaReached if contents that shall be brought later don't fit now. Takes no room; without a quota asks nothing."""
    asked = None if this_tenant().quota_bytes is None else question(contents())
    if asked is None or would_fit(asked):
        return
    if measured_anew() and would_fit(asked):
        return
    refuse(asked)


def question(
    contents: Mapping[str, int], share: Share | None = None, *, are_kept: bool = False, are_new: bool = False
) -> dict[str, Any] | None:
    """Write down what is asked; None where no quota bounds it."""
    tenant_quota = None if are_kept else this_tenant().quota_bytes
    project_quota = share.quota_bytes if share else None
    if tenant_quota is None and project_quota is None:
        return None
    return {
        "digests": list(contents),
        "sizes": list(contents.values()),
        "tenant_quota": tenant_quota,
        "project": share.project_id if share else None,
        "project_quota": project_quota,
        "are_new": are_new,
    }


def wanted(asked: Mapping[str, Any]) -> int:
    """How many quotas bound it."""
    return sum(asked[name] is not None for name in ("tenant_quota", "project_quota"))


def taken(asked: Mapping[str, Any]) -> bool:
    """Raise what is used if all of it fits."""
    with connection.cursor() as cursor:
        cursor.execute(WANTED.format(names=use.names(), lock="FOR UPDATE OF u") + TAKE, asked)
        return len(cursor.fetchall()) == wanted(asked)


def would_fit(asked: Mapping[str, Any]) -> bool:
    """Say whether all of it fits now."""
    found = rows(asked)
    return len(found) == wanted(asked) and all(fits(*row[1:]) for row in found)


def rows(asked: Mapping[str, Any]) -> list[tuple[UUID | None, int, int, int]]:
    """Read what is used, allowed and wanted, of the project and of the tenant."""
    with connection.cursor() as cursor:
        cursor.execute(WANTED.format(names=use.names(), lock="") + ASK, asked)
        return cursor.fetchall()


def fits(used: int, quota: int, size: int) -> bool:
    """Say whether so many more are allowed; what is here already always is."""
    return size == 0 or used + size <= quota


def measured_anew() -> bool:
    """Measure before anybody is refused, unless that was done a moment ago. Says whether it was done now."""
    now = timezone.now()
    rows = StorageUse.objects.all()
    is_known = rows.filter(project=None, measured_at__gt=now - use.STALE).exists()
    unmeasured = Project.objects.exclude(quota_bytes=None).exclude(pk__in=rows.exclude(project=None).values("project"))
    return (not is_known or unmeasured.exists()) and use.measure(now)


def refuse(asked: Mapping[str, Any]) -> None:
    """Say which quota is reached, with its numbers. Raises QuotaReached, or Unavailable where it was never counted."""
    full = next((row for row in rows(asked) if not fits(*row[1:])), None)
    if full is None:
        raise Unavailable("what is kept is being counted; try again in a moment")
    project, used, quota, size = full
    whose = "this project" if project else "your organisation"
    detail = (
        f"{whose} keeps {used} of the {quota} bytes that it may, and {size} more do not fit; nothing is stored. "
        "Delete what is not needed, or ask an admin for more room"
    )
    facts = {"used_bytes": used, "quota_bytes": quota, "wanted_bytes": size}
    raise QuotaReached(detail, facts=facts | {"quota_of": "project" if project else "tenant"})


def set_quota(reference: str, quota_bytes: int | None, by: Actor) -> Project:
    """Bound a project, or unbound it with None. Raises NotFound, Forbidden for who reaches some projects only."""
    require_tenant_wide(by.who, "bound projects")
    with transaction.atomic():
        project = projects_for(by.who).select_for_update().fetch(reference)
        before = project.quota_bytes
        if before == quota_bytes:
            return project
        project.quota_bytes = quota_bytes
        project.save(update_fields=["quota_bytes"])
        was, now = {"quota_bytes": before}, {"quota_bytes": quota_bytes}
        record(by, Act.PROJECT_CHANGE, subject=project, before=was, after=now)
    return project
