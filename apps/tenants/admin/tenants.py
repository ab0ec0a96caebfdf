"""The tenants room's admin: tenants, hosts and jobs, on the operators' site. Commands make and erase; this shows."""

from django.contrib import admin
from django.urls import reverse
from django.utils.html import format_html

from apps.tenants.models import Domain, Job, OperatorEvent, Tenant
from maestro.admin.sites import LookOnlyAdmin, Task, operator_site
from maestro.templatetags.maestro import bytesize


@admin.register(Tenant, site=operator_site)
class TenantAdmin(LookOnlyAdmin):
    """Who lives here. `create_tenant`, `suspend_tenant`, `set_quota` and `erase_tenant` change it."""

    list_display = ("slug", "name", "state", "quota_shown", "schema_name", "created_at")
    list_filter = ("state",)
    search_fields = ("slug", "name")

    @admin.display(description="Quota", ordering="quota_bytes", empty_value="–")
    def quota_shown(self, tenant: Tenant) -> str | None:
        """How much it may keep."""
        return None if tenant.quota_bytes is None else bytesize(tenant.quota_bytes)


@admin.register(Domain, site=operator_site)
class DomainAdmin(LookOnlyAdmin):
    """Host names that lead to a tenant."""

    list_display = ("domain", "tenant", "is_primary")
    list_select_related = ("tenant",)
    search_fields = ("domain",)


@admin.register(Job, site=operator_site)
class JobAdmin(LookOnlyAdmin):
    """Long work of operators."""

    list_display = ("kind", "tenant_link", "state", "percent", "created_at", "ended_at")
    list_filter = ("state", "kind")
    list_select_related = ("tenant",)

    @admin.display(description="Tenant", empty_value="–")
    def tenant_link(self, job: Job) -> str | None:
        """The tenant, as a link."""
        if job.tenant is None:
            return None
        return format_html(
            '<a href="{}">{}</a>', reverse("admin:tenants_tenant_change", args=[job.tenant_id]), job.tenant
        )


@admin.register(OperatorEvent, site=operator_site)
class OperatorEventAdmin(LookOnlyAdmin):
    """What operators did, by command and on these pages: written with each change, and never changed itself."""

    list_display = ("at", "actor", "action", "object_type", "object_id", "address")
    list_filter = ("action",)
    search_fields = ("actor", "object_id", "request_id")


operator_site.add_task(
    Task(
        "Tenants",
        "admin:tenants_tenant_changelist",
        "tenants",
        10,
        ("admin:tenants_domain_changelist",),
        "tenants.view_tenant",
    )
)
operator_site.add_task(Task("Jobs", "admin:tenants_job_changelist", "jobs", 20, permission="tenants.view_job"))
operator_site.add_task(
    Task("Log", "admin:tenants_operatorevent_changelist", "jobs", 30, permission="tenants.view_operatorevent")
)
