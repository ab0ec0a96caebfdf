"""The tracking room's admin: traces and what is said of them, to look at."""

from django.contrib import admin

from apps.tracking.models import Assessment, EvaluationDataset, Trace
from maestro.admin import LookOnlyAdmin, tenant_site


@admin.register(Trace, site=tenant_site)
class TraceAdmin(LookOnlyAdmin):
    """Traces of requests."""

    list_display = ("id", "__str__", "experiment", "state", "request_ms", "duration_ms")
    list_filter = ("state",)
    list_select_related = ("experiment",)
    search_fields = ("id__startswith", "client_request_id")


@admin.register(Assessment, site=tenant_site)
class AssessmentAdmin(LookOnlyAdmin):
    """What people, judges and code say of traces."""

    list_display = ("name", "kind", "value", "source_type", "source_id", "trace", "is_valid")
    list_filter = ("kind", "source_type", "is_valid")
    list_select_related = ("trace",)
    search_fields = ("name", "trace__id")


@admin.register(EvaluationDataset, site=tenant_site)
class EvaluationDatasetAdmin(LookOnlyAdmin):
    """Questions that applications are asked again and again."""

    list_display = ("name", "id", "project", "created_ms", "updated_ms")
    list_select_related = ("project",)
    search_fields = ("name", "id__startswith")
