"""The floor: a form of somebody who is not signed in is small: reading it costs its length several times over.

It stands behind the session's middleware and before whatever reads forms. A made-up cookie is no session.
"""

from collections.abc import Callable

from django.contrib.auth import SESSION_KEY
from django.http import HttpRequest, HttpResponse

from maestro import limits
from maestro.errors import TooLarge
from maestro.http.edge import is_longer
from maestro.http.pages import is_for_machines, page


class StrangersFormMiddleware:
    """Refuses a large form before it is read, unless its session belongs to a person."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Serve one request."""
        length = request.META.get("CONTENT_LENGTH") or "0"
        is_large = not is_for_machines(request) and is_longer(length, limits.OPEN_BODY_BYTES)
        if is_large and SESSION_KEY not in request.session:
            most = limits.OPEN_BODY_BYTES
            return page(request, TooLarge(f"a form has at most {most} bytes before you sign in", "body_too_large"))
        return self.get_response(request)
