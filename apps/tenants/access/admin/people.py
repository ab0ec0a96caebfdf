"""The access room's admin: people and roles, on both sites: each schema has its own."""

from typing import Any

from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.http import HttpRequest

from apps.tenants.access.audited_admin import AuditedAdmin
from maestro.admin import operator_site, tenant_site


class PersonAdmin(AuditedAdmin, UserAdmin):
    """People. Only a superuser makes superusers or grants single permissions; roles are groups."""

    list_display = ("username", "email", "first_name", "last_name", "is_active", "last_login")
    list_filter = ("is_active", "groups")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Close the fields through which an admin could raise themselves."""
        closed = () if request.user.is_superuser else ("is_superuser", "user_permissions")
        return (*super().get_readonly_fields(request, obj), *closed, "last_login", "date_joined")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Keep a superuser's row, password included, to superusers: it would be a way up."""
        if obj is not None and obj.is_superuser and not request.user.is_superuser:
            return False
        return super().has_change_permission(request, obj)


class RoleAdmin(AuditedAdmin, GroupAdmin):
    """Roles, and further groups."""


for site in (tenant_site, operator_site):
    site.register(User, PersonAdmin)
    site.register(Group, RoleAdmin)
