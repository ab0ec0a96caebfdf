"""The access room: issue, rotate and revoke keys, never beyond what the issuer may do."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from apps.tenants.access.audit.recording import By, record
from apps.tenants.access.keys.authentication import forget_keys
from apps.tenants.access.models import ApiKey
from apps.tenants.access.models.keys import DEFAULT_DAYS, ApiKeyQuerySet
from apps.tenants.routing import this_tenant
from maestro.errors import Conflict, Forbidden, NotFound
from maestro.principals import RANK, Principal

MOST_OVERLAP_HOURS = 168


@dataclass(frozen=True)
class Wish:
    """What somebody asks a key for."""

    name: str
    role: str
    days: int = DEFAULT_DAYS
    project_id: uuid.UUID | None = None
    scopes: Sequence[str] = ()


def check_may_grant(issuer: Principal, wish: Wish) -> None:
    """Raise Forbidden if a key would reach further than its issuer."""
    if issuer.kind == "job":
        raise Forbidden("a CI job's key can't make keys")
    if RANK.get(wish.role, 0) > RANK[issuer.role]:
        raise Forbidden(f"you are {issuer.role} and can't make a key with the role {wish.role}")
    if issuer.projects is not None and wish.project_id not in issuer.projects:
        raise Forbidden("a key of one project, or a role in projects alone, can only make keys of the same project")
    if issuer.scopes and not (wish.scopes and set(wish.scopes) <= issuer.scopes):
        raise Forbidden(f"scopes must be among your own: {', '.join(sorted(issuer.scopes))}")


def visible_to(principal: Principal) -> ApiKeyQuerySet:
    """Keep the keys that somebody may see: a project's key, or admin, sees its project's."""
    found = ApiKey.objects.all()
    return found if principal.projects is None else found.filter(project_id__in=principal.projects)


def fetch(principal: Principal, identity: str) -> ApiKey:
    """Fetch a key by id; `self` is the caller's own. Raises NotFound."""
    if identity == "self":
        identity = principal.id if principal.kind == "key" else ""
    key = visible_to(principal).select_for_update().filter(pk=identity).first()
    if key is None:
        raise NotFound("there is no such key")
    return key


def shown(key: ApiKey) -> dict[str, object]:
    """Write what the audit log keeps of a key."""
    return {
        "name": key.name,
        "role": key.role,
        "project": str(key.project_id) if key.project_id else None,
        "scopes": key.scopes,
        "expires_at": key.expires_at.isoformat(),
    }


def issue(by: By, issuer: Principal, wish: Wish, at: datetime) -> tuple[ApiKey, str]:
    """Make a key and return its text, the only time."""
    check_may_grant(issuer, wish)
    with transaction.atomic():
        key, text = ApiKey.objects.issue(
            slug=this_tenant().slug,
            name=wish.name,
            role=wish.role,
            at=at,
            days=wish.days,
            project_id=wish.project_id,
            scopes=wish.scopes,
            created_by=str(issuer)[:250],
        )
        record(by, "key.issue", subject=key, after=shown(key))
    return key, text


def rotate(
    by: By, issuer: Principal, identity: str, *, days: int, overlap_hours: int, at: datetime
) -> tuple[ApiKey, str]:
    """Replace a key by a new one of the same rights; the old one works for the overlap, so that nobody is cut off."""
    with transaction.atomic():
        old = fetch(issuer, identity)
        if not old.is_valid(at) or old.revoked_at is not None:
            raise Conflict("this key is expired, revoked or being replaced already")
        wish = Wish(old.name, old.role, days, old.project_id, tuple(old.scopes))
        key, text = issue(by, issuer, wish, at)
        old.revoke(min(old.expires_at, at + timedelta(hours=overlap_hours)))
        record(by, "key.rotate", subject=old, after={"replaced_by": key.pk, "works_until": old.revoked_at})
    forget_keys()
    return key, text


def revoke(by: By, key: ApiKey, at: datetime) -> None:
    """Close a key now. In force in every process within five seconds. Twice is no error."""
    if key.revoked_at is not None and key.revoked_at <= at:
        return
    with transaction.atomic():
        key.revoke(at)
        record(by, "key.revoke", subject=key, before=shown(key))
    forget_keys()
