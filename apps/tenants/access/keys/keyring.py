"""The access room: issue, rotate and revoke keys, never beyond what the issuer may do, nor longer than it lasts.

A key and its successors are a family. Whoever ends one ends the family, and all that any of them made.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from apps.tenants.access.actions import Act
from apps.tenants.access.audit.recording import record
from apps.tenants.access.keys.authentication import forget_keys
from apps.tenants.access.models import ApiKey
from apps.tenants.access.models.keys import DEFAULT_DAYS, ApiKeyQuerySet, Origin
from apps.tenants.routing import this_tenant
from maestro.errors import Conflict, Forbidden, NotFound, Unauthenticated
from maestro.principals import RANK, Actor, Principal

MOST_OVERLAP_HOURS = 168
MOST_MAKERS = 100  # keys that made one another, which are looked through for a person


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


def look(principal: Principal, identity: str) -> ApiKey:
    """Fetch a key to be shown. Raises NotFound."""
    with transaction.atomic():
        return fetch(principal, identity)


def answers_for(by: Actor) -> str:
    """Name who answers for what somebody does: the person or the first key that a key comes of, else themselves.

    So that nobody is two, by a key beside their own name or by two keys.
    """
    first = first_of(by)
    if first is None:
        return by.name[:250]
    return f"person:{first.person.get_username()}" if first.person else name_of(first)


def is_in_force(owner: str, at: datetime) -> bool:
    """Say whether a key, job or person may still come in, by kind and id: what was given to them ends with them."""
    kind, _, identity = owner.partition(":")
    if kind == "person":
        return User.objects.filter(pk=identity, is_active=True).exists()
    return ApiKey.objects.valid(at).filter(pk=identity).exists()


def first_of(by: Actor) -> ApiKey | None:
    """Find the key of a person that an acting key comes of, or the very first; None if no key acts."""
    first, steps = (None if by.who.kind == "person" else ApiKey.objects.filter(pk=by.who.id).first()), 0
    while first is not None and first.person is None and first.parent is not None and steps < MOST_MAKERS:
        first, steps = first.parent, steps + 1
    return first


def name_of(key: ApiKey) -> str:
    """How a key is called where something is told of it."""
    return f"{key.kind}:{key.name}"[:250]


def names_of(by: Actor) -> set[str]:
    """Name somebody with all keys that they made: what such a key makes or asks for is theirs.

    Keys may be called alike: then both count, since better one approver is too few than the author one of them.
    """
    first = first_of(by)
    person = first.person.get_username() if first and first.person else by.who.name if by.who.kind == "person" else ""
    own = ApiKey.objects.filter(person__username=person) if person else ApiKey.objects.filter(pk=first and first.pk)
    return {by.name[:250], answers_for(by), *map(name_of, own.with_what_came_of_them())}


def shown(key: ApiKey) -> dict[str, object]:
    """Write what the audit log keeps of a key."""
    return {
        "name": key.name,
        "role": key.role,
        "project": str(key.project_id) if key.project_id else None,
        "scopes": key.scopes,
        "family": str(key.family),
        "expires_at": key.expires_at.isoformat(),
    }


def origin_of(issuer: Principal, at: datetime) -> Origin:
    """Say what a key made by somebody comes from, as that stands now: what was let in a moment ago may have ended.

    Raises Unauthenticated
    """
    if issuer.kind == "person":
        if not User.objects.filter(pk=issuer.id, is_active=True).exists():
            raise Unauthenticated("this account is closed")
        return Origin(person_id=int(issuer.id))
    parent = ApiKey.objects.filter(pk=issuer.id).first()
    # While this waited for its turn, time went on, and the key may have been ended.
    if parent is None or not parent.is_valid(max(at, timezone.now())):
        raise Unauthenticated("this key is not valid")
    return Origin(parent_id=parent.pk, until=parent.expires_at)


def issue(by: Actor, wish: Wish, at: datetime) -> tuple[ApiKey, str]:
    """Make a key and return its text, the only time. A key's own key ends with it."""
    check_may_grant(by.who, wish)
    with transaction.atomic():
        ApiKey.objects.lock_all()
        return mint(by, wish, origin=origin_of(by.who, at), at=at)


def mint(by: Actor, wish: Wish, *, origin: Origin, at: datetime) -> tuple[ApiKey, str]:
    """Make a key of an origin, and write it down."""
    key, text = ApiKey.objects.issue(
        slug=this_tenant().slug,
        name=wish.name,
        role=wish.role,
        at=at,
        days=wish.days,
        project_id=wish.project_id,
        scopes=wish.scopes,
        created_by=str(by.who)[:250],
        origin=origin,
    )
    record(by, Act.KEY_ISSUE, subject=key, after=shown(key))
    return key, text


def rotate(by: Actor, identity: str, *, days: int, overlap_hours: int, at: datetime) -> tuple[ApiKey, str]:
    """Replace a key by a new one of the same rights, family and end; the old one works for the overlap.

    Whoever asks, the successor lasts no longer than the old key, nor than the key that asked for it.
    Raises Conflict for a key that has ended or has a successor.
    """
    with transaction.atomic():
        ApiKey.objects.lock_all()
        old = fetch(by.who, identity)
        if not old.is_valid(at) or old.revoked_at is not None:
            raise Conflict("this key is expired, revoked or being replaced already")
        wish = Wish(old.name, old.role, days, old.project_id, tuple(old.scopes))
        check_may_grant(by.who, wish)
        asked = origin_of(by.who, at)
        until = min(old.expires_at, asked.until or old.expires_at)
        origin = replace(asked, family=old.family, person_id=asked.person_id or old.person_id, until=until)
        key, text = mint(by, wish, origin=origin, at=at)
        old.revoke(min(old.expires_at, at + timedelta(hours=overlap_hours)))
        record(by, Act.KEY_ROTATE, subject=old, after={"replaced_by": key.pk, "works_until": old.revoked_at})
    forget_keys()
    return key, text


def revoke(by: Actor, key: ApiKey, at: datetime) -> int:
    """Close a key now, its whole family and all that any of them made. Returns how many were open; none is no error.

    In force in every process within five seconds.
    """
    return end(by, ApiKey.objects.filter(pk=key.pk), at)


def revoke_named(by: Actor, identity: str, at: datetime) -> int:
    """Close the key of an id; `self` is the caller's own. Raises NotFound."""
    with transaction.atomic():
        return revoke(by, fetch(by.who, identity), at)


def end(by: Actor, keys: ApiKeyQuerySet, at: datetime) -> int:
    """Close keys with their families and all that came of them, each with its event. Returns how many were open."""
    with transaction.atomic():
        ApiKey.objects.lock_all()
        first = set(keys.values_list("pk", flat=True))
        open_keys = list(keys.with_what_came_of_them().not_ended(at))
        for one in open_keys:
            one.revoke(at)
            record(
                by, Act.KEY_REVOKE, subject=one, before=shown(one), after={"came_of_an_ended_key": one.pk not in first}
            )
    forget_keys()
    return len(open_keys)


def issue_by_operator(wish: Wish, *, slug: str, by: Actor, at: datetime) -> tuple[ApiKey, str]:
    """Make a key at the machine itself: of no person and no other key."""
    with transaction.atomic():
        key, text = ApiKey.objects.issue(
            slug=slug,
            name=wish.name,
            role=wish.role,
            at=at,
            days=wish.days,
            project_id=wish.project_id,
            created_by="operator",
        )
        record(by, Act.KEY_ISSUE, subject=key, after={"name": wish.name, "role": wish.role})
    return key, text
