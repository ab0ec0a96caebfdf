"""The access room's pages: where somebody is signed in, with a button to end each."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone

from apps.tenants.access.models import RefreshToken
from apps.tenants.access.people.principal import acting
from apps.tenants.access.people.sessions import handle, sessions_of, sign_out
from maestro.admin.sites import MaestroSite
from maestro.database.base import PUBLIC
from maestro.database.session import connection

MOST_SHOWN = 200


def programs_of(person: Any) -> list[RefreshToken]:
    """Find a person's programs: each holds the newest token of one sign-in. Operators have none."""
    if connection.schema_name == PUBLIC:
        return []
    live = RefreshToken.objects.filter(user=person, revoked_at=None, used_at=None, expires_at__gt=timezone.now())
    return list(live.order_by("-created_at")[:MOST_SHOWN])


def page_of(site: MaestroSite) -> Callable[[HttpRequest], HttpResponse]:
    """Make a site's page."""

    def sign_ins(request: HttpRequest) -> HttpResponse:
        if request.method == "POST":
            current, wanted = request.session.session_key, request.POST.get("end", "")
            sign_out(acting(request), request.user, wanted, but=current, at=timezone.now())
            return HttpResponseRedirect(reverse("admin:sign_ins", current_app=site.name))
        current, found = request.session.session_key, sessions_of(request.user, timezone.now())
        browsers = [
            {"handle": handle(one.session_key), "until": one.expire_date, "is_this": one.session_key == current}
            for one in found[:MOST_SHOWN]
        ]
        context = {
            "title": "Where you are signed in",
            "browsers": browsers,
            "more": max(found.count() - MOST_SHOWN, 0),
            "programs": programs_of(request.user),
        }
        return site.page(request, "access/sign_ins.html", context)

    return sign_ins
