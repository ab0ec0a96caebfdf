"""The roof: every route declares who may use it, or nothing starts.

Source  SECURITY requirement R1
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.urls import URLPattern, URLResolver, get_resolver

ADMIN_NAMES = ("tenant_admin", "operator_admin")
URLCONFS = ("config.urls", "config.urls_public")


@dataclass(frozen=True)
class Route:
    """One address and what it demands; an admin page is guarded by its site."""

    pattern: str
    view: Any
    declared: bool
    guarded_by_admin: bool = False


def walk(resolver: URLResolver, prefix: str = "", in_admin: bool = False) -> Iterator[Route]:
    """List every route below a resolver."""
    for entry in resolver.url_patterns:
        pattern = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from walk(entry, pattern, in_admin or entry.namespace in ADMIN_NAMES)
        elif isinstance(entry, URLPattern):
            view = getattr(entry.callback, "cls", None) or getattr(entry.callback, "view_class", entry.callback)
            declared = "required_role" in dir(view) or "required_role" in getattr(entry.callback, "initkwargs", {})
            yield Route(pattern, view, declared, in_admin)


def all_routes() -> list[Route]:
    """List the routes of both kinds of host."""
    return [route for name in URLCONFS for route in walk(get_resolver(name))]


def require_declared_roles() -> None:
    """Raise ImproperlyConfigured naming each route that declares no role."""
    bare = sorted({r.pattern for r in all_routes() if not r.declared and not r.guarded_by_admin})
    if bare:
        raise ImproperlyConfigured("these routes declare no required_role: " + ", ".join(bare))
