"""The roof: the short way to the MLflow calls: their tenant, their view, and no middleware made for pages.

These calls carry no cookie, so sessions, CSRF and messages have nothing to do for them. The edge before this
gives their answers the headers of an API.
"""

from collections.abc import Callable
from functools import lru_cache
from importlib import import_module
from typing import Any

from django.conf import settings
from django.core.handlers.exception import convert_exception_to_response
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.db import close_old_connections
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern
from django.urls.resolvers import RoutePattern
from django.utils.log import log_response

from apps.tenants.middleware import TenantMiddleware
from config.health import HealthMiddleware
from maestro.errors import TooMany
from maestro.frugal import tidying
from maestro.http.edge import EdgeMiddleware
from maestro.http.pages import refusal
from maestro.http.throttling import count_unchecked

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


class ShortWay:
    """The application: MLflow calls go past Django's handler and signals, everything else by way of them.

    The edge, the measuring and the lane are the same; what stays away are middleware that they never reach, the
    script's prefix, and the signals at both ends, of which only the care for connections matters here.
    """

    def __init__(self, pages: WSGIHandler) -> None:
        self.pages = whole(pages)
        get_response: Any = pages.get_response
        self.lane: Any = convert_exception_to_response(EdgeMiddleware(HealthMiddleware(LaneMiddleware(get_response))))

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        """Answer one request."""
        tidying.served()
        if environ["PATH_INFO"] not in lanes() or environ.get("SCRIPT_NAME") or settings.DEBUG:
            return self.pages(environ, start_response)
        close_old_connections()
        request = WSGIRequest(environ)
        response = self.lane(request)
        if response.status_code >= 400:
            log_response("%s: %s", response.reason_phrase, request.path, response=response, request=request)
        headers = list(response.items())
        start_response(f"{response.status_code} {response.reason_phrase}", headers)
        return response if response.streaming else [response.content]


def serve(request: HttpRequest) -> HttpResponse:
    """Call the view of an address."""
    view = lanes()[request.path_info]
    try:
        count_unchecked(request, view)
    except TooMany as error:
        return refusal(request, error)
    return view(request)
