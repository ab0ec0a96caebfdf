"""The tracking room's admin: projects: will this succeed, what should we use, how did it go."""

import uuid
from collections import Counter
from typing import Any

from django.contrib import admin
from django.db import models
from django.db.models import Count, OuterRef, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone

from apps.tenants.access.audited_admin import Acts, AuditedAdmin
from apps.tenants.access.keys.of_projects import end_with_project
from apps.tenants.access.people.admin import ChangedByProject
from apps.tenants.access.people.principal import acting, looker
from apps.tracking import plans
from apps.tracking.actions import Act
from apps.tracking.admin.experiments import count_shown, counted, with_run_counts
from apps.tracking.models import DeliveryRule, LatestMetric, Member, Project, Run
from apps.tracking.outcomes import Said, set_outcome
from maestro import charts
from maestro.admin.forms import LongForm, Rows
from maestro.admin.sites import LabelledDateTime, tenant_site
from maestro.templatetags.maestro import duration, sig

RUNS_SHOWN, DAY_MS = 8, 86_400_000
OUTCOME = ("success", "model_performance", "business_value")


class MemberInline(Rows):
    """Who works on it."""

    model = Member
    extra = 0
    autocomplete_fields = ("user",)


class ProjectAdmin(ChangedByProject, AuditedAdmin):
    """The list, the form, and the project's own page."""

    form = LongForm
    acts = Acts(Act.PROJECT_ADD, Act.PROJECT_CHANGE, Act.PROJECT_DELETE)
    project_path = "pk"
    list_display = ("name", "problem_class", "team", "success_shown", "run_count", "starts_at")
    list_filter = ("problem_class", "team")
    search_fields = ("name", "slug")
    list_per_page = 50
    show_full_result_count = False
    formfield_overrides = {models.DateTimeField: {"widget": LabelledDateTime}}
    inlines = (MemberInline,)
    prepopulated_fields = {"slug": ("name",)}
    readonly_fields = ("outcome_source", "outcome_set_by", "outcome_set_at", "outcome_rule")
    fieldsets = (
        (None, {"fields": ("name", "slug", "description", "problem_class", "complexity", "team", "team_size")}),
        (
            "Times, cost and effort",
            {
                "fields": (
                    ("starts_at", "ends_at"),
                    ("planned_duration_days", "actual_duration_days"),
                    ("planned_cost", "actual_cost"),
                    ("planned_effort_hours", "actual_effort_hours"),
                )
            },
        ),
        ("Goal", {"fields": ("goal_metric", "goal_maximize", "goal_worst", "goal_best")}),
        ("Outcome", {"fields": ("success", "model_performance", "business_value", *readonly_fields)}),
        ("Storage", {"fields": ("quota_bytes",)}),
        ("Facts known before work began", {"fields": ("dataset_facts", "labels")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Project]:
        """Projects with the number of their runs."""
        runs = counted(Run.objects.active().filter(experiment__project=OuterRef("pk")))
        return super().get_queryset(request).annotate(runs=runs)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """A quota is an admin's of the whole tenant to say."""
        fixed = super().get_readonly_fields(request, obj)
        return tuple(fixed) if may_bound(request) else (*fixed, "quota_bytes")

    @admin.display(description="Success", ordering="success", empty_value="–")
    def success_shown(self, project: Project) -> str | None:
        """The outcome, 0 to 100."""
        return None if project.success is None else f"{project.success:.0f}"

    @admin.display(description="Runs", ordering="runs")
    def run_count(self, project: Any) -> str:
        """How many runs it has."""
        return count_shown(project.runs)

    def get_urls(self) -> list[URLPattern]:
        """The form moves to /edit/, because the project's own page is what links lead to."""
        edit = self.admin_site.admin_view(self.edit_view)
        return [path("<uuid:pk>/edit/", edit, name="tracking_project_edit"), *super().get_urls()]

    def edit_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        """The stock form."""
        return super().change_view(request, str(pk))

    def response_post_save_change(self, request: HttpRequest, obj: Project) -> HttpResponseRedirect:
        """After saving, back to the project's page."""
        return HttpResponseRedirect(reverse("admin:tracking_project_change", args=[obj.pk]))

    def save_model(self, request: HttpRequest, obj: Project, form: Any, change: bool) -> None:
        """Save the form; an outcome given by hand is a word of its own, with who gave it and when."""
        told = {name: getattr(obj, name) for name in OUTCOME}
        for name in OUTCOME:
            setattr(obj, name, form.initial.get(name))
        if change:
            plans.begin(Project.objects.get(pk=obj.pk))
        super().save_model(request, obj, form, change)
        plans.note(obj, acting(request))
        if not set(OUTCOME) & set(form.changed_data):
            return
        success = told.pop("success")
        is_new = "success" in form.changed_data or not obj.outcome_source
        word = Said(success, facts=told) if is_new else Said(success, obj.outcome_source, obj.outcome_rule, told)
        set_outcome(obj, word, by=acting(request), at=timezone.now())
        obj.refresh_from_db(fields=[*OUTCOME, *self.readonly_fields])
        self.leave_out(request, obj, [*OUTCOME, *self.readonly_fields])

    def delete_model(self, request: HttpRequest, obj: Project) -> None:
        """Delete a project, and end the keys, CI jobs and roles that were bound to it."""
        end_with_project(acting(request), obj.pk, timezone.now())
        super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Project]) -> None:
        """Do the same for many."""
        for project in queryset:
            end_with_project(acting(request), project.pk, timezone.now())
        super().delete_queryset(request, queryset)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The project's page."""
        try:
            project = self.get_queryset(request).filter(pk=uuid.UUID(object_id)).first()
        except ValueError as error:
            raise Http404 from error
        if project is None or not self.has_view_permission(request, project):
            raise Http404
        runs = Run.objects.active().filter(experiment__project=project)
        context = {
            "title": project.name,
            "project": project,
            "may_edit": self.has_change_permission(request, project),
            "states": runs_by_state(runs),
            "best": best_runs(project),
            "newest": runs.select_related("experiment").order_by("-id")[:RUNS_SHOWN],
            "timeline": run_timeline(runs),
            "planned": planned_and_actual(project),
            "revised": max(project.plans.count() - 1, 0),
            "experiments": with_run_counts(project.experiments.active()).order_by("-created_ms")[:20],
            "members": project.members.select_related("user").order_by("joined_at")[:50],
            "snippet": f'mlflow.set_experiment(experiment_name="{project.slug}", tags={{"maestro.project": "{project.slug}"}})',
            **tenant_site.cards(request, "project", project),
        }
        return tenant_site.page(request, "admin/tracking/project.html", context)


