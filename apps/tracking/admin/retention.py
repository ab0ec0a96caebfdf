"""The tracking room's admin: rules for runs' lives, and on a project's page: how its runs end, and what becomes of them."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse

from apps.tenants.access.audited_admin import Acts, AuditedAdmin
from apps.tenants.access.people.admin import RuledByProject
from apps.tenants.access.people.principal import acting, looker
from apps.tracking.actions import Act
from apps.tracking.admin.run_bulk import may
from apps.tracking.models import LifeRule, Project, Run
from apps.tracking.retention import rules
from apps.tracking.retention.endings import tally
from maestro.admin.sites import Part, tenant_site

DELETES = "tracking.delete_run"


@admin.register(LifeRule, site=tenant_site)
class LifeRuleAdmin(RuledByProject, AuditedAdmin):
    """How long runs are kept; only admins say so, since it deletes: of the tenant, or of a project about its own."""

    acts = Acts(Act.LIFERULE_ADD, Act.LIFERULE_CHANGE, Act.LIFERULE_DELETE)
    list_display = ("subject", "trash_days", "keep_runs_days", "lost_after_hours", "set_by", "set_at")
    autocomplete_fields = ("project",)
    fields = ("project", "trash_days", "keep_runs_days", "lost_after_hours")
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[LifeRule]:
        """Rows with their projects."""
        return super().get_queryset(request).select_related("project")

    @admin.display(description="Rule of", ordering="project__name")
    def subject(self, rule: LifeRule) -> str:
        """The project, or all."""
        return str(rule.project) if rule.project_id else "all other projects"

    def rules_all(self, request: HttpRequest) -> bool:
        """Say whether somebody may delete any run of the tenant."""
        return bool(request.user.has_perm(DELETES))

    def get_autocomplete_fields(self, request: HttpRequest) -> tuple[str, ...]:
        """Who rules some projects only chooses among these."""
        return ("project",) if self.rules_all(request) else ()

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Offer the projects that somebody rules; the rule of all projects is for who rules them all."""
        if self.rules_all(request):
            return super().formfield_for_foreignkey(db_field, request, **kwargs)
        ruled = [pk for pk, role in looker(request).project_roles.items() if role == "admin"]
        offered = super().formfield_for_foreignkey(
            db_field, request, **kwargs, queryset=Project.objects.filter(pk__in=ruled)
        )
        if offered is not None:
            offered.required = True
        return offered

    def save_model(self, request: HttpRequest, obj: LifeRule, form: Any, change: bool) -> None:
        """Note who said so."""
        obj.set_by = acting(request).name[:250]
        super().save_model(request, obj, form, change)


def endings(request: HttpRequest, project: Project) -> dict[str, Any] | None:
    """How a project's runs end, and what becomes of them."""
    counted = tally(Run.objects.filter(experiment__project=project))
    said = rules.said_of([project])
    rule = said.get(project.pk)
    may_rule = may(request, "admin", project.pk)
    change = reverse("admin:tracking_liferule_change", args=[rule.pk]) if rule else ""
    return {
        "tally": counted,
        "rate_percent": None if counted.success_rate is None else counted.success_rate * 100,
        "lost_url": f"{reverse('admin:tracking_run_changelist')}?project={project.pk}&status=LOST",
        "trash": counted.trashed,
        "trash_url": f"{reverse('admin:run_trash')}?{urlencode({'project': project.slug})}",
        "rules": rules.combined(said, project.pk),
        "more_url": (change or f"{reverse('admin:tracking_liferule_add')}?project={project.pk}") if may_rule else "",
        "more_text": "Change the rules",
    }


tenant_site.add_part(
    "project",
    Part(
        "How runs end", "admin/tracking/card_endings.html", endings, "state", 40, "tracking.view_run", by_project=True
    ),
)
