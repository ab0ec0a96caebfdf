"""The tracking room's admin: names of columns that people choose: metrics, params and tags of runs."""

import re
import uuid

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, JsonResponse

from apps.tracking.admin.run_search import Scope, scope_of
from apps.tracking.search import key_names, pages
from apps.tracking.search.listing import KINDS, terms_of

PLAIN = re.compile(r"[+-]?(?:(?:0|[1-9]\d{0,14})(?:\.\d{0,15})?|\.\d{1,15})(?:[eE][+-]?\d{1,2})?", re.ASCII)
MAX_FOUND, MAX_REACHED, TEXT_CHARS = 30, 500, 200


def as_number(text: str) -> float | str:
    """A param as a number to be drawn by, where it plainly is one: `0.10` and `1e-3`, but not `00123` or a long id.

    What is shown is what was logged: of `1.10` and `1.1` both would be the same number.
    """
    return float(text) if PLAIN.fullmatch(text) else text[:TEXT_CHARS]


def keys(request: HttpRequest) -> JsonResponse:
    """`?q=los&kind=m&experiment=1`: names that hold a text, for the column picker and the filter's completion."""
    if not request.user.has_perm("tracking.view_run"):
        raise PermissionDenied
    text = request.GET.get("q", "").replace("\x00", "")[:TEXT_CHARS]
    kinds = [kind for kind in request.GET.getlist("kind") if kind in KINDS] or list(KINDS)
    scope = scope_of(request)
    found = names_in(kinds, text) if scope.is_whole else names_within(scope, kinds, text)
    return JsonResponse({"names": [{"kind": kind, "name": name} for kind, names in found.items() for name in names]})


def names_in(kinds: list[str], text: str) -> dict[str, list[str]]:
    """The names of each kind in the whole tenant."""
    return {kind: key_names.containing(kind, text, most=MAX_FOUND) for kind in kinds}


def names_within(scope: Scope, kinds: list[str], text: str) -> dict[str, list[str]]:
    """The names of each kind in what is looked at; of params and tags those of its newest runs."""
    homes = scope.experiment_ids()[:MAX_REACHED]
    newest: list[uuid.UUID] = []
    if set(kinds) - {"m"}:
        newest, _ = pages.runs(pages.Search(None, terms_of("")), homes, most=MAX_REACHED)
    return {
        kind: key_names.containing(kind, text, most=MAX_FOUND, experiments=homes)
        if kind == "m"
        else key_names.containing_in(kind, text, most=MAX_FOUND, runs=newest)
        for kind in kinds
    }
