"""The floor: who is asking, and what each route demands. Deny by default.

Every view declares `required_role`: one role, or one for each HTTP method. `None` opens a route to anyone and
must be written as `public_route("reason")`. config/ refuses to start with a view that declares nothing.
"""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from django.http import HttpRequest
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from maestro.errors import Forbidden, Invalid, NotFound, Unauthenticated

ROLES = ("viewer", "contributor", "approver", "admin")
RANK = {name: rank for rank, name in enumerate(ROLES)}
READ = ("GET", "HEAD", "OPTIONS")
# What a key may be narrowed to: looking only, or changing things of one room. No scope at all: all that its role may.
SCOPES = ("read", "tracking", "registry", "recommendations", "access")
# The projects that a request may touch; None is every one. A list, because that is what becomes an array in SQL.
Reach = list[uuid.UUID] | None


@dataclass(frozen=True)
class Principal:
    """A person, a service account or a CI job, as one request sees it."""

    kind: str  # "key", "person" or "job"
    id: str
    name: str
    role: str  # in the whole tenant; empty for a person who has roles in projects only
    schema: str
    projects: Reach = None
    scopes: frozenset[str] = field(default_factory=frozenset)
    project_roles: Mapping[uuid.UUID, str] = field(default_factory=dict)
    sees_all: bool = False  # narrowed for this request, though it may look at the whole tenant
    is_authenticated: bool = True

    def has_role(self, role: str, project_id: uuid.UUID | None = None) -> bool:
        """Say whether this principal holds `role` or more, in the tenant or in one project."""
        if self.projects is not None and project_id is not None and project_id not in self.projects:
            return False
        rank = RANK.get(self.role, -1)
        if project_id is not None and self.project_roles:
            rank = max(rank, RANK.get(self.project_roles.get(project_id, ""), -1))
        return rank >= RANK[role]

    def within(self, role: str) -> "Principal":
        """Who this is for a route that needs `role`: itself, or narrowed to the projects where it holds that.

        Raises Forbidden if it holds the role nowhere.
        """
        if RANK.get(self.role, -1) >= RANK[role]:
            return self
        held = {project: has for project, has in self.project_roles.items() if RANK[has] >= RANK[role]}
        if not held:
            raise Forbidden(f"this needs the role {role}; you are {self.role or 'without a role here'}")
        least = min(held.values(), key=RANK.__getitem__)
        return replace(self, role=least, projects=sorted(held), project_roles=held, sees_all=bool(self.role))

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
    """Let a request through if its principal holds the role that the view declares; in projects only: to these."""

    def has_permission(self, request: Request, view: Any) -> bool:
        """Raise Unauthenticated or Forbidden; return True otherwise."""
        needed = role_for(view, request.method or "GET")
        if needed is None:
            return True
        request.user = admit(asking(request), needed, view)  # type: ignore[assignment]
        return True


def admit(principal: Principal, needed: str, view: Any) -> Principal:
    """Let a principal through to a view, as far as its role reaches. Raises Forbidden: by role, then by scope."""
    if RANK.get(principal.role, -1) < RANK[needed]:
        principal = principal.within(needed)
    if principal.scopes and not principal.has_scope(room_of(view), writes=needed != "viewer"):
        raise Forbidden(f"this key is narrowed to {', '.join(sorted(principal.scopes))}")
    return principal


def beyond_reach(request: Any, error: Exception) -> Exception:
    """Turn "there is none" into "you may not" for who sees the whole tenant but may change some projects only."""
    if not isinstance(error, NotFound):
        return error  # asking who it is would try a refused credential again, and count it
    who = getattr(request, "user", None)
    if isinstance(who, Principal) and who.sees_all:
        return Forbidden("there is no such thing in the projects where you may do this")
    return error


def home_of(projects: Reach, otherwise: str) -> uuid.UUID | None:
    """Choose the project of something new: the only one in reach; None if it may belong to any. Raises Invalid."""
    if projects is None:
        return None
    if len(projects) != 1:
        raise Invalid(f"you work in several projects: {otherwise}", "which_project")
    return projects[0]


def asking(request: Request | HttpRequest) -> Principal:
    """Name who asks. Raises Unauthenticated if nobody is known to."""
    who: Any = request.user
    if not isinstance(who, Principal):
        raise Unauthenticated("sign in: send an API key as a Bearer token or as a Basic password")
    return who


def room_of(view: Any) -> str:
    """Name the room that a view belongs to, from its module: apps.<room>.api.views."""
    parts = type(view).__module__.split(".")
    if parts[0] != "apps":
        return ""
    return "access" if parts[1] == "tenants" else parts[1]
