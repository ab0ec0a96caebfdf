"""The floor: a refusal outside DRF, in the format of the door that was knocked at: MLflow, REST or a page."""

import logging
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404
from django.utils.html import format_html
from django.views import defaults

from maestro import errors
from maestro.api.errors import headers_of, problem_response
from maestro.errors import MaestroError
from maestro.http.throttling import count_unchecked
from maestro.mlflow.errors import is_mlflow_path, mlflow_response

logger = logging.getLogger("maestro.errors")
MACHINES = ("/api/", "/ajax-api/", "/v1/", "/hooks/", "/ci/")
PAGE = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
    "<h1>{title}</h1><p>{detail}</p><p>Request {request_id}</p></html>"
)


def is_for_machines(request: HttpRequest) -> bool:
    """Say whether an address belongs to an API and not to a page."""
    return request.path.startswith(MACHINES)


def refusal(request: HttpRequest, error: MaestroError) -> HttpResponse:
    """Answer a refusal."""
    if is_mlflow_path(request.path):
        return mlflow_response(error)
    if is_for_machines(request):
        return problem_response(error, request)
    return page(request, error)


def page(request: HttpRequest, error: MaestroError) -> HttpResponse:
    """Answer a refusal to a person's browser."""
    title = error.code.replace("_", " ").capitalize()
    request_id = getattr(request, "request_id", "")
    body = format_html(PAGE, title=title, detail=error.detail, request_id=request_id)
    return HttpResponse(body, status=error.status, headers=headers_of(error))


def handler(
    kind: type[MaestroError], detail: str, for_people: Callable[..., HttpResponse]
) -> Callable[..., HttpResponse]:
    """Make one of Django's four error handlers."""

    def answer(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
        try:
            if isinstance(exception, Resolver404):
                count_unchecked(request, None)
        except errors.TooMany as error:
            return refusal(request, error)
        if is_for_machines(request):
            return refusal(request, kind(detail))
        return for_people(request, exception) if exception is not None else for_people(request)

    return answer


bad_request = handler(errors.Invalid, "the request is not valid", defaults.bad_request)
permission_denied = handler(errors.Forbidden, "not allowed", defaults.permission_denied)
page_not_found = handler(errors.NotFound, "there is nothing at this address", defaults.page_not_found)
server_error = handler(MaestroError, "something went wrong on our side; it is logged", defaults.server_error)
