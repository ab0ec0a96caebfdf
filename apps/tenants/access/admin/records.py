"""The access room's admin: keys and the audit log, to look at. Secrets are never shown."""

from django.contrib import admin

from apps.tenants.access.models import ApiKey, AuditEvent
from maestro.admin import LookOnlyAdmin, tenant_site


@admin.register(ApiKey, site=tenant_site)
class ApiKeyAdmin(LookOnlyAdmin):
    """Service accounts. `issue_key` and the API make and revoke them."""

    list_display = ("name", "id", "role", "created_by", "expires_at", "revoked_at")
    search_fields = ("name", "id")
    exclude = ("digest",)


@admin.register(AuditEvent, site=tenant_site)
class AuditEventAdmin(LookOnlyAdmin):
    """Who did what, newest first."""

    list_display = ("at", "actor", "action", "object_type", "object_id", "address")
    list_filter = ("action",)
    search_fields = ("actor", "object_id")
