"""The tracking room's admin: tables that people only look at, under Settings."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from apps.tenants.access.people.principal import looker
from apps.tracking.models import Assessment, Blob, Dataset, EvaluationDataset, Export, MetricKey, SavedView
from apps.tracking.search import saved_views
from maestro.admin.sites import LookOnlyAdmin, tenant_site


@admin.register(Dataset, site=tenant_site)
class DatasetAdmin(LookOnlyAdmin):
    """Datasets as clients describe them."""

    list_display = ("name", "digest", "source_type", "experiment")
    list_select_related = ("experiment",)
    search_fields = ("name", "digest")


@admin.register(Blob, site=tenant_site)
class BlobAdmin(LookOnlyAdmin):
    """Distinct contents by digest."""

    list_display = ("sha256", "size_bytes", "created_at")
    search_fields = ("sha256__startswith",)


@admin.register(MetricKey, site=tenant_site)
class MetricKeyAdmin(LookOnlyAdmin):
    """Names of metrics."""

    list_display = ("name",)
    search_fields = ("name",)


@admin.register(SavedView, site=tenant_site)
class SavedViewAdmin(LookOnlyAdmin):
    """One's own views and shared ones; the run list keeps them."""

    list_display = ("name", "owner_name", "experiment", "is_shared", "is_default", "updated_at")
    list_select_related = ("experiment",)
    search_fields = ("name",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[SavedView]:
        """Nobody else's private ones."""
        return saved_views.visible(looker(request))


@admin.register(Export, site=tenant_site)
class ExportAdmin(LookOnlyAdmin):
    """Files of runs that a worker writes or wrote; the API hands them out."""

    list_display = ("id", "format", "state", "runs", "asked_by", "created_at", "ended_at", "reason")
    list_filter = ("state", "format")


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
