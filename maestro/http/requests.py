"""The floor: a request as Maestro's doors see it, after the tenant middleware has run."""

from typing import Any

from django.http import HttpRequest

from maestro.errors import Invalid


class TenantRequest(HttpRequest):
    """A request that knows its tenant (None on the base host without a key) and its id."""

    tenant: Any
    request_id: str


def refuse_query(request: HttpRequest) -> None:
    """Raise Invalid for a query where it means nothing: a `?` in a file's name that was not encoded would name another."""
    if request.META.get("QUERY_STRING"):
        raise Invalid("the address of a file has no query: encode a question mark in its name as %3F", "bad_query")
