"""The tracking room's admin: saved views of the run list: the menu, and what its buttons do."""

import math
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect, QueryDict
from django.urls import reverse

from apps.tenants.access.people.principal import acting, looker
from apps.tracking.admin.run_search import Scope
from apps.tracking.models import SavedView
from apps.tracking.models.saved_views import VIEW_NAME_CHARS
from apps.tracking.search import saved_views
from apps.tracking.search.saved_views import ViewState
from maestro.errors import Invalid, MaestroError

MENU = 100


@dataclass(frozen=True, slots=True)
class Line:
    """A view in the menu."""

    view: SavedView
    url: str
    is_current: bool


def state_from(query: QueryDict) -> ViewState:
    """The state that an address holds; what can't be read there is left at its beginning."""
    try:
        smoothing = float(query.get("smooth", "0"))
    except ValueError:
        smoothing = 0.0
    numbers = [text for text in query.getlist("experiment") if text.isascii() and text.isdecimal() and len(text) <= 18]
    axis = query.get("x", "")
    return ViewState(
        filter=query.get("q", ""),
        status=query.get("status", ""),
        sort=query.get("sort", ""),
        columns=tuple(query.getlist("c")),
        layout="charts" if query.get("view") == "charts" else "list",
        experiments=tuple(map(int, numbers)),
        project="" if numbers else query.get("project", ""),
        smoothing=min(max(smoothing, 0.0), 0.99) if math.isfinite(smoothing) else 0.0,
        log_axis=query.get("log") == "1",
        x_axis=axis if axis in {"time", "clock"} else "step",
    )


def address_of(view: SavedView) -> str:
    """The list's address that shows a view."""
    return f"?{saved_views.state_of(view).address()}&{urlencode({'saved': view.pk.hex})}"


def opening(request: HttpRequest, scope: Scope) -> str:
    """Where the list of an experiment opens: its default view, if the address asks for nothing more."""
    if scope.experiment is None or set(request.GET) != {"experiment"}:
        return ""
    found = saved_views.default_for(looker(request), scope.experiment)
    return address_of(found) if found else ""


def menu(request: HttpRequest, scope: Scope) -> dict[str, Any]:
    """The views that fit here, own ones first, and which of them the page shows, changed or as it was kept."""
    person = looker(request)
    fitting = saved_views.visible(person)
    if scope.experiments:
        fitting = fitting.filter(Q(experiment__in=scope.experiments) | Q(experiment=None))
    views = list(fitting.order_by("name")[:MENU])
    wanted = request.GET.get("saved", "")
    current = next((view for view in views if view.pk.hex == wanted), None)
    lines = [Line(view, address_of(view), view is current) for view in views]
    owner = saved_views.owner_of(person)
    return {
        "own_views": [line for line in lines if line.view.owner == owner],
        "shared_views": [line for line in lines if line.view.owner != owner],
        "current_view": current,
        "is_my_view": current is not None and (current.owner == owner or request.user.is_superuser),  # type: ignore[union-attr]
        "is_view_changed": current is not None
        and saved_views.state_of(current).address() != state_from(request.GET).address(),
        "may_share": request.user.has_perm("tracking.add_savedview"),
        "view_name_chars": VIEW_NAME_CHARS,
    }


def fields_from(request: HttpRequest, action: str, query: QueryDict) -> dict[str, Any]:
    """What a button of the menu asks to write."""
    name = request.POST.get("name", "").strip()
    if len(name) > VIEW_NAME_CHARS or "\x00" in name:
        raise Invalid(f"a name has at most {VIEW_NAME_CHARS} characters", "bad_name")
    if action in {"create", "rename"} and not name:
        raise Invalid("give the view a name", "bad_name")
    state = {name: getattr(state_from(query), name) for name in ViewState.__dataclass_fields__}
    flags = {flag: request.POST.get(flag) == "1" for flag in ("is_shared", "is_default")}
    asked: dict[str, dict[str, Any]] = {
        "create": {"name": name, "state": state, **flags},
        "replace": {"state": state},
        "rename": {"name": name},
        "share": {"is_shared": True},
        "unshare": {"is_shared": False},
        "default": {"is_default": True},
        "undefault": {"is_default": False},
    }
    if action not in asked:
        raise Invalid("there is no such action", "bad_action")
    return asked[action]


def act(request: HttpRequest, query: QueryDict) -> SavedView | None:
    """Do what a button asks. Raises MaestroError."""
    action, view, by = request.POST.get("action", ""), request.POST.get("view", ""), acting(request)
    if action == "delete":
        saved_views.delete(view, by)
        return None
    fields = fields_from(request, action, query)
    return saved_views.create(fields, by) if action == "create" else saved_views.change(view, fields, by)


def views(request: HttpRequest) -> HttpResponse:
    """The menu's buttons; afterwards the list as it was, with the view that was kept."""
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    if not request.user.has_perm("tracking.view_run") or not looker(request).role:
        raise PermissionDenied
    query = QueryDict(request.POST.get("query", "")[:20_000].replace("\x00", ""), mutable=True)
    try:
        kept = act(request, query)
    except MaestroError as problem:
        messages.error(request, f"The view was not saved: {problem.detail}.")
        kept = None
    else:
        query.pop("saved", None)
        messages.success(request, f"Kept as “{kept}”." if kept else "The view is deleted.")
    if kept is not None:
        query["saved"] = kept.pk.hex
    elif "saved" not in query:
        query["saved"] = ""
    return HttpResponseRedirect(f"{reverse('admin:tracking_run_changelist')}?{query.urlencode()}")
