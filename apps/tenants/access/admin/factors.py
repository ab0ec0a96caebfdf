"""The access room's admin: second factors: the pages, the rule, and taking a lost one away; on both sites."""

from django.http import HttpRequest

from apps.tenants.access.actions import Act
from apps.tenants.access.audited_admin import Acts, AuditedAdmin
from apps.tenants.access.factors.models import FactorRule
from apps.tenants.access.pages.second_factor import Enter, Manage, gate
from apps.tenants.access.pages.sign_ins import page_of
from maestro.admin.sites import operator_site, tenant_site


class FactorRuleAdmin(AuditedAdmin):
    """Whether people who sign in by password must have a second factor."""

    acts = Acts(Act.FACTORRULE_ADD, Act.FACTORRULE_CHANGE, Act.FACTORRULE_DELETE)
    list_display = ("__str__", "is_required")
    fields = ("is_required",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """There is one rule."""
        return super().has_add_permission(request) and not FactorRule.objects.exists()


for site in (tenant_site, operator_site):
    site.gate = gate
    site.add_gate_page("second-factor/", Manage.as_view(site=site), "second_factor")
    site.add_gate_page("second-factor/enter/", Enter.as_view(site=site), "second_factor_enter")
    site.add_page("sign-ins/", page_of(site), "sign_ins", by_project=True)
    site.register(FactorRule, FactorRuleAdmin)
