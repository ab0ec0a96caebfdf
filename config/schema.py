"""The roof: what drf-spectacular can't read off the views: how to sign in, how refusals look, which headers matter."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema

PROBLEM: dict[str, Any] = {
    "type": "object",
    "description": "RFC 9457 problem details. `code` is stable; clients decide by it.",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string"},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "request_id": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "pointer": {"type": "string", "description": "JSON pointer into what was sent"},
                    "code": {"type": "string"},
                    "detail": {"type": "string"},
                },
            },
        },
    },
}
REFUSALS = {"400": "The request is not valid", "401": "Not signed in", "403": "Not allowed", "404": "Not found"}
WRITES = {
    "409": "It collides with what is stored",
    "413": "Too large",
    "415": "Not application/json",
    "422": "This Idempotency-Key was used with another request",
}
GUARDED = {"412": "It has changed since", "428": "Send If-Match"}


class PagedSchema(AutoSchema):
    """Knows our lists: views that say how their pages are ordered, and answer rows of their own serializer."""

    def _is_list_view(self, serializer: Any = None) -> bool:
        if self.method != "GET" or not hasattr(self.view, "page_ordering"):
            return super()._is_list_view(serializer)  # type: ignore[no-any-return]
        own = self.view.serializer_class
        asked = self.get_response_serializers() if serializer is None else serializer
        return asked is own or isinstance(asked, own)


class KeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """An API key, as a Bearer token or as the password of Basic."""

    target_class = "apps.tenants.access.authentication.KeyAuthentication"
    name = "key"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """Describe the scheme."""
        return {"type": "http", "scheme": "bearer", "description": "mst_<tenant>_<id>_<secret>"}


def first(endpoints: Any) -> Any:
    """Change nothing: naming this hook lets drf-spectacular read this module before it reads the views."""
    return endpoints


def header(name: str, description: str, *, required: bool = False) -> dict[str, Any]:
    """Describe a request header."""
    schema = {"type": "string", "maxLength": 200}
    return {"name": name, "in": "header", "required": required, "description": description, "schema": schema}


def describe(result: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
    """Add refusals and headers to every operation."""
    result.setdefault("components", {}).setdefault("schemas", {})["Problem"] = PROBLEM
    for path, methods in result["paths"].items():
        for method, operation in methods.items():
            if path.startswith("/api/v1/") and isinstance(operation, dict):
                complete(method, operation)
    return result


def complete(method: str, operation: dict[str, Any]) -> None:
    """Add what all operations of a method share."""
    refusals = dict(REFUSALS)
    parameters = operation.setdefault("parameters", [])
    if method != "get":
        refusals |= WRITES
    if method == "post":
        parameters.append(header("Idempotency-Key", "the same key and body again is answered again and done once"))
    if method in ("patch", "put", "delete"):
        refusals |= GUARDED
        parameters.append(header("If-Match", "the ETag that the change is based on"))
    for status, description in refusals.items():
        content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
        operation["responses"].setdefault(status, {"description": description, "content": content})
