"""The access room's pages: where somebody is signed in, with a button to end each."""

import uuid
from collections.abc import Callable
from typing import Any

from django.contrib.sessions.models import Session
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone

from apps.tenants.access.actions import Act
from apps.tenants.access.audit.recording import record
from apps.tenants.access.models import RefreshToken
from apps.tenants.access.people.sessions import handle, sessions_of
from maestro.admin.sites import MaestroSite
from maestro.database.base import PUBLIC
from maestro.database.session import connection

MOST = 10_000


def programs_of(person: Any) -> list[RefreshToken]:
    """Find a person's programs: each holds the newest token of one sign-in. Operators have none."""
    if connection.schema_name == PUBLIC:
        return []
    live = RefreshToken.objects.filter(user=person, revoked_at=None, used_at=None, expires_at__gt=timezone.now())
    return list(live.order_by("-created_at")[:200])


def page_of(site: MaestroSite) -> Callable[[HttpRequest], HttpResponse]:
    """Make a site's page."""

    def sign_ins(request: HttpRequest) -> HttpResponse:
        if request.method == "POST":
            end(request, request.POST.get("end", ""))
            return HttpResponseRedirect(reverse("admin:sign_ins", current_app=site.name))
        current = request.session.session_key
        browsers = [
            {"handle": handle(one.session_key), "until": one.expire_date, "is_this": one.session_key == current}
            for one in sessions_of(request.user, MOST)
        ]
        context = {"title": "Where you are signed in", "browsers": browsers, "programs": programs_of(request.user)}
        return site.page(request, "access/sign_ins.html", context)

    return sign_ins


def end(request: HttpRequest, wanted: str) -> None:
    """End one of the person's own browsers or programs, or with `all` everything but this browser; write it down."""
    current = request.session.session_key
    with transaction.atomic():
        keys = [
            one.session_key
            for one in sessions_of(request.user, MOST)
            if wanted == handle(one.session_key) or (wanted == "all" and one.session_key != current)
        ]
        ended = Session.objects.filter(session_key__in=keys).delete()[0]
        person: Any = request.user
        if connection.schema_name != PUBLIC:
            ended += end_programs(person, wanted)
        if ended:
            record(request, Act.PERSON_SIGN_OUT, subject=person, after={"ended": ended})


def end_programs(person: Any, wanted: str) -> int:
    """End one of a person's programs, or with `all` each. Returns how many."""
    live = RefreshToken.objects.filter(user=person, revoked_at=None)
    if wanted != "all":
        live = live.filter(family=family) if (family := as_family(wanted)) else live.none()
    return live.update(revoked_at=timezone.now())


def as_family(text: str) -> uuid.UUID | None:
    """Read a family's id; None for what is none."""
    try:
        return uuid.UUID(text)
    except ValueError:
        return None
