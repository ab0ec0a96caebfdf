"""The recommendations room's admin: which params of an experiment go with a metric: a page, and cards that lead to it."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone

from apps.recommendations import tasks
from apps.recommendations.models import Importance
from apps.recommendations.work import questions
from apps.tenants.access.people.principal import acting, looker
from apps.tracking.models import Experiment, Run
from apps.tracking.scoping import experiments_for
from apps.tracking.search import key_names
from maestro import charts, limits
from maestro.admin.sites import Part, tenant_site
from maestro.errors import TooMany

MAY = "tracking.view_run"
MOST_METRICS, MOST_EXPERIMENTS, DRAWN, IN_A_CARD = 100, 5, 30, 8
UNIT = "share of the metric's spread"


def fetch(request: HttpRequest, pk: int) -> Experiment:
    """The experiment of the address, within reach."""
    if not request.user.has_perm(MAY):
        raise PermissionDenied
    return get_object_or_404(experiments_for(looker(request)).select_related("project"), pk=pk)


def latest(experiment: Experiment, metric: str = "") -> Importance | None:
    """The last question about an experiment; without a metric, about its goal if there is one."""
    found = Importance.objects.filter(experiment=experiment)
    if metric:
        return found.filter(metric=metric).first()
    goal = experiment.project.goal_metric
    last = list(found[:DRAWN])
    return next((one for one in last if one.metric == goal), last[0] if last else None)


def page(request: HttpRequest, pk: int) -> HttpResponse:
    """The page. `?metric=auc` is its whole state; a POST asks."""
    experiment = fetch(request, pk)
    problem = ""
    if request.method == "POST":
        metric = request.POST.get("metric", "").strip()
        problem = problem_of(metric)
        if not problem:
            try:
                questions.weigh(experiment, metric, by=acting(request))
            except TooMany as refusal:
                problem = refusal.detail
            else:
                tasks.WEIGHINGS.send()
                return HttpResponseRedirect(address(experiment, metric))
    names = key_names.containing("m", "", most=MOST_METRICS, experiments=[experiment.pk])
    asked = request.GET.get("metric", "").replace("\x00", "")
    question = latest(experiment, asked)
    chosen = asked or (question.metric if question else experiment.project.goal_metric)
    context: dict[str, Any] = {
        "title": "Param importance",
        "experiment": experiment,
        "project": experiment.project,
        "metrics": sorted({*names, *([chosen] if chosen else [])}),
        "metric": chosen,
        "problem": problem,
        "state_url": f"{reverse('admin:importance_state', args=[pk])}?{urlencode({'metric': chosen})}",
        **told(question, most=DRAWN),
    }
    return tenant_site.page(request, "admin/recommendations/importance.html", context)


def problem_of(metric: str) -> str:
    """Why a name can't be a metric's; nothing if it can."""
    if not metric:
        return "Choose a metric."
    return "There is no such metric." if len(metric) > limits.KEY_CHARS or "\x00" in metric else ""


def address(experiment: Experiment, metric: str = "") -> str:
    """Where the page is."""
    query = f"?{urlencode({'metric': metric})}" if metric else ""
    return reverse("admin:importance", args=[experiment.pk]) + query


def told(question: Importance | None, *, most: int) -> dict[str, Any]:
    """What a question came to: its progress, its picture, its lines."""
    if question is None:
        return {"question": None}
    answer = question.answer
    weights = answer.get("weights", [])
    lines = [one | {"name": " = ".join(one["params"])} for one in weights]
    return {
        "question": question,
        "progress": question.progress(timezone.now()),
        "answer": answer,
        "lines": lines,
        "chart": picture(f"Params and {question.metric}", lines[:most]) if lines else None,
        "chart_id": f"importance-{question.experiment_id}",
    }


def picture(title: str, lines: Sequence[dict[str, Any]]) -> charts.Chart:
    """The weights as bars with intervals."""
    parts = [charts.Share(one["name"], one["share"], one["low"], one["high"], one["is_clear"]) for one in lines]
    return charts.shares(title, parts, UNIT)


def state(request: HttpRequest, pk: int) -> HttpResponse:
    """How the question stands, for polling."""
    question = latest(fetch(request, pk), request.GET.get("metric", "").replace("\x00", ""))
    if question is None:
        return tenant_site.poll(live=False, fields={})
    now = question.progress(timezone.now())
    return tenant_site.poll(live=now.is_live, fields={"note": now.note, "waited": f"{now.waited:.0f} s"})


def experiment_card(request: HttpRequest, experiment: Experiment) -> dict[str, Any]:
    """What the last question about this experiment came to, and the way to the page."""
    question = latest(experiment)
    url = address(experiment, question.metric if question else "")
    return told(question, most=IN_A_CARD) | {"more_url": url, "more_text": "Ask" if question is None else "All of it"}


def compare_card(request: HttpRequest, runs: Sequence[Run]) -> dict[str, Any]:
    """The same of the experiment of compared runs; of several, the ways to their pages."""
    homes = {run.experiment_id: run.experiment for run in runs}
    if len(homes) == 1:
        return experiment_card(request, runs[0].experiment)
    ways = [(home.name, address(home)) for home in list(homes.values())[:MOST_EXPERIMENTS]]
    return {"question": None, "ways": ways}


CARD = "admin/recommendations/card_importance.html"
tenant_site.add_page("importance/<int:pk>/", page, "importance", by_project=True)
tenant_site.add_page("importance/<int:pk>/state/", state, "importance_state", by_project=True)
for place, load in (("experiment", experiment_card), ("compare", compare_card)):
    tenant_site.add_part(place, Part("Param importance", CARD, load, "work", 20, MAY, True))
