"""The tracking room's admin: how a project is measured: what counts as a deployment of it, and its incidents."""

import uuid
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone

from apps.tenants.access.people.principal import looker
from apps.tracking.admin.delivery.connections import identity
from apps.tracking.admin.run_bulk import actor, may
from apps.tracking.delivery import incidents, rules
from apps.tracking.models import DeliveryRule, Incident, Project
from apps.tracking.scoping import projects_for
from maestro import limits
from maestro.admin.sites import LabelledDateTime, tenant_site
from maestro.errors import MaestroError

SHOWN = 100


class RuleForm(forms.Form):
    """What counts as a deployment, and what an hour costs."""

    source = forms.ChoiceField(
        choices=[("", "the forge if one is connected, else an alias"), *DeliveryRule.Source.choices],
        required=False,
        label="A deployment is",
    )
    serving_aliases = forms.CharField(
        max_length=1_000, required=False, help_text="Aliases whose versions serve, with commas between them"
    )

    hour_rate = forms.FloatField(
        required=False, min_value=0, max_value=rules.MOST_RATE, help_text="What an hour of its work costs"
    )
    currency = forms.RegexField("[A-Z]{3}", required=False, max_length=3, help_text="As EUR")

    def clean_serving_aliases(self) -> list[str]:
        """Read the names."""
        names = [name.strip() for name in self.cleaned_data["serving_aliases"].split(",") if name.strip()]
        if any(len(name) > limits.ALIAS_CHARS for name in names):
            raise forms.ValidationError(f"an alias has at most {limits.ALIAS_CHARS} characters")
        return names


class IncidentForm(forms.Form):
    """An incident to be told of."""

    title = forms.CharField(max_length=limits.NAME_CHARS, help_text="Short; no names of people")
    opened_at = forms.SplitDateTimeField(required=False, widget=LabelledDateTime, label="Began (UTC; empty: now)")
    resolved_at = forms.SplitDateTimeField(
        required=False, widget=LabelledDateTime, label="Resolved (empty: it is open)"
    )


def measured_page(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """How a project is measured, and its incidents, with the forms that change them for who may."""
    if not (request.user.has_perm("tracking.view_project") or looker(request).projects):
        raise PermissionDenied
    project = projects_for(looker(request)).filter(pk=pk).first()
    if project is None:
        raise Http404
    do, holds = request.POST.get("do", ""), rules.in_force(project)
    rule = rules.rule_of(project)
    told = {name: getattr(rule, name, None) for name in rules.FIELDS}
    told["serving_aliases"] = ", ".join(holds.serving_aliases)
    rule_form = RuleForm(request.POST if do == "rule" else None, initial=told)
    incident_form = IncidentForm(request.POST if do == "open" else None)
    if request.method == "POST" and acted(request, project, rule_form, incident_form):
        return HttpResponseRedirect(reverse("admin:measured", args=[project.pk]))
    context = {
        "title": f"How {project.name} is measured",
        "project": project,
        "holds": holds,
        "rule_form": rule_form,
        "incident_form": incident_form,
        "rows": Incident.objects.filter(project=project)[:SHOWN],
        "may_rule": may(request, "admin", project.pk),
        "may_tell": may(request, "contributor", project.pk),
        "team_url": f"{reverse('admin:team')}?project={project.pk}",
    }
    return tenant_site.page(request, "admin/tracking/measured.html", context)


def acted(request: HttpRequest, project: Project, rule_form: RuleForm, incident_form: IncidentForm) -> bool:
    """Do what a button says; False if its form has to say what is wrong. Raises PermissionDenied."""
    do = request.POST.get("do", "")
    if not may(request, "admin" if do == "rule" else "contributor", project.pk):
        raise PermissionDenied
    form: Any = {"rule": rule_form, "open": incident_form}.get(do)
    if form is not None and not form.is_valid():
        return False
    try:
        act(request, project, do, form.cleaned_data if form else {})
    except MaestroError as refusal:
        if form is None:
            messages.error(request, refusal.detail)
            return True
        form.add_error(None, refusal.detail)
        return False
    return True


def act(request: HttpRequest, project: Project, do: str, fields: dict[str, Any]) -> None:
    """Write what a form or a button says."""
    by, now = actor(request), timezone.now()
    if do == "rule":
        rules.set_rule(project, fields, by=by)
        messages.success(request, "It is measured so from now on, the past too.")
    elif do == "open":
        incidents.open_one(project, {name: value for name, value in fields.items() if value}, by=by, at=now)
    elif do == "resolve":
        incidents.change(identity(request.POST.get("incident", "")), lambda row: {"resolved_at": now}, by=by)
    elif do == "delete":
        incidents.take_back(identity(request.POST.get("incident", "")), by=by)


tenant_site.add_page("team/<uuid:pk>/", measured_page, "measured", by_project=True)
