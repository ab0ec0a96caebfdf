"""The tracking room's admin: names of columns that people choose: metrics, params and tags of runs."""

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, JsonResponse

from apps.tracking import key_names
from apps.tracking.listing import KINDS

MAX_FOUND, TEXT_CHARS = 30, 200


def as_number(text: str) -> float | str:
    """A param as a number where it is one, so that it is shown and drawn as one."""
    try:
        return int(text[:30])
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        return text[:TEXT_CHARS]


def keys(request: HttpRequest) -> JsonResponse:
    """`?q=los&kind=m&experiment=1`: names that hold a text, for the column picker and the filter's completion."""
    if not request.user.has_perm("tracking.view_run"):
        raise PermissionDenied
    text = request.GET.get("q", "").replace("\x00", "")[:TEXT_CHARS]
    kinds = [kind for kind in request.GET.getlist("kind") if kind in KINDS] or list(KINDS)
    given = [number for number in request.GET.getlist("experiment") if number.isascii() and number.isdecimal()]
    homes = [int(number) for number in given if len(number) <= 18]
    found = {
        kind: key_names.containing(kind, text, most=MAX_FOUND, experiments=homes if kind == "m" else ())
        for kind in kinds
    }
    return JsonResponse({"names": [{"kind": kind, "name": name} for kind, names in found.items() for name in names]})
