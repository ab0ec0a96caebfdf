"""The floor: answers of the MLflow door, written by orjson; NaN and infinities travel as text."""

import math
from collections.abc import Mapping
from typing import Any

import msgspec
import orjson
from django.http import HttpResponse


def number(value: float) -> float | str:
    """Write a double as the MLflow client reads it."""
    if math.isfinite(value):
        return value
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def without_nulls(row: Mapping[str, Any]) -> dict[str, Any]:
    """Leave unset fields and empty lists out, as MLflow's answers do."""
    return {name: value for name, value in row.items() if value is not None and value != []}


def json_response(body: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> HttpResponse:
    """Answer JSON; bytes are JSON already."""
    data = body if isinstance(body, bytes) else orjson.dumps(body, default=msgspec.to_builtins)
    response = HttpResponse(data, content_type="application/json", status=status)
    response.headers["Cache-Control"] = "no-store"
    for name, value in (headers or {}).items():
        response.headers[name] = value
    return response
