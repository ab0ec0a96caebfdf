"""The roof: the page that a refusal's `type` points at: every kind of refusal, from the module that defines them."""

from collections.abc import Iterator

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from maestro import errors
from maestro.api.permissions import public_route
from maestro.errors import MaestroError


def kinds(root: type[MaestroError] = MaestroError) -> Iterator[type[MaestroError]]:
    """List the kinds of refusal that clients may meet, broadest first."""
    yield root
    for child in root.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from kinds(child)


@public_route("explains refusals; holds no tenant's data")
def error_page(request: HttpRequest) -> HttpResponse:
    """Explain what each kind of refusal means, and that a narrower `code` says which rule was broken."""
    rows = sorted(((kind.status, kind.code, kind.__doc__ or "") for kind in kinds()), key=lambda row: row[:2])
    return render(request, "maestro/errors.html", {"rows": rows})
