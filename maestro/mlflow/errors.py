"""The floor: refusals as the MLflow client reads them: {"error_code", "message"}.

Source  MLflow REST protocol; the client decides by error_code, and repeats 408, 429, 500, 502, 503 and 504
"""

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest
from rest_framework.response import Response

from maestro import errors
from maestro.api.errors import as_refusal, headers_of
from maestro.errors import MaestroError
from maestro.mlflow.answers import json_response
from maestro.mlflow.wording import MISTAKES, NO_WORDS, worded

PREFIXES = (
    *("/api/2.0/", "/api/3.0/", "/ajax-api/", "/v1/traces"),
    *("/graphql", "/get-artifact", "/model-versions/get-artifact"),  # what the original's own pages ask
)

CODES: dict[int, str] = {
    400: "INVALID_PARAMETER_VALUE",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "RESOURCE_DOES_NOT_EXIST",
    405: "ENDPOINT_NOT_FOUND",
    409: "RESOURCE_CONFLICT",
    413: "INVALID_PARAMETER_VALUE",
    415: "BAD_REQUEST",
    416: "INVALID_PARAMETER_VALUE",
    429: "REQUEST_LIMIT_EXCEEDED",
    501: "NOT_IMPLEMENTED",
    503: "TEMPORARILY_UNAVAILABLE",
    507: "TEMPORARILY_UNAVAILABLE",
}


def is_mlflow_path(path: str) -> bool:
    """Say whether an address belongs to the MLflow door."""
    return path.startswith(PREFIXES)


def translate(error: MaestroError) -> tuple[int, str]:
    """Choose status and error_code. A taken name is 400 there; a wrong method is an unknown endpoint."""
    if isinstance(error, errors.AlreadyExists):
        return 400, "RESOURCE_ALREADY_EXISTS"
    if error.code in MISTAKES:
        return 400, "INVALID_PARAMETER_VALUE"
    if error.code == "endpoint_not_found" or error.status == 405:
        return 404, "ENDPOINT_NOT_FOUND"
    if error.status == 415:
        return 400, "BAD_REQUEST"
    return error.status, CODES.get(error.status, "INTERNAL_ERROR")


def mlflow_response(error: MaestroError, words: Mapping[tuple[str, ...], str] = NO_WORDS) -> Any:
    """Answer a refusal outside DRF, in a door's own words where it has any."""
    status, code = translate(error)
    body = {"error_code": code, "message": worded(error, words)}
    response = json_response(body, status=status, headers=headers_of(error))
    response._has_been_logged = True  # type: ignore[attr-defined]  # a refusal is an answer; what is a fault was logged where it was found
    return response


def handle(error: Exception, context: dict[str, Any]) -> Response:
    """Answer a refusal inside DRF."""
    refusal = as_refusal(error)
    status, code = translate(refusal)
    return Response({"error_code": code, "message": worded(refusal)}, status=status, headers=headers_of(refusal))


def endpoint_not_found(request: HttpRequest, **kwargs: str) -> Any:
    """Answer for every MLflow address that Maestro does not offer."""
    refusal = errors.NotFound(f"Maestro does not offer {request.method} {request.path}", "endpoint_not_found")
    return mlflow_response(refusal)


endpoint_not_found.required_role = None  # type: ignore[attr-defined]
endpoint_not_found.public_reason = "says only that an MLflow address is not offered"  # type: ignore[attr-defined]
endpoint_not_found.csrf_exempt = True  # type: ignore[attr-defined] # nothing is read from a cookie or done
