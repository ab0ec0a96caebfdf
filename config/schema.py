"""The roof: what drf-spectacular can't read off the views: how to sign in, how refusals look, which headers matter."""

import sys
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from rest_framework.serializers import ListSerializer

from maestro import limits

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
OURS = ("/api/v1/", "/hooks/")
GUARDED_POSTS = ("aliases_roll_back", "promotions_decide")


class PagedSchema(AutoSchema):
    """Knows our lists: views that say how their pages are ordered, and answer rows of their own serializer."""

    def _is_list_view(self, serializer: Any = None) -> bool:
        if self.method != "GET" or not hasattr(self.view, "page_ordering"):
            return super()._is_list_view(serializer)  # type: ignore[no-any-return]
        own: Any = getattr(self.view, "serializer_class", None)
        asked = self.get_response_serializers() if serializer is None else serializer
        return asked is own or isinstance(asked, own)

    def _map_serializer_field(self, field: Any, direction: Any, bypass_extensions: bool = False) -> Any:
        found = super()._map_serializer_field(field, direction, bypass_extensions)
        most = getattr(field, "max_length", None) if isinstance(field, ListSerializer) else None
        if most and isinstance(found, dict):
            found["maxItems"] = most
        return found


class KeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """An API key, as a Bearer token or as the password of Basic."""

    target_class = "apps.tenants.access.keys.authentication.KeyAuthentication"
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
    for name, schema in result["components"]["schemas"].items():
        if name.endswith("Request"):
            bound(schema, limits.JSON_BODY_BYTES)
    for path, methods in result["paths"].items():
        for method, operation in methods.items():
            if path.startswith(OURS) and isinstance(operation, dict):
                complete(method, operation)
    return result


def bound(schema: dict[str, Any], most_bytes: int) -> None:
    """Write down the bounds that a field has for no reason of its own: those of its type, and of what it comes in."""
    types = schema["type"] if isinstance(schema.get("type"), list) else [schema.get("type")]
    if "enum" not in schema and "$ref" not in schema:
        if "string" in types and schema.get("format") not in ("uuid", "date-time", "binary"):
            schema.setdefault("maxLength", most_bytes)
        if "integer" in types:
            schema.setdefault("minimum", limits.INT64_MIN)
            schema.setdefault("maximum", limits.INT64_MAX)
        if "number" in types:
            schema.setdefault("minimum", -sys.float_info.max)
            schema.setdefault("maximum", sys.float_info.max)
        if "array" in types:
            schema.setdefault("maxItems", most_bytes // 2)
    below = [schema.get("items"), schema.get("additionalProperties"), *schema.get("properties", {}).values()]
    for part in (*below, *schema.get("oneOf", ()), *schema.get("anyOf", ())):
        if isinstance(part, dict):
            bound(part, most_bytes)


def bound_parameters(parameters: list[dict[str, Any]]) -> None:
    """The same for what stands in an address: no name that is stored is longer than these."""
    for one in parameters:
        if one["in"] == "path":
            bound(one["schema"], limits.PATH_BYTES if one["name"] == "path" else limits.EXPERIMENT_NAME_CHARS)
        else:
            bound(one["schema"], limits.QUERY_STRING_BYTES)


def complete(method: str, operation: dict[str, Any]) -> None:
    """Add what all operations of a method share."""
    refusals = dict(REFUSALS)
    parameters = operation.setdefault("parameters", [])
    if method != "get":
        refusals |= WRITES
    if method == "post" and operation["operationId"] != "hooks_deliver":
        parameters.append(header("Idempotency-Key", "the same key and body again is answered again and done once"))
    if method in ("patch", "put", "delete") or operation["operationId"] in GUARDED_POSTS:
        refusals |= GUARDED
        parameters.append(header("If-Match", "the ETag that the change is based on"))
    bound_parameters(parameters)
    for status, description in refusals.items():
        content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
        operation["responses"].setdefault(status, {"description": description, "content": content})
