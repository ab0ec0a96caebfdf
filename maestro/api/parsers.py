"""The floor: DRF's way to the strict JSON reader, and the bound on a body's size."""

from collections.abc import Mapping
from tempfile import TemporaryFile
from typing import Any

from django.http import HttpRequest
from rest_framework.parsers import BaseParser

from maestro import limits
from maestro.api import json
from maestro.api.permissions import role_for
from maestro.errors import Invalid, TooLarge
from maestro.http.heavy import LARGE_BYTES, turn
from maestro.principals import ROLES

PIECE_BYTES = 64 * 2**10


def read_body(request: HttpRequest, most_bytes: int = limits.JSON_BODY_BYTES) -> bytes:
    """Read a whole body, never more than `most_bytes`. Raises TooLarge, or Invalid if it was cut short."""
    declared = request.META.get("CONTENT_LENGTH") or "0"
    if not declared.isascii() or not declared.isdecimal():
        raise Invalid("Content-Length must be a whole number", "bad_length")
    if int(declared) > most_bytes:
        raise TooLarge(f"the body is larger than {most_bytes} bytes", "body_too_large")
    body = read_large(request, most_bytes + 1) if int(declared) > LARGE_BYTES else request.read(most_bytes + 1)
    if len(body) > most_bytes:
        raise TooLarge(f"the body is larger than {most_bytes} bytes", "body_too_large")
    if len(body) < int(declared):
        raise Invalid("the body was cut short", "body_cut_short")
    return body


def read_large(request: HttpRequest, most_bytes: int) -> bytes:
    """Read a large body into a file while it comes in, however slowly, and then from there, when it has its turn.

    Raises Busy.
    """
    left = most_bytes
    with TemporaryFile() as held:
        while left > 0 and (piece := request.read(min(left, PIECE_BYTES))):
            left -= held.write(piece)
        turn.take()
        held.seek(0)
        return held.read()


def most_bytes(view: Any, method: str) -> int:
    """Say how large a body may be: the less is known of the caller, and the less it may change, the smaller."""
    needed = role_for(view, method)
    if needed is None:
        return limits.OPEN_BODY_BYTES
    return limits.ASKING_BODY_BYTES if needed == ROLES[0] else limits.JSON_BODY_BYTES


class StrictJSONParser(BaseParser):
    """Reads `application/json` and nothing else."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        """Read the request's body as one strict JSON document."""
        context = parser_context or {}
        request, view = context.get("request"), context.get("view")
        most = most_bytes(view, request.method) if request and view else limits.OPEN_BODY_BYTES
        # DRF hands over a bare buffer when something (Idempotency-Key) has read the body before.
        body = read_body(getattr(request, "_request", stream), most)
        return json.loads(body) if body else {}
