"""The access room: from verified claims of an identity provider to a person of this tenant.

A person is known by (iss, sub). An e-mail address joins nobody unless the provider says it is verified, the
tenant's admin allowed that, and nobody else is joined to that person.
"""

import hashlib
import re
from typing import Any

from django.contrib.auth.models import Group, User
from django.db import transaction

from apps.tenants.access.actions import Act
from apps.tenants.access.audit.recording import record
from apps.tenants.access.models import OidcLink, OidcProvider, role_of_person
from maestro.oidc import BadToken
from maestro.principals import RANK, ROLES, Actor

UNSAFE = re.compile(r"[^\w.@+-]")


def enter(provider: OidcProvider, claims: dict[str, Any], by: Actor) -> User:
    """Find, join or make the person, and bring their role up to date. Raises BadToken."""
    with transaction.atomic():
        person = linked(claims) or joined(provider, claims, by) or made(provider, claims, by)
        if not person.is_active:
            raise BadToken("this person is not active")
        role = settle_role(person, provider, claims)
        is_let_in = role is not None or person.project_roles.exists()
        if is_let_in:
            person.is_staff = True
            person.save(update_fields=["is_staff"])
            record(by, Act.PERSON_SIGN_IN, subject=person, after={"provider": provider.slug, "role": role})
    if not is_let_in:
        raise BadToken("no group of this person has a role here")
    return person


def linked(claims: dict[str, Any]) -> User | None:
    """Find the person that (iss, sub) is joined to."""
    link = OidcLink.objects.select_related("user").filter(issuer=claims["iss"], subject=claims["sub"]).first()
    return link.user if link else None


def joined(provider: OidcProvider, claims: dict[str, Any], by: Actor) -> User | None:
    """Join a person by e-mail, where that is allowed and safe."""
    email = claims.get("email")
    if (
        not provider.links_by_email
        or claims.get("email_verified") is not True
        or not isinstance(email, str)
        or not email
    ):
        return None
    found = list(User.objects.filter(email__iexact=email, is_active=True)[:2])
    if len(found) != 1 or found[0].is_superuser or found[0].oidc_links.exists():
        return None
    return link(found[0], claims, by)


def made(provider: OidcProvider, claims: dict[str, Any], by: Actor) -> User:
    """Make a person. Raises BadToken where people are not made at sign-in."""
    if not provider.makes_people:
        raise BadToken("this person is not known here")
    email = claims.get("email") if claims.get("email_verified") is True else ""
    person = User(username=free_name(claims), email=str(email or "")[:254])
    person.first_name, person.last_name = (
        str(claims.get("given_name", ""))[:150],
        str(claims.get("family_name", ""))[:150],
    )
    person.set_unusable_password()
    person.save()
    return link(person, claims, by)


def free_name(claims: dict[str, Any]) -> str:
    """Choose a user name that nobody has: the provider's word for them, else a digest of who they are."""
    wished = UNSAFE.sub("", str(claims.get("preferred_username") or ""))[:150]
    if wished and not User.objects.filter(username__iexact=wished).exists():
        return wished
    digest = hashlib.sha256(f"{claims['iss']}\0{claims['sub']}".encode()).hexdigest()[:12]
    return f"{wished[:100] or 'person'}-{digest}"


def link(person: User, claims: dict[str, Any], by: Actor) -> User:
    """Join a person to (iss, sub)."""
    OidcLink.objects.create(user=person, issuer=claims["iss"], subject=claims["sub"])
    record(by, Act.PERSON_LINK, subject=person, after={"issuer": claims["iss"], "subject": claims["sub"]})
    return person


def settle_role(person: User, provider: OidcProvider, claims: dict[str, Any]) -> str | None:
    """Give the role that the provider's groups say; without a map, keep what the person has, or the default."""
    if not provider.group_roles:
        role = role_of_person(person) or provider.default_role or None
    else:
        listed = claims.get(provider.groups_claim)
        groups = [str(group) for group in listed] if isinstance(listed, list) else []
        roles = [provider.group_roles.get(group) for group in groups]
        named = [role for role in (*roles, provider.default_role) if role in RANK]
        role = max(named, key=RANK.__getitem__, default=None)
    kept = person.groups.exclude(name__in=ROLES)
    person.groups.set([*kept, *Group.objects.filter(name=role or "")])
    return role
