"""The access room's admin: people and roles, on both sites: each schema has its own."""

import uuid
from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views.decorators.debug import sensitive_post_parameters

from apps.tenants.access.actions import Act
from apps.tenants.access.audited_admin import Acts, AuditedAdmin
from apps.tenants.access.closing import close, end_with
from apps.tenants.access.models import ApiKey, ProjectRole
from apps.tenants.access.people.principal import acting, is_bound
from apps.tenants.access.people.project_roles import project_choices, write_down
from apps.tenants.access.sign_in import factor_acts
from apps.tenants.access.sign_in.resets import setting
from maestro.admin.forms import Rows
from maestro.admin.sites import MaestroSite, operator_site, tenant_site

REDIRECT = 302


class PersonAdmin(AuditedAdmin, UserAdmin):
    """People. Only a superuser makes superusers or grants single permissions; roles are groups."""

    acts = Acts(Act.USER_ADD, Act.USER_CHANGE, Act.USER_DELETE)
    list_display = ("username", "email", "first_name", "last_name", "is_active", "last_login")
    list_filter = ("is_active", "groups")
    actions = ("reset_second_factor", "close_accounts")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Close the fields through which an admin could raise themselves."""
        closed = () if request.user.is_superuser else ("is_superuser", "user_permissions")
        return (*super().get_readonly_fields(request, obj), *closed, "last_login", "date_joined")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Keep a superuser's row, password included, to superusers: it would be a way up."""
        if obj is not None and obj.is_superuser and not request.user.is_superuser:
            return False
        return super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Let nobody delete whom they may not change."""
        return super().has_delete_permission(request, obj) and (obj is None or self.has_change_permission(request, obj))

    @admin.action(description="Take the second factor away (a lost phone)", permissions=["change"])
    def reset_second_factor(self, request: HttpRequest, people: Any) -> None:
        """Let people who lost theirs in by password alone, until they set up a new one."""
        for person in people:
            if self.has_change_permission(request, person) and factor_acts.reset(person, by=acting(request)):
                messages.success(request, f"{person} signs in by password alone now.")

    @admin.action(description="Close: end their browsers, programs and keys", permissions=["change"])
    def close_accounts(self, request: HttpRequest, people: Any) -> None:
        """Close accounts, except one's own and those that one may not change."""
        for person in people:
            if self.has_change_permission(request, person) and person.pk != request.user.pk:
                close(acting(request), person, at=timezone.now())
                messages.success(request, f"{person} is closed.")

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Save; who is closed by the form is closed whole."""
        super().save_model(request, obj, form, change)
        if not obj.is_active:
            end_with(acting(request), obj, timezone.now())

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Let the keys that somebody issued go with them, though no page deletes keys."""
        rows, counts, lacking, kept = super().get_deleted_objects(objs, request)
        return rows, counts, lacking - {ApiKey._meta.verbose_name}, kept

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        """End what they hold, with its events, before the account is gone."""
        end_with(acting(request), obj, timezone.now())
        super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        """Do the same for many."""
        for person in queryset:
            end_with(acting(request), person, timezone.now())
        super().delete_queryset(request, queryset)

    @method_decorator(sensitive_post_parameters())
    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:
        """Set a person's password and write it down, together."""
        with setting(acting(request)) as done:
            answer = super().user_change_password(request, id, form_url)
            done.person = User.objects.get(pk=id) if was_set(request, answer) else None
        return answer


def own_password_on(site: MaestroSite) -> Callable[[HttpRequest], HttpResponse]:
    """Make a site's page where one changes one's own password: Django's, and the event with it."""

    @sensitive_post_parameters()
    def own_password(request: HttpRequest) -> HttpResponse:
        person: Any = request.user
        with setting(acting(request), told="changed by themselves") as done:
            answer = site.password_change(request)
            done.person = User.objects.get(pk=person.pk) if was_set(request, answer) else None
        return answer

    return own_password


def was_set(request: HttpRequest, answer: HttpResponse) -> bool:
    """Say whether Django's page has set a password: it leads on then."""
    return request.method == "POST" and answer.status_code == REDIRECT


class ProjectRoleForm(forms.ModelForm[ProjectRole]):
    """A role in a project, which is chosen by name."""

    project_id = forms.TypedChoiceField(label="Project", coerce=uuid.UUID, choices=project_choices)

    class Meta:
        model = ProjectRole
        fields = ("project_id", "role")


class ProjectRoleInline(Rows):
    """Roles in projects, above the person's role in the tenant or instead of one."""

    model = ProjectRole
    form = ProjectRoleForm
    extra = 0


class TenantPersonAdmin(PersonAdmin):
    """People of a tenant, who may have roles in projects."""

    inlines = (ProjectRoleInline,)

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        """Write down each role that is given, changed or taken back."""
        super().save_formset(request, form, formset, change)
        changed = [row for row, _ in formset.changed_objects]
        write_down(acting(request), given=formset.new_objects, changed=changed, taken=formset.deleted_objects)


class OperatorAdmin(PersonAdmin):
    """Operators of the installation."""

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Leave it at closing: what people of tenants own, which a deletion would look through, is not in this schema."""
        return False


class RoleAdmin(AuditedAdmin, GroupAdmin):
    """Roles, and further groups."""

    acts = Acts(Act.GROUP_ADD, Act.GROUP_CHANGE, Act.GROUP_DELETE)


tenant_site.binds = is_bound
tenant_site.register(User, TenantPersonAdmin)
operator_site.register(User, OperatorAdmin)
for site in (tenant_site, operator_site):
    site.register(Group, RoleAdmin)
    site.add_page("password_change/", own_password_on(site), "password_change")
