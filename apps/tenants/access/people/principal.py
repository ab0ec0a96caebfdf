"""The access room: what a person is here: a role in the tenant, roles in projects, or both."""

from dataclasses import replace
from typing import Any

from django.contrib.auth.models import User
from django.http import HttpRequest
from rest_framework.request import Request

from apps.tenants.access.people.known import Known, ask, known
from maestro.database.session import connection
from maestro.errors import Forbidden
from maestro.http.addresses import client_address
from maestro.principals import NOBODY, Actor, Principal


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
        schema=connection.schema_name,
        project_roles=told.project_roles,
    )


def looker(request: HttpRequest) -> Principal:
    """Who looks at a page, as far as they reach: everything, or their projects.

    A page's request carries Django's own person, who stays there for Django's permissions; programs' requests carry a
    Principal (`maestro/api/permissions.py` `asking`). Somebody without any role of ours has what Django's permissions
    give them, and no project bounds that.
    """
    person: Any = request.user
    return on_pages(person, known(person)) if person is not None and person.is_authenticated else NOBODY


def on_pages(person: User, told: Known) -> Principal:
    """Narrow who has roles in projects alone to these."""
    found = described(person, told)
    return found.within("viewer") if found.project_roles and not found.role else found


def acting(request: HttpRequest | Request) -> Actor:
    """Who acts in a request, at every door: a key, a job or a person, with what they reach."""
    http: HttpRequest = request._request if isinstance(request, Request) else request
    found: Any = request.user
    who = found if isinstance(found, Principal) else looker(http)
    name = "anonymous" if who is NOBODY else str(who)
    return Actor(name, who.role, client_address(http), getattr(http, "request_id", ""), who)


def acting_as(person: User, by: Actor) -> Actor:
    """Who acts in a request in which somebody has just shown, otherwise than by signing in, who they are."""
    who = on_pages(person, ask(person))
    return replace(by, name=str(who), role=who.role, who=who)


def is_bound(request: HttpRequest) -> bool:
    """Say whether who looks at a page has roles in projects only."""
    return bool(looker(request).projects)
