"""The roof: the short way to the MLflow calls: their tenant, their view, and no middleware made for pages.

These calls carry no cookie, so sessions, CSRF and messages have nothing to do for them. The edge before this
gives their answers the headers of an API.
"""

from collections.abc import Callable
from functools import lru_cache
from importlib import import_module
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern
from django.urls.resolvers import RoutePattern

from apps.tenants.middleware import TenantMiddleware

View = Callable[[HttpRequest], HttpResponse]
ROOMS = ("apps.registry.mlflow.urls", "apps.tracking.mlflow.urls")


@lru_cache(maxsize=1)
def lanes() -> dict[str, View]:
    """Map each address without variable parts to its view; the first room that offers one has it."""
    found: dict[str, View] = {}
    for room in ROOMS:
        for entry in import_module(room).urlpatterns:
            if isinstance(entry, URLPattern) and isinstance(entry.pattern, RoutePattern):
                address = "/" + str(entry.pattern)
                if "<" not in address:
                    found.setdefault(address, entry.callback)
    return found


class LaneMiddleware:
    """Serves the MLflow calls itself and passes everything else on."""

    def __init__(self, get_response: View) -> None:
        self.get_response = get_response
        self.inside = TenantMiddleware(serve)

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Serve one request."""
        if request.path_info not in lanes():
            return self.get_response(request)
        response = self.inside(request)  # type: ignore[arg-type]  # entering gives the request its tenant
        if settings.SECURE_HSTS_SECONDS and request.is_secure():
            response.headers["Strict-Transport-Security"] = f"max-age={settings.SECURE_HSTS_SECONDS}"
        return response


def whole(application: Callable[..., Any]) -> Callable[..., Any]:
    """Hand a complete answer to the server as one piece: it is then sent at once, with its length."""

    def answer(environ: dict[str, Any], start_response: Any) -> Any:
        response = application(environ, start_response)
        if getattr(response, "streaming", True):
            return response
        body = response.content
        response.close()
        return [body]

    return answer


def serve(request: HttpRequest) -> HttpResponse:
    """Call the view of an address."""
    return lanes()[request.path_info](request)
