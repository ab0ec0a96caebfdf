"""The access room's admin: people and roles, on both sites: each schema has its own."""

from typing import Any

from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from django.views.decorators.debug import sensitive_post_parameters

from apps.tenants.access.audited_admin import AuditedAdmin
from apps.tenants.access.auditing import record
from maestro.admin import operator_site, tenant_site

REDIRECT = 302


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

    @method_decorator(sensitive_post_parameters())
    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:
        """Set a person's password and write it down, together."""
        with transaction.atomic():
            return super().user_change_password(request, id, form_url)


@sensitive_post_parameters()
def own_password(request: HttpRequest) -> HttpResponse:
    """Change one's own password, on Django's page, and write it down, together."""
    with transaction.atomic():
        answer = tenant_site.password_change(request)
        if request.method == "POST" and answer.status_code == REDIRECT:
            record(request, "person.new_password", subject=request.user, after={"told": "changed by themselves"})
        return answer


class RoleAdmin(AuditedAdmin, GroupAdmin):
    """Roles, and further groups."""


for site in (tenant_site, operator_site):
    site.register(User, PersonAdmin)
    site.register(Group, RoleAdmin)
tenant_site.add_page("password_change/", own_password, "password_change")
