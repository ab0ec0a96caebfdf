"""The access room: what a person is here: a role in the tenant, roles in projects, or both."""

from typing import Any

from django.contrib.auth.models import User
from django.http import HttpRequest
from rest_framework.request import Request

from apps.tenants.access.people.known import Known, ask, known
from apps.tenants.routing import this_tenant
from maestro.errors import Forbidden
from maestro.http.addresses import client_address
from maestro.principals import Actor, Principal

NOBODY = Principal("person", "", "", "", "")


def principal_of_person(person: User) -> Principal:
    """Read a person's roles as they are now. Raises Forbidden for who has none anywhere in the tenant."""
    found = described(person, ask(person))
    if not found.role and not found.project_roles:
        raise Forbidden("you have no role in this tenant", "no_role")
    return found


def described(person: User, told: Known) -> Principal:
    """Write a person with their roles: perhaps none."""
    return Principal(
        kind="person",
        id=str(person.pk),
        name=person.get_username(),
        role=told.role,
        schema=this_tenant().schema_name,
        project_roles=told.project_roles,
    )


def looker(request: HttpRequest) -> Principal:
    """Who looks at a page, as far as they reach: everything, or their projects. Read once a request.

    Somebody without any role of ours has what Django's permissions give them, and no project bounds that.
    """
    kept: Principal | None = getattr(request, "maestro_looker", None)
    if kept is None:
        person: Any = request.user
        kept = described(person, known(person)) if person.is_authenticated else NOBODY
        if kept.project_roles and not kept.role:
            kept = kept.within("viewer")
        request.maestro_looker = kept  # type: ignore[attr-defined]
    return kept


def acting(request: HttpRequest | Request) -> Actor:
    """Who acts in a request, at every door: a key, a job or a person, with what they reach."""
    http: HttpRequest = request._request if isinstance(request, Request) else request
    found: Any = request.user
    who = found if isinstance(found, Principal) else looker(http)
    return Actor(str(who), who.role, client_address(http), getattr(http, "request_id", ""), who)


def is_bound(request: HttpRequest) -> bool:
    """Say whether who looks at a page has roles in projects only."""
    return looker(request).projects is not None
