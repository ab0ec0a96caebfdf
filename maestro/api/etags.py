"""The floor: ETag, If-Match and If-None-Match of REST answers.

Source  RFC 9110 section 13, RFC 6585 section 3 (428)
"""

import hashlib
import json
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from rest_framework.request import Request
from rest_framework.response import Response

from maestro.errors import MaestroError


class PreconditionFailed(MaestroError):
    """Somebody else changed it since the caller looked."""

    status = 412
    code = "precondition_failed"


class PreconditionRequired(MaestroError):
    """A change that two callers may want at once must say what it is based on."""

    status = 428
    code = "precondition_required"


def etag_of(data: Any) -> str:
    """Digest what a GET shows."""
    text = json.dumps(data, cls=DjangoJSONEncoder, sort_keys=True)
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'


def tagged(request: Request, data: Any, *, status: int = 200) -> Response:
    """Answer with an ETag; 304 if the caller has it already."""
    tag = etag_of(data)
    if request.method in ("GET", "HEAD") and tag in request.headers.get("If-None-Match", ""):
        return Response(status=304, headers={"ETag": tag})
    return Response(data, status=status, headers={"ETag": tag})


def check_match(request: Request, data: Any, *, required: bool) -> None:
    """Compare If-Match with what is stored. Raises PreconditionRequired or PreconditionFailed."""
    given = request.headers.get("If-Match")
    if given is None:
        if required:
            raise PreconditionRequired("send If-Match with the ETag that GET answered")
        return
    if given.strip() != "*" and etag_of(data) not in given:
        raise PreconditionFailed("it has changed since; GET it again")
