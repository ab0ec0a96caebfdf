"""The tracking room's admin: connections to forges: made, given new secrets, closed; and the log of what was delivered."""

import uuid
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Max, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone

from apps.tracking.admin.run_bulk import actor, may
from apps.tracking.delivery import connections
from apps.tracking.delivery.connections import Issued
from apps.tracking.models import Connection, Delivery, Project
from apps.tracking.models.connections import ConnectionQuerySet
from maestro import limits
from maestro.admin.sites import tenant_site
from maestro.errors import MaestroError

SHOWN, LOGGED = 200, 50
STEPS = {
    Connection.Kind.GITHUB: "Settings, Webhooks, Add webhook; content type application/json",
    Connection.Kind.GITLAB: "Settings, Webhooks, Add new webhook; as signing token, or as secret token",
    Connection.Kind.GITEA: "Settings, Webhooks, Add webhook, Gitea; content type application/json",
}


class ConnectionForm(forms.Form):
    """A connection to be made."""

    project = forms.ModelChoiceField(queryset=Project.objects.none())
    kind = forms.ChoiceField(choices=Connection.forges(), label="Forge")
    name = forms.CharField(max_length=limits.NAME_CHARS, help_text="Such as the repository: group/churn")
    secret = forms.CharField(
        max_length=limits.HOOK_SECRET_CHARS,
        required=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text="Only if the forge has made one; empty: a new one is drawn.",
    )

    def __init__(self, projects: QuerySet[Project], data: Any = None) -> None:
        super().__init__(data)
        self.fields["project"].queryset = projects  # type: ignore[attr-defined]


def ruled_projects(request: HttpRequest) -> QuerySet[Project]:
    """The projects that somebody rules, by name. Raises PermissionDenied for who rules none."""
    if not may(request, "admin"):
        raise PermissionDenied
    reach, found = actor(request).reach_with("admin"), Project.objects.order_by("name")
    return found if reach is None else found.filter(pk__in=reach)


def ruled(request: HttpRequest) -> ConnectionQuerySet:
    """The connections of the projects that somebody rules."""
    found: ConnectionQuerySet = Connection.objects.filter(project__in=ruled_projects(request)).select_related("project")
    return found


def connection_list(request: HttpRequest) -> HttpResponse:
    """The connections and what each delivered last, and a form for another; what was made is shown with its secret."""
    projects, issued = ruled_projects(request), None
    form = ConnectionForm(projects, request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        issued = made(request, form)
        form = ConnectionForm(projects) if issued else form
    rows = ruled(request).annotate(
        deliveries_n=Count("deliveries"),
        failed_n=Count("deliveries", filter=Q(deliveries__state=Delivery.State.FAILED)),
        last_at=Max("deliveries__received_at"),
    )
    context = {
        "title": "Connections",
        "form": form,
        "issued": issued,
        "steps": STEPS.get(issued.connection.kind) if issued else "",  # type: ignore[call-overload]
        "url": request.build_absolute_uri(issued.connection.path) if issued else "",
        "rows": rows.order_by("closed_at", "name")[:SHOWN],
    }
    return tenant_site.page(request, "admin/tracking/connections.html", context)


def made(request: HttpRequest, form: ConnectionForm) -> Issued | None:
    """Make what the form asks for; None if the form has to say what is wrong."""
    fields = form.cleaned_data
    try:
        return connections.make(
            fields["project"], fields["kind"], fields["name"], by=actor(request), secret=fields["secret"]
        )
    except MaestroError as refusal:
        form.add_error("secret" if refusal.code == "bad_secret" else None, refusal.detail)
        return None


def connection_page(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """One connection: its address, what it delivered by event, the log of deliveries, and what may be done with it."""
    row = ruled(request).filter(pk=pk).first()
    if row is None:
        raise Http404
    issued = None
    if request.method == "POST":
        try:
            issued = acted(request, row)
        except MaestroError as refusal:
            messages.error(request, refusal.detail)
        if issued is None:
            return HttpResponseRedirect(reverse("admin:connection", args=[row.pk]))
    log = Delivery.objects.filter(connection=row)
    before = request.GET.get("before", "")
    older = log.filter(pk__lt=identity(before)) if before else log
    page = list(older.log()[: LOGGED + 1])
    context = {
        "title": row.name,
        "row": row,
        "url": request.build_absolute_uri(row.path),
        "issued": issued,
        "steps": STEPS.get(row.kind),  # type: ignore[call-overload]
        "events": log.order_by().values("event", "state").annotate(n=Count("id")).order_by("event", "state")[:SHOWN],
        "deliveries": page[:LOGGED],
        "older": page[LOGGED - 1].pk if len(page) > LOGGED else "",
        "secrets": row.secrets.valid(timezone.now()).order_by("created_at"),
    }
    return tenant_site.page(request, "admin/tracking/connection.html", context)


def acted(request: HttpRequest, row: Connection) -> Issued | None:
    """Do what a button says. What comes back holds a secret that is shown this once."""
    do, by, now = request.POST.get("do", ""), actor(request), timezone.now()
    if do == "rotate":
        return connections.rotate(row, by=by, at=now)
    if do == "close":
        connections.close(row, by=by, at=now)
        messages.success(request, "The connection is closed.")
    elif do == "replay":
        connections.replay(row, [identity(request.POST.get("delivery", ""))], by=by)
        messages.success(request, "A worker reads it again within half a minute.")
    return None


def identity(text: str) -> uuid.UUID:
    """The id that an address or a button carries; one that nobody has stands for what is none."""
    try:
        return uuid.UUID(text)
    except ValueError:
        return uuid.UUID(int=0)


tenant_site.add_page("connections/", connection_list, "connections", by_project=True)
tenant_site.add_page("connections/<uuid:pk>/", connection_page, "connection", by_project=True)
