"""The floor: who is asking, and what each route demands. Deny by default.

Every view declares `required_role`: one role, or one for each HTTP method. `None` opens a route to anyone and
must be written as `public_route("reason")`. config/ refuses to start with a view that declares nothing.
"""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.http import HttpRequest
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from maestro.errors import Forbidden, Unauthenticated

ROLES = ("viewer", "contributor", "approver", "admin")
RANK = {name: rank for rank, name in enumerate(ROLES)}
READ = ("GET", "HEAD", "OPTIONS")
# What a key may be narrowed to: looking only, or changing things of one room. No scope at all: all that its role may.
SCOPES = ("read", "tracking", "registry", "recommendations", "access")


@dataclass(frozen=True)
class Principal:
    """A person, a service account or a CI job, as one request sees it."""

    kind: str  # "key", "person" or "job"
    id: str
    name: str
    role: str
    schema: str
    project_id: uuid.UUID | None = None
    scopes: frozenset[str] = field(default_factory=frozenset)
    project_roles: Mapping[uuid.UUID, str] = field(default_factory=dict)
    project_slugs: Mapping[str, uuid.UUID] = field(default_factory=dict)  # of the projects in project_roles
    is_authenticated: bool = True

    def has_role(self, role: str, project_id: uuid.UUID | None = None) -> bool:
        """Say whether this principal holds `role` or more, in the tenant or in one project."""
        if self.project_id is not None and project_id is not None and project_id != self.project_id:
            return False
        rank = RANK[self.role]
        if project_id is not None:
            rank = max(rank, RANK.get(self.project_roles.get(project_id, ""), -1))
        return rank >= RANK[role]

    def has_scope(self, room: str, *, writes: bool) -> bool:
        """Say whether a narrowed key reaches a room: its own scope, or `read` for looking."""
        return not self.scopes or room in self.scopes or (not writes and "read" in self.scopes)

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"


def reading_and_writing(write: str = "contributor", read: str = "viewer") -> dict[str, str]:
    """Declare the usual pair: one role to look, one to change."""
    looks = dict.fromkeys(READ, read)
    return looks | dict.fromkeys(("POST", "PUT", "PATCH", "DELETE"), write)


def public_route(reason: str) -> Callable[[Any], Any]:
    """Open a view to anyone, saying why. Such routes are listed in docs/security.md."""

    def declare(view: Any) -> Any:
        view.required_role = None
        view.public_reason = reason
        return view

    return declare


def role_for(view: Any, method: str) -> str | None:
    """Look up what a view demands for a method. Raises Forbidden for a method it does not name."""
    declared = view.required_role
    if isinstance(declared, Mapping):
        if method not in declared:
            raise Forbidden(f"{method} is not allowed here")
        return declared[method]
    return declared


class RolePermission(BasePermission):
    """Let a request through if its principal holds the role that the view declares."""

    def has_permission(self, request: Request, view: Any) -> bool:
        """Raise Unauthenticated or Forbidden; return True otherwise."""
        needed = role_for(view, request.method or "GET")
        if needed is None:
            return True
        require(asking(request), needed, view)
        return True


def require(principal: Principal, needed: str, view: Any) -> None:
    """Let a principal through to a view. Raises Forbidden: by role, in the project at hand too, then by scope."""
    if not principal.has_role(needed, project_of(view, principal)):
        raise Forbidden(f"this needs the role {needed}; you are {principal.role}")
    if principal.scopes and not principal.has_scope(room_of(view), writes=needed != "viewer"):
        raise Forbidden(f"this key is narrowed to {', '.join(sorted(principal.scopes))}")


def asking(request: Request | HttpRequest) -> Principal:
    """Name who asks. Raises Unauthenticated if nobody is known to."""
    who: Any = request.user
    if not isinstance(who, Principal):
        raise Unauthenticated("sign in: send an API key as a Bearer token or as a Basic password")
    return who


def project_of(view: Any, principal: Principal) -> uuid.UUID | None:
    """Name the project that a route is about, if the principal has a role of their own in it."""
    named = str(getattr(view, "kwargs", {}).get("project", "")) if principal.project_roles else ""
    found = principal.project_slugs.get(named)
    return found or next((identity for identity in principal.project_roles if str(identity) == named), None)


def room_of(view: Any) -> str:
    """Name the room that a view belongs to, from its module: apps.<room>.api.views."""
    parts = type(view).__module__.split(".")
    if parts[0] != "apps":
        return ""
    return "access" if parts[1] == "tenants" else parts[1]
