"""The roof: the description of the API, made once a process in each of its forms, and kept by who has it."""

import hashlib
import threading
from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView
from rest_framework.request import Request

from maestro.api.permissions import public_route

_written: dict[type[Any], tuple[bytes, str]] = {}
_lock = threading.Lock()


@public_route("the description of the API holds no tenant's data")
class Description(SpectacularAPIView):
    """OpenAPI, as YAML or JSON."""

    @extend_schema(exclude=True)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        """Answer what was written once; 304 if the caller has it already."""
        renderer = request.accepted_renderer
        body, tag = written(type(renderer))
        headers = {"ETag": tag, "Cache-Control": "no-cache", "Vary": "Accept"}
        if tag in request.headers.get("If-None-Match", ""):
            return HttpResponse(status=304, headers=headers)
        name = f'inline; filename="maestro.{renderer.format}"'
        return HttpResponse(body, content_type=renderer.media_type, headers=headers | {"Content-Disposition": name})


def written(kind: type[Any]) -> tuple[bytes, str]:
    """Write the description in one form, and its tag. Whoever comes meanwhile waits for the same."""
    with _lock:
        if kind not in _written:
            document = SpectacularAPIView.generator_class().get_schema(request=None, public=True)
            body = kind().render(document, renderer_context={})
            _written[kind] = body, f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        return _written[kind]
