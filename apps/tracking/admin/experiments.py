"""The tracking room's admin: experiments. An experiment's page is the run list, cut down to it."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Func, IntegerField, OuterRef, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from apps.tenants.access.people.admin import ByProject
from apps.tracking.models import Experiment, Run
from maestro.admin.sites import LookOnlyAdmin, tenant_site

MAX_COUNTED = 1_000


def counted(runs: QuerySet[Run]) -> Func:
    """How many runs a row has, up to a bound: counted beside the rows of a page, not joined to all of them."""
    found = ArraySubquery(runs.order_by().values("pk")[: MAX_COUNTED + 1])
    return Func(found, function="cardinality", output_field=IntegerField())


def count_shown(count: int) -> str:
    """A count as people read it: beyond the bound it is not told."""
    return f"{count:,}" if count <= MAX_COUNTED else f"more than {MAX_COUNTED:,}"


def with_run_counts(experiments: QuerySet[Experiment]) -> QuerySet[Experiment]:
    """Annotate `runs_n`, up to the bound."""
    return experiments.annotate(runs_n=counted(Run.objects.active().filter(experiment=OuterRef("pk"))))


class ExperimentAdmin(ByProject, LookOnlyAdmin):
    """The list of experiments; clients and the API make, rename and trash them."""

    list_display = ("name", "project", "run_count")
    list_filter = ("project__problem_class",)
    list_select_related = ("project",)
    search_fields = ("name",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Experiment]:
        """Experiments with the number of their runs."""
        return with_run_counts(super().get_queryset(request).filter(deleted_ms=None))

    @admin.display(description="Runs", ordering="runs_n")
    def run_count(self, experiment: Any) -> str:
        """How many runs it has."""
        return count_shown(experiment.runs_n)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Lead to the run list of this experiment."""
        is_number = object_id.isascii() and object_id.isdecimal() and len(object_id) <= 18
        if not is_number or not self.has_view_permission(request):
            raise Http404
        return HttpResponseRedirect(
            f"{reverse('admin:tracking_run_changelist')}?{urlencode({'experiment': object_id})}"
        )


tenant_site.register(Experiment, ExperimentAdmin)
