"""The access room's admin: keys, to look at; the audit log, to search; how long it is kept. Secrets are never shown."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse

from apps.tenants.access.actions import Act
from apps.tenants.access.audit.search import EXACT, before, matching
from apps.tenants.access.audited_admin import Acts, AuditedAdmin
from apps.tenants.access.models import ApiKey, AuditEvent, AuditRetention
from maestro.admin.sites import LookOnlyAdmin, tenant_site
from maestro.api.pagination import sign, unsign
from maestro.errors import Invalid

PAGE, PURPOSE = 100, "admin.audit"
WORDS = (*EXACT, "since", "until")


@admin.register(ApiKey, site=tenant_site)
class ApiKeyAdmin(LookOnlyAdmin):
    """Service accounts. `issue_key` and the API make and revoke them."""

    list_display = ("name", "id", "role", "created_by", "expires_at", "revoked_at")
    search_fields = ("name", "id")
    exclude = ("digest",)


@admin.register(AuditEvent, site=tenant_site)
class AuditEventAdmin(LookOnlyAdmin):
    """Who did what, newest first; a page begins where the last ended, however long the log is."""

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The search."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        query = {name: request.GET.get(name, "").replace("\x00", "").strip()[:300] for name in WORDS}
        refusal, rows = "", []
        try:
            found = matching(query)
            cursor = request.GET.get("cursor", "")
            if cursor:
                found = before(found, *unsign(cursor, PURPOSE))
            rows = list(found.order_by("-at", "-id")[: PAGE + 1])
        except Invalid as error:
            refusal = error.detail
        shown = {name: text for name, text in query.items() if text}
        context = {
            "title": "Audit log",
            "events": rows[:PAGE],
            "words": [(name, name.replace("_", " "), query[name]) for name in WORDS],
            "refusal": refusal,
            "next_query": "",
            "is_searched": bool(shown),
        }
        if len(rows) > PAGE:
            last = rows[PAGE - 1]
            token = sign([last.at.isoformat(), str(last.pk)], PURPOSE)
            context["next_query"] = urlencode(shown | {"cursor": token})
        return tenant_site.page(request, "admin/access/audit.html", context)


@admin.register(AuditRetention, site=tenant_site)
class AuditRetentionAdmin(AuditedAdmin):
    """How long the log is kept. Without a row, for ever."""

    acts = Acts(Act.AUDITRETENTION_ADD, Act.AUDITRETENTION_CHANGE, Act.AUDITRETENTION_DELETE)
    list_display = ("__str__",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """There is one."""
        return super().has_add_permission(request) and not AuditRetention.objects.exists()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Keep the row: an empty one keeps everything."""
        return False
