"""The access room: a ModelAdmin whose changes go to the audit log, beside Django's own admin log."""

from typing import Any

from django.contrib.admin import ModelAdmin
from django.db import models, transaction
from django.http import HttpRequest, HttpResponse

from apps.tenants.access.auditing import fields_of, record


class AuditedAdmin(ModelAdmin):
    """Records additions, changes and deletions with what was before and after."""

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """Keep what the row was before the form touches it."""
        found = super().get_object(request, object_id, from_field)
        if found is not None:
            request.audited_before = fields_of(found)  # type: ignore[attr-defined]
        return found

    def response_action(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse | None:
        """Run an action in one transaction, as Django does with forms, so that its events can be recorded."""
        with transaction.atomic():
            return super().response_action(request, *args, **kwargs)

    def log_addition(self, request: HttpRequest, obj: models.Model, message: Any) -> Any:
        """Record an addition."""
        record(request, f"{obj._meta.model_name}.add", subject=obj, after=fields_of(obj))
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: models.Model, message: Any) -> Any:
        """Record a change."""
        before = getattr(request, "audited_before", None)
        record(request, f"{obj._meta.model_name}.change", subject=obj, before=before, after=fields_of(obj))
        return super().log_change(request, obj, message)

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        """Record each deletion."""
        for row in queryset:
            record(request, f"{row._meta.model_name}.delete", subject=row, before=fields_of(row))
        return super().log_deletions(request, queryset)
