"""The floor: the outermost middleware. Forged headers are dropped, the request gets its id, and its address is bounded."""

import random
import re
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from maestro import limits
from maestro.errors import Invalid, MaestroError, TooLarge
from maestro.http.addresses import drop_untrusted_headers
from maestro.http.heavy import turn
from maestro.http.pages import is_for_machines, refusal

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
CONTROLS = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
POLICY = "default-src 'none'; frame-ancestors 'none'"


class EdgeMiddleware:
    """Wraps everything: what it sets, even a refusal carries."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Serve one request; the next large one may begin when it is answered."""
        try:
            return self.serve(request)
        finally:
            turn.end()

    def serve(self, request: HttpRequest) -> HttpResponse:
        """Serve one request."""
        given = request.META.get("HTTP_X_REQUEST_ID", "")
        # An id to find a request by, not a secret: no system call for it.
        request.request_id = given if REQUEST_ID.fullmatch(given) else f"{random.getrandbits(128):032x}"  # type: ignore[attr-defined]
        drop_untrusted_headers(request)
        try:
            check_address(request)
        except MaestroError as error:
            response = refusal(request, error)
        else:
            response = self.get_response(request)
        response.headers["X-Request-Id"] = request.request_id  # type: ignore[attr-defined]
        if is_for_machines(request):
            harden(response)
        return response


def harden(response: HttpResponse) -> None:
    """Give an API's answer the headers of a thing that no browser should keep, sniff or run."""
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    if not response.headers.get("Content-Type", "").startswith("text/html"):
        response.headers.setdefault("Content-Security-Policy", POLICY)


def check_address(request: HttpRequest) -> None:
    """Refuse NUL and other controls in paths and query strings, endless ones and large forms, once for all doors."""
    query = request.META.get("QUERY_STRING", "")
    length = request.META.get("CONTENT_LENGTH") or "0"
    if not is_for_machines(request) and is_longer(length, most := most_of_form(request)):
        raise TooLarge(f"a form has at most {most} bytes", "body_too_large")
    if len(query) > limits.QUERY_STRING_BYTES:
        raise Invalid(f"the query string is longer than {limits.QUERY_STRING_BYTES} bytes", "address_too_long")
    if CONTROLS.search(request.path) or CONTROLS.search(query) or "%00" in query:
        raise Invalid("the address holds characters that are not allowed", "bad_address")


def most_of_form(request: HttpRequest) -> int:
    """Look up how large a form may be: in parts it is read as it is, otherwise each escape of it is looked at."""
    return limits.PAGE_BODY_BYTES if request.content_type == "multipart/form-data" else limits.FORM_BYTES


def is_longer(length: str, most_bytes: int) -> bool:
    """Say whether a Content-Length promises more; what is no number is read as nothing further in."""
    return length.isascii() and length.isdecimal() and (len(length) > 18 or int(length) > most_bytes)
