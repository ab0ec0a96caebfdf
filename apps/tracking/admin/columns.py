"""The tracking room's admin: names of columns that people choose: metrics, params and tags of runs."""

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, JsonResponse

from apps.tenants.access.standing import looker
from apps.tracking import key_names
from apps.tracking.listing import KINDS
from apps.tracking.scoping import experiments_for, runs_for

MAX_FOUND, MAX_HOMES, MAX_REACHED, TEXT_CHARS = 30, 20, 500, 200


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
    found = {kind: names_within(request, kind, text) for kind in kinds}
    return JsonResponse({"names": [{"kind": kind, "name": name} for kind, names in found.items() for name in names]})


def names_within(request: HttpRequest, kind: str, text: str) -> list[str]:
    """The names of one kind that who looks may know: all, or those of the projects in their reach."""
    who = looker(request)
    if kind == "m":
        given = [number for number in request.GET.getlist("experiment") if number.isascii() and number.isdecimal()]
        homes = [int(number) for number in given if len(number) <= 18]
        if who.projects is None:
            return key_names.containing(kind, text, most=MAX_FOUND, experiments=homes[:MAX_HOMES] or None)
        reach = experiments_for(who).filter(pk__in=homes) if homes else experiments_for(who)
        ids = list(reach.values_list("pk", flat=True)[:MAX_REACHED])
        return key_names.containing(kind, text, most=MAX_FOUND, experiments=ids)
    if who.projects is None:
        return key_names.containing(kind, text, most=MAX_FOUND)
    newest = runs_for(who).active().order_by("-pk").values_list("pk", flat=True)[:MAX_REACHED]
    return key_names.containing_in(kind, text, most=MAX_FOUND, runs=list(newest))
