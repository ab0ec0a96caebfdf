"""The floor: what each route demands of who asks. Deny by default.

Every view declares `required_role`: one role, or one for each HTTP method. `None` opens a route to anyone and
must be written as `public_route("reason")`. config/ refuses to start with a view that declares nothing.
"""

from collections.abc import Callable, Mapping
from typing import Any

from django.http import HttpRequest
from rest_framework.exceptions import MethodNotAllowed
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from maestro.errors import Forbidden, NotFound, Unauthenticated
from maestro.principals import RANK, Principal

READ = ("GET", "HEAD", "OPTIONS")


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
    """Look up what a view demands for a method. Raises MethodNotAllowed for a method it does not name."""
    declared = view.required_role
    if isinstance(declared, Mapping):
        if method not in declared:
            raise MethodNotAllowed(method)
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
