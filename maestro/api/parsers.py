"""The floor: DRF's way to the strict JSON reader, and the bound on a body's size."""

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest
from rest_framework.parsers import BaseParser

from maestro import limits
from maestro.api import json
from maestro.errors import Invalid, TooLarge


def read_body(request: HttpRequest, most_bytes: int = limits.JSON_BODY_BYTES) -> bytes:
    """Read a whole body, never more than `most_bytes`. Raises TooLarge, or Invalid if it was cut short."""
    declared = request.META.get("CONTENT_LENGTH") or "0"
    if not declared.isdecimal():
        raise Invalid("Content-Length must be a whole number", "bad_length")
    if int(declared) > most_bytes:
        raise TooLarge(f"the body is larger than {most_bytes} bytes", "body_too_large")
    body = request.read(most_bytes + 1)
    if len(body) > most_bytes:
        raise TooLarge(f"the body is larger than {most_bytes} bytes", "body_too_large")
    if len(body) < int(declared):
        raise Invalid("the body was cut short", "body_cut_short")
    return body


class StrictJSONParser(BaseParser):
    """Reads `application/json` and nothing else."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        """Read the request's body as one strict JSON document."""
        request = (parser_context or {}).get("request")
        # DRF hands over a bare buffer when something (Idempotency-Key) has read the body before.
        body = read_body(getattr(request, "_request", stream))
        return json.loads(body) if body else {}
