"""The tracking room's admin: experiments. An experiment's page is the run list, cut down to it."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.db.models import Count, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from apps.tenants.access.scoped_admin import ByProject
from apps.tracking.models import Experiment
from maestro.admin import LookOnlyAdmin, tenant_site


class ExperimentAdmin(ByProject, LookOnlyAdmin):
    """The list of experiments; clients and the API make, rename and trash them."""

    list_display = ("name", "project", "run_count")
    list_filter = ("project__problem_class",)
    list_select_related = ("project",)
    search_fields = ("name",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Experiment]:
        """Experiments with the number of their runs."""
        runs = Count("runs", filter=Q(runs__deleted_ms=None))
        return super().get_queryset(request).filter(deleted_ms=None).annotate(runs_n=runs)

    @admin.display(description="Runs", ordering="runs_n")
    def run_count(self, experiment: Any) -> int:
        """How many runs it has."""
        return int(experiment.runs_n)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Lead to the run list of this experiment."""
        if not object_id.isdecimal() or not self.has_view_permission(request):
            raise Http404
        return HttpResponseRedirect(
            f"{reverse('admin:tracking_run_changelist')}?{urlencode({'experiment': object_id})}"
        )


tenant_site.register(Experiment, ExperimentAdmin)
