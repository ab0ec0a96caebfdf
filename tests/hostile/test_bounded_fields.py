"""Everything that a request of the description may hold has a bound: texts, numbers, lists, in bodies and addresses."""

from collections.abc import Iterator
from typing import Any

from tests.description import DESCRIPTION

SHAPED = ("uuid", "date-time", "binary")
BOUNDS = {
    "string": ("maxLength",),
    "integer": ("minimum", "maximum"),
    "number": ("minimum", "maximum"),
    "array": ("maxItems",),
}


def unbounded(schema: dict[str, Any], where: str, seen: frozenset[str] = frozenset()) -> Iterator[str]:
    """Walk a schema and name each bound that is not there."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        if name not in seen:
            yield from unbounded(DESCRIPTION["components"]["schemas"][name], name, seen | {name})
        return
    types = schema["type"] if isinstance(schema.get("type"), list) else [schema.get("type")]
    if "enum" not in schema and schema.get("format") not in SHAPED:
        yield from (f"{where}: {bound}" for one in types for bound in BOUNDS.get(one, ()) if bound not in schema)
    for name, part in schema.get("properties", {}).items():
        yield from unbounded(part, f"{where}.{name}", seen)
    for part in (schema.get("items"), schema.get("additionalProperties")):
        yield from unbounded(part, f"{where}[]", seen) if isinstance(part, dict) else ()
    for part in (*schema.get("oneOf", ()), *schema.get("anyOf", ()), *schema.get("allOf", ())):
        yield from unbounded(part, where, seen)


def requests() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema of something that is sent to us, and where it stands."""
    for path, methods in DESCRIPTION["paths"].items():
        for method, operation in methods.items():
            for one in operation.get("parameters", ()):
                yield f"{method} {path} {one['in']} {one['name']}", one["schema"]
            for kind, content in operation.get("requestBody", {}).get("content", {}).items():
                yield f"{method} {path} {kind}", content["schema"]


def test_every_field_of_a_request_has_its_bounds() -> None:
    found = list(requests())
    assert len(found) > 200
    assert sorted({fault for where, schema in found for fault in unbounded(schema, where)}) == []


def test_a_field_without_bounds_would_be_seen() -> None:
    loose = {
        "type": "object",
        "properties": {"a": {"type": "string"}, "b": {"type": ["integer", "null"], "minimum": 0}},
    }
    assert sorted(unbounded(loose, "x")) == ["x.a: maxLength", "x.b: maximum"]
