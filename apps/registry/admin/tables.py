"""The registry room's admin: its tables, to look at, under Settings."""

from django.contrib import admin

from apps.registry.models import Alias, AliasMove, Evidence, LoggedModel, Usage
from maestro.admin.sites import LookOnlyAdmin, tenant_site


@admin.register(Alias, site=tenant_site)
class AliasAdmin(LookOnlyAdmin):
    """Aliases; they move through the API, which checks gates."""

    list_display = ("name", "artifact", "version", "moved_at")
    list_select_related = ("artifact", "version__artifact")
    search_fields = ("name", "artifact__name")


@admin.register(AliasMove, site=tenant_site)
class AliasMoveAdmin(LookOnlyAdmin):
    """Where aliases pointed."""

    list_display = ("artifact_name", "name", "act", "from_number", "to_number", "moved_by", "at")
    list_filter = ("act",)
    search_fields = ("artifact_name", "name")


@admin.register(Evidence, site=tenant_site)
class EvidenceAdmin(LookOnlyAdmin):
    """Why protected aliases and stages moved, kept for ever."""

    list_display = ("artifact_name", "number", "name", "act", "moved_by", "at")
    list_filter = ("act", "what")
    search_fields = ("artifact_name", "name")


@admin.register(LoggedModel, site=tenant_site)
class LoggedModelAdmin(LookOnlyAdmin):
    """Models that runs logged."""

    list_display = ("name", "status", "experiment", "run")
    list_select_related = ("experiment", "run")
    search_fields = ("name",)


@admin.register(Usage, site=tenant_site)
class UsageAdmin(LookOnlyAdmin):
    """Who used what, and how it became known."""

    list_display = ("version", "project", "run", "observed", "at")
    list_filter = ("observed",)
    list_select_related = ("version__artifact", "project", "run")
