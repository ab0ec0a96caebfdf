"""The recommendations room's admin: what would a project expect that does not exist yet: a form, then the answer."""

import uuid
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone

from apps.recommendations import tasks
from apps.recommendations.admin.facts import WhatIfForm, facts_of_project
from apps.recommendations.admin.ranges import UNITS_OF_TARGETS, range_chart, reasons_unit
from apps.recommendations.answers.advice import UNIT_WORDS
from apps.recommendations.models import WhatIf
from apps.recommendations.work import questions
from apps.tenants.access.people.principal import acting, is_bound
from apps.tracking.models import Project
from maestro import charts
from maestro.admin.sites import tenant_site
from maestro.errors import TooMany

MAY = "recommendations.view_forecast"


def refuse_strangers(request: HttpRequest) -> None:
    """Answers rest on all projects: whoever may see only some gets none. Raises PermissionDenied."""
    if is_bound(request) or not request.user.has_perm(MAY):
        raise PermissionDenied


def ask(request: HttpRequest) -> HttpResponse:
    """The form; `?project=` fills in what is known of that project, `?question=` an earlier question's facts."""
    refuse_strangers(request)
    form = WhatIfForm(request.POST) if request.method == "POST" else WhatIfForm(initial=initial_of(request))
    if request.method == "POST" and form.is_valid():
        try:
            question = questions.ask(form.facts(), by=acting(request))
        except TooMany as refusal:
            form.add_error(None, refusal.detail)
        else:
            tasks.TURNS.send()
            return HttpResponseRedirect(reverse("admin:what_if_answer", args=[question.pk]))
    context: dict[str, Any] = {"title": "What if", "form": form}
    return tenant_site.page(request, "admin/recommendations/what_if.html", context)


def initial_of(request: HttpRequest) -> dict[str, Any]:
    """What the address asks to begin with. What is not there begins an empty form."""
    found = WhatIf.objects.filter(pk__in=identities(request.GET.get("question", ""))).first()
    if found is not None:
        return WhatIfForm.initial_of(found.facts)
    project = Project.objects.filter(pk__in=identities(request.GET.get("project", ""))).first()
    return WhatIfForm.initial_of(facts_of_project(project)) if project else {}


def identities(text: str) -> list[uuid.UUID]:
    """The id in an address, or none."""
    try:
        return [uuid.UUID(text)]
    except ValueError:
        return []


def answer(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """The question with its answer, once there is one."""
    refuse_strangers(request)
    question = get_object_or_404(WhatIf, pk=pk)
    results = question.answer.get("results", [])
    context: dict[str, Any] = {
        "title": "What if",
        "question": question,
        "question_id": str(question.pk),
        "progress": question.progress(timezone.now()),
        "facts": [(name.replace("_", " "), value) for name, value in flat(question.facts)],
        "expected": [expected(one) for one in results if one["value"] is not None],
        "refused": [one for one in results if one["value"] is None],
        "artifacts": [
            one | {"unit_text": UNIT_WORDS.get(one["unit"], "")} for one in question.answer.get("artifacts", [])
        ],
    }
    return tenant_site.page(request, "admin/recommendations/what_if_answer.html", context)


def flat(facts: dict[str, Any]) -> list[tuple[str, Any]]:
    """Facts as lines of a list."""
    own = [(name, value) for name, value in facts.items() if not isinstance(value, dict | list)]
    inner = [(name, value) for name, value in (facts.get("dataset_facts") or {}).items()]
    chosen = facts.get("artifacts") or []
    return own + inner + ([("artifacts", ", ".join(chosen))] if chosen else [])


def expected(one: dict[str, Any]) -> dict[str, Any]:
    """One target's answer with its pictures."""
    unit = UNITS_OF_TARGETS.get(one["target"], "")
    parts = [(str(part["covariate"]), float(part["amount"])) for part in one["contributions"]]
    has_range = one["low"] is not None and one["high"] is not None
    return one | {
        "unit_text": unit,
        "why": charts.contributions("Reasons", parts, reasons_unit(one["target"])) if parts else None,
        "interval": range_chart(one["target"], (one["low"], one["value"], one["high"], None)) if has_range else None,
        "why_id": f"why-{one['target']}",
    }


def state(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """How the question stands, for polling."""
    refuse_strangers(request)
    now = get_object_or_404(WhatIf, pk=pk).progress(timezone.now())
    return tenant_site.poll(live=now.is_live, fields={"note": now.note, "waited": f"{now.waited:.0f} s"})


tenant_site.add_page("what-if/", ask, "what_if")
tenant_site.add_page("what-if/<uuid:pk>/", answer, "what_if_answer")
tenant_site.add_page("what-if/<uuid:pk>/state/", state, "what_if_state")
