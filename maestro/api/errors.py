"""The floor: refusals as problem details, and how foreign errors become refusals.

Source  RFC 9457, Problem Details for HTTP APIs
"""

import logging
from collections.abc import Iterator
from itertools import islice
from typing import Any

import psycopg
from django.core.exceptions import BadRequest, PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import DatabaseError, DataError, IntegrityError, InterfaceError, OperationalError
from django.http import Http404, HttpRequest, JsonResponse
from rest_framework import exceptions
from rest_framework.response import Response

from maestro import errors, limits
from maestro.api.permissions import beyond_reach
from maestro.errors import Fault, MaestroError

logger = logging.getLogger("maestro.errors")
PROBLEM = "application/problem+json"
TITLES = {
    400: "Bad request",
    401: "Not signed in",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    406: "Not acceptable",
    409: "Conflict",
    412: "Precondition failed",
    413: "Too large",
    415: "Unsupported media type",
    416: "Range not satisfiable",
    422: "Unprocessable",
    428: "Precondition required",
    429: "Too many requests",
    500: "Internal error",
    501: "Not implemented",
    503: "Unavailable",
    507: "Storage full",
}


def flatten(detail: Any, pointer: str = "") -> Iterator[Fault]:
    """Walk DRF's nested validation errors into one flat list of faults."""
    if isinstance(detail, dict):
        for name, item in detail.items():
            yield from flatten(item, pointer if name == "non_field_errors" else f"{pointer}/{name}")
    elif isinstance(detail, list):
        for index, item in enumerate(detail):
            nested = isinstance(item, dict | list)
            yield from flatten(item, f"{pointer}/{index}" if nested else pointer)
    else:
        yield Fault(pointer, getattr(detail, "code", "invalid"), str(detail))


def named(found: Iterator[Fault]) -> list[Fault]:
    """Take as many faults as one answer names, and one more; were there others, that one says how many."""
    faults = list(islice(found, limits.FAULTS + 1))
    more = sum(1 for _ in found)
    return [*faults[: limits.FAULTS], Fault("", "more", f"and {more + 1} more")] if more else faults


def from_drf(error: exceptions.APIException) -> MaestroError:
    """Give a DRF exception our words, keeping its status."""
    if isinstance(error, exceptions.ValidationError):
        faults = named(flatten(error.detail))
        first = faults[0] if faults else Fault("", "invalid", "the input is not valid")
        where = first.pointer.strip("/").replace("/", ".")
        return errors.Invalid(f"{where}: {first.detail}" if where else first.detail, faults=faults)
    if isinstance(error, exceptions.Throttled):
        return errors.TooMany("too many requests", retry_after=int(getattr(error, "wait", None) or 1) + 1)
    if isinstance(error, exceptions.NotAuthenticated | exceptions.AuthenticationFailed):
        return errors.Unauthenticated(str(error.detail))
    refusal = MaestroError(str(error.detail), str(error.default_code))
    refusal.status = error.status_code
    return refusal


KNOWN: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], type[MaestroError], str], ...] = (
    (Http404, errors.NotFound, "not found"),
    (PermissionDenied, errors.Forbidden, "not allowed"),
    (RequestDataTooBig, errors.TooLarge, "the body is too large"),
    ((SuspiciousOperation, BadRequest), errors.Invalid, "the request is not valid"),
    ((DataError, psycopg.DataError), errors.Invalid, "a value is out of range or malformed"),
    ((IntegrityError, psycopg.IntegrityError), errors.Conflict, "this collides with what is stored"),
    (psycopg.errors.DiskFull, errors.StorageFull, "there is no space left on the database's disk"),
    (
        (OperationalError, InterfaceError, psycopg.OperationalError, psycopg.InterfaceError),
        errors.Unavailable,
        "the database does not answer; try again in a moment",
    ),
)


def as_refusal(error: BaseException) -> MaestroError:
    """Turn any exception into a refusal. What nobody foresaw is logged and becomes a bare 500."""
    if isinstance(error, MaestroError):
        return error
    if isinstance(error, exceptions.APIException):
        return from_drf(error)
    # Django has one class for many of psycopg's, and keeps the one it was as the cause.
    told = error.__cause__ if isinstance(error, DatabaseError) else None
    for kinds, refusal, detail in KNOWN:
        if isinstance(error, kinds) or isinstance(told, kinds):
            if refusal is not errors.NotFound:
                logger.warning("%s became %s: %s", type(error).__name__, refusal.code, error)
            return refusal(detail)
    logger.error("unforeseen error", exc_info=error)
    return MaestroError("something went wrong on our side; it is logged under the request id")


def headers_of(error: MaestroError) -> dict[str, str]:
    """Write the headers that a refusal carries."""
    headers = {"Cache-Control": "no-store"}
    if error.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="maestro"'
    if isinstance(error, errors.TooMany):
        headers["Retry-After"] = str(error.retry_after)
    if isinstance(error, errors.Unavailable):
        headers["Retry-After"] = "2"
    return headers


def problem(error: MaestroError, request: HttpRequest | None = None) -> dict[str, Any]:
    """Write a refusal as problem details."""
    body: dict[str, Any] = {
        "type": f"/api/docs/errors#{error.code}",
        "title": TITLES.get(error.status, "Refused"),
        "status": error.status,
        "code": error.code,
        "detail": error.detail,
    }
    if request is not None:
        body["instance"] = request.path
        body["request_id"] = getattr(request, "request_id", "")
    if isinstance(error, errors.QuotaReached):
        body |= error.facts
    if error.faults:
        body["errors"] = [
            {"pointer": f.pointer[: limits.DETAIL_CHARS], "code": f.code, "detail": errors.bounded(f.detail)}
            for f in error.faults
        ]
    return body


def handle(error: Exception, context: dict[str, Any]) -> Response:
    """Answer for DRF (settings: EXCEPTION_HANDLER)."""
    request = context.get("request")
    refusal = as_refusal(beyond_reach(request, error))
    response = Response(problem(refusal, getattr(request, "_request", None)), status=refusal.status)
    response["Content-Type"] = PROBLEM
    response.content_type = PROBLEM
    for name, value in headers_of(refusal).items():
        response[name] = value
    return response


def problem_response(error: MaestroError, request: HttpRequest | None = None) -> JsonResponse:
    """Answer outside DRF: middleware and the error pages."""
    return JsonResponse(problem(error, request), status=error.status, content_type=PROBLEM, headers=headers_of(error))
