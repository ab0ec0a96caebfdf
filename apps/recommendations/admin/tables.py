"""The recommendations room's admin: its tables, to look at, under Settings."""

from django.contrib import admin

from apps.recommendations.models import Advice, Forecast, ImpactModel, ImpactScore, Importance, Training, WhatIf
from maestro.admin.sites import LookOnlyAdmin, tenant_site


@admin.register(Training, site=tenant_site)
class TrainingAdmin(LookOnlyAdmin):
    """Trainings."""

    list_display = ("created_at", "state", "why", "asked_by", "percent", "started_at", "ended_at")
    list_filter = ("state", "why")


@admin.register(ImpactModel, site=tenant_site)
class ImpactModelAdmin(LookOnlyAdmin):
    """Models, without their text."""

    list_display = ("target", "unit", "state", "rows", "groups", "created_at")
    list_filter = ("target", "unit", "state")
    exclude = ("model_text",)


@admin.register(ImpactScore, site=tenant_site)
class ImpactScoreAdmin(LookOnlyAdmin):
    """Scores."""

    list_display = ("artifact", "problem_class", "status", "effect", "low", "high", "n_projects")
    list_filter = ("status", "problem_class")
    list_select_related = ("artifact",)


@admin.register(Forecast, site=tenant_site)
class ForecastAdmin(LookOnlyAdmin):
    """Forecasts."""

    list_display = ("project", "target", "status", "p10", "p50", "p90", "actual", "made_at")
    list_filter = ("target", "status")
    list_select_related = ("project",)


@admin.register(Advice, site=tenant_site)
class AdviceAdmin(LookOnlyAdmin):
    """Advice."""

    list_display = ("project", "kind", "artifact", "rank", "gain", "low", "high", "was_followed", "made_at")
    list_filter = ("kind", "was_followed")
    list_select_related = ("project", "artifact")


@admin.register(WhatIf, site=tenant_site)
class WhatIfAdmin(LookOnlyAdmin):
    """Questions about projects that do not exist yet."""

    list_display = ("created_at", "state", "asked_by")
    list_filter = ("state",)


@admin.register(Importance, site=tenant_site)
class ImportanceAdmin(LookOnlyAdmin):
    """Questions which params go with a metric."""

    list_display = ("created_at", "experiment", "metric", "state", "asked_by", "ended_at")
    list_filter = ("state",)
    list_select_related = ("experiment",)
