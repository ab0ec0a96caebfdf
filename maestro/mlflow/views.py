"""The floor: the base of every MLflow view: strict fields in, lean JSON out, errors in MLflow's words."""

import re
from typing import Any

import orjson
from django.http import HttpRequest, HttpResponse
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from maestro.api import json
from maestro.api.parsers import read_body
from maestro.errors import Fault, Invalid, UnsupportedMedia
from maestro.mlflow.answers import json_response
from maestro.mlflow.errors import handle

CAMEL = re.compile(r"(?<=[a-z0-9])([A-Z])")


class MlflowView(APIView):
    """One call of the MLflow protocol. Subclasses return plain dicts, or any HttpResponse."""

    parser_classes = ()
    renderer_classes = ()

    def get_exception_handler(self) -> Any:
        """Use MLflow's error format."""
        return handle

    def perform_content_negotiation(self, request: Request, force: bool = False) -> tuple[None, str]:
        """Answer JSON to everybody."""
        return None, "application/json"

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """Turn a dict, or DRF's own error response, into JSON."""
        if isinstance(response, Response):
            answer = json_response(response.data, status=response.status_code)
            for name, value in response.items():
                answer.headers[name] = value
            answer.headers["Content-Type"] = "application/json"
            return answer
        if isinstance(response, HttpResponse) or not isinstance(response, dict):
            return response
        return json_response(response)

    def fields(self, request: Request) -> dict[str, Any]:
        """Read the call's fields: the JSON body, or the query for GET. camelCase becomes snake_case."""
        http = request._request
        if http.method == "GET":
            return read_query(http)
        kind = http.META.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
        body = read_body(http)
        if body and kind != "application/json":
            raise UnsupportedMedia("send the body as application/json")
        document = json.loads(body) if body.strip() else {}
        if isinstance(document, str):
            document = json.loads(document.encode())
        if not isinstance(document, dict):
            raise Invalid("the body must be a JSON object", "bad_json")
        return snake_case(document)


def read_query(request: HttpRequest) -> dict[str, Any]:
    """Read query parameters; a repeated one becomes a list."""
    fields = {name: values if len(values) > 1 else values[0] for name, values in request.GET.lists()}
    json.check_text(fields, "")
    return snake_case(fields)


def snake_case(document: dict[str, Any]) -> dict[str, Any]:
    """Fold camelCase names of one level. Raises Invalid if both spellings are there."""
    folded: dict[str, Any] = {}
    for name, value in document.items():
        plain = CAMEL.sub(lambda match: "_" + match[1].lower(), name)
        if plain in folded:
            detail = f"{plain} is given twice, in two spellings"
            raise Invalid(detail, "duplicate_key", faults=[Fault(f"/{plain}", "duplicate_key", detail)])
        folded[plain] = value
    return folded


def dump(body: Any) -> bytes:
    """Write JSON bytes."""
    return orjson.dumps(body)
