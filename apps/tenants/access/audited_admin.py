"""The access room: a ModelAdmin whose changes go to the audit log, beside Django's own admin log."""

from collections.abc import Iterable
from typing import Any, ClassVar, NamedTuple

from django.db import models, transaction
from django.http import HttpRequest, HttpResponse

from apps.tenants.access.audit.recording import HIDDEN, fields_of, record
from apps.tenants.access.people.principal import acting
from apps.tenants.models import Action
from maestro.admin.sites import ListedAdmin


class Acts(NamedTuple):
    """What a form's three acts are called."""

    add: Action
    change: Action
    delete: Action


class AuditedAdmin(ListedAdmin):
    """Records additions, changes and deletions with what was before and after: a tenant's, or the operators'."""

    acts: ClassVar[Acts]

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """Keep what the row was before the form touches it."""
        found = super().get_object(request, object_id, from_field)
        if found is not None and request.method == "POST":
            request.audited_before = fields_of(found)  # type: ignore[attr-defined]
        return found

    def response_action(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse | None:
        """Run an action in one transaction, as Django does with forms, so that its events can be recorded."""
        with transaction.atomic():
            return super().response_action(request, *args, **kwargs)

    def note(
        self, request: HttpRequest, action: Action, row: models.Model, *, before: Any = None, after: Any = None
    ) -> None:
        """Record what happened to a row."""
        record(acting(request), action, subject=row, before=before, after=after)

    def leave_out(self, request: HttpRequest, row: models.Model, names: Iterable[str]) -> None:
        """Leave fields out of a change's event: what they are now has an event of its own."""
        if hasattr(request, "audited_before"):
            now = fields_of(row)
            request.audited_before |= {name: now[name] for name in names}

    def log_addition(self, request: HttpRequest, obj: models.Model, message: Any) -> Any:
        """Record an addition."""
        self.note(request, self.acts.add, obj, after=fields_of(obj) | parts_of(message))
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: models.Model, message: Any) -> Any:
        """Record a change; a form saved as it was is none."""
        before, after = getattr(request, "audited_before", {}), fields_of(obj)
        parts = parts_of(message)
        if parts or before != after:
            secrets = [name for name in after if name in HIDDEN and before.get(name) != after[name]]
            parts |= {"new_secrets": secrets} if secrets else {}
            self.note(request, self.acts.change, obj, before=before, after=after | parts)
        return super().log_change(request, obj, message)

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        """Record each deletion."""
        for row in queryset:
            self.note(request, self.acts.delete, row, before=fields_of(row))
        return super().log_deletions(request, queryset)


def parts_of(message: Any) -> dict[str, Any]:
    """Read from Django's account of a form what no field of its row shows: the rows below it, as a project's members."""
    rows = message if isinstance(message, list) else []
    parts = [{act: told} for row in rows for act, told in row.items() if "object" in told]
    return {"parts": parts} if parts else {}
