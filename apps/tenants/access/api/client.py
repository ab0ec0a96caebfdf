"""The access room's REST door: the CI client, served as the one file that it is."""

from functools import lru_cache

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from maestro.api.permissions import public_route


@lru_cache(maxsize=1)
def client_file() -> bytes:
    """Read the client."""
    return (settings.BASE_DIR / "docs" / "ci" / "maestro_ci.py").read_bytes()


@public_route("the CI client is public code, the same for everybody")
@require_safe
def ci_client(request: HttpRequest) -> HttpResponse:
    """Serve the client."""
    return HttpResponse(client_file(), content_type="text/x-python; charset=utf-8")
