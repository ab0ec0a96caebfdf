"""The tracking room's admin: where the tenant's days and weeks begin."""

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from apps.tracking import calendars
from apps.tracking.admin.delivery.team import may_set_zone
from apps.tracking.admin.run_bulk import actor
from maestro.admin.sites import tenant_site


class ZoneForm(forms.Form):
    """A time zone."""

    time_zone = forms.ChoiceField(help_text="Days and weeks of measures begin there; what was measured is counted anew")

    def __init__(self, data: object, now: str) -> None:
        super().__init__(data, initial={"time_zone": now})  # type: ignore[arg-type]
        self.fields["time_zone"].choices = [(name, name) for name in sorted(calendars.names())]  # type: ignore[attr-defined]


def time_zone_page(request: HttpRequest) -> HttpResponse:
    """Choose it."""
    if not may_set_zone(request):
        raise PermissionDenied
    form = ZoneForm(request.POST if request.method == "POST" else None, calendars.time_zone())
    if request.method == "POST" and form.is_valid():
        name = calendars.set_time_zone(form.cleaned_data["time_zone"], by=actor(request))
        messages.success(request, f"Days and weeks are those of {name}.")
        return HttpResponseRedirect(reverse("admin:team"))
    context = {"title": "Time zone", "form": form}
    return tenant_site.page(request, "admin/tracking/time_zone.html", context)


tenant_site.add_page("team/time-zone/", time_zone_page, "time_zone")