def may_bound(request: HttpRequest) -> bool:
    """Say whether somebody may say how much a project keeps."""
    who: Any = request.user
    return bool(who.is_superuser) or (looker(request).projects is None and looker(request).has_role("admin"))


def runs_by_state(runs: QuerySet[Run]) -> list[tuple[str, int]]:
    """How many runs are in each state, most common first."""
    counted = runs.values_list("status").annotate(n=Count("id")).order_by("-n")
    return [(status.lower(), count) for status, count in counted]


def best_runs(project: Project) -> list[LatestMetric]:
    """The runs with the best latest goal metric."""
    if not project.goal_metric:
        return []
    sign = "-" if project.goal_maximize else ""
    latest = LatestMetric.objects.filter(key__name=project.goal_metric, run__experiment__project=project)
    chosen = latest.filter(run__deleted_ms=None, run__status=Run.Status.FINISHED).exclude(value=float("nan"))
    return list(chosen.select_related("run").order_by(f"{sign}value")[:RUNS_SHOWN])


def run_timeline(runs: QuerySet[Run]) -> charts.Chart | None:
    """How many runs began on each day."""
    starts = list(runs.order_by("-id").values_list("start_ms", flat=True)[:5000])
    if not starts:
        return None
    days = Counter(start // DAY_MS * DAY_MS for start in starts)
    return charts.timeline("Runs a day", [("runs", day, count) for day, count in sorted(days.items())], ["runs"])


def planned_and_actual(project: Project) -> list[tuple[str, str, str, str, str]]:
    """What was planned, at first and now, beside what came: name, unit, at first, planned, actual."""
    rule = DeliveryRule.objects.filter(project=project).first()
    rows = []
    for one in plans.compare(project, project.plans.first(), rule):
        show = days_shown if one.unit == "days" else sig
        unit = "" if one.unit == "days" else one.unit
        rows.append((one.name, unit, show(one.first), show(one.planned), show(one.actual)))
    return [row for row in rows if set(row[2:]) != {"–"}]


def days_shown(days: float | None) -> str:
    """A time in days as people say it."""
    return duration(None if days is None else days * 86_400)


tenant_site.register(Project, ProjectAdmin)
