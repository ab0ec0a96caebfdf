"""The recommendations room's admin: its cards on the pages of projects, artifacts and on the home page."""

import uuid
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone

from apps.recommendations import tasks
from apps.recommendations.admin.impact import SHORT_UNITS, UNITS, forest_of, pooled_words
from apps.recommendations.admin.ranges import UNITS_OF_TARGETS, range_chart, reasons_unit
from apps.recommendations.answers.advice import (
    PENDING,
    UNIT_WORDS,
    advice_for,
    forecasts_for,
    is_seen,
    stored_for,
    team_size_in,
    untrained,
)
from apps.recommendations.answers.narrowing import classes_of
from apps.recommendations.models import Advice, Forecast, ImpactModel, ImpactScore
from apps.registry.models import Artifact
from apps.tenants.access.people.principal import looker
from apps.tracking.models import Project
from maestro import charts
from maestro.admin.sites import Part, tenant_site
from maestro.principals import Reach

BASES = {
    "impact": "what each is associated with here",
    "model": "what goes with the runs seen here",
    "mean_rank": "mean rank across projects",
    "shared_mean": "mean rank across projects, shared by like artifacts",
}
FEW = 8
LONG_WAIT_SECONDS = 30
NOBODY_ANSWERS = "No worker has answered yet; it may be busy, or not running."


def advice_card(request: HttpRequest, project: Project) -> dict[str, Any]:
    """What to use next: stored advice of the models that serve, else made from the stored scores, else a refusal."""
    stored, reach = stored_for(project), looker(request).projects
    shown = {"more_url": reverse("admin:impact"), "more_text": "All impacts"}
    of_artifacts = [row for row in stored if row.kind == Advice.Kind.ARTIFACT]
    items = [row for row in of_artifacts if is_seen(row.artifact, reach)]
    if items:
        return shown | {
            "items": [stored_item(row, reach) for row in items],
            "unit": items[0].unit,
            "basis": BASES.get(items[0].basis, items[0].basis),
            "team": team_size_in(stored),
        }
    answer = advice_for(project, reach=reach, stored=stored)
    made = [fresh_item(item, reach) for item in answer.items]
    is_refused = answer.status == "refused"
    return shown | {
        "answer": answer,
        "items": [] if is_refused else made,
        "recent": made if is_refused else [],
        "unit": answer.unit,
        "basis": BASES.get(answer.basis, answer.basis),
        "team": answer.team,
    }


def stored_item(row: Advice, reach: Reach) -> dict[str, Any]:
    """A stored row as the card shows it."""
    return {
        "url": reverse("admin:registry_artifact_change", args=[row.artifact_id]),
        "name": row.artifact.name if row.artifact else "",
        "status": row.status,
        "gain": row.gain,
        "low": row.low,
        "high": row.high,
        "standing": row.standing,
        "n": row.n_projects,
        "pooled": row.pooled,
        "reasons": row.reasons,
        "evidence": evidence_links(row.evidence, reach),
        "was_followed": row.was_followed,
    }


def fresh_item(item: Any, reach: Reach) -> dict[str, Any]:
    """An item made from scores as the card shows it."""
    return {
        "url": reverse("admin:registry_artifact_change", args=[item.artifact_id]),
        "name": item.artifact_name,
        "status": item.status,
        "gain": item.gain,
        "low": item.low,
        "high": item.high,
        "standing": item.standing,
        "n": item.n_projects,
        "pooled": item.pooled,
        "reasons": item.reasons,
        "evidence": evidence_links(item.evidence, reach),
        "was_followed": None,
    }


def evidence_links(ids: Any, reach: Reach) -> list[str]:
    """The addresses of the first projects behind a claim that are within reach."""
    near = None if reach is None else {str(one) for one in reach}
    known = [
        str(identity) for identity in ids or [] if isinstance(identity, str) and (near is None or identity in near)
    ]
    return [reverse("admin:tracking_project_change", args=[identity]) for identity in known[:FEW]]


def forecast_card(request: HttpRequest, project: Project) -> dict[str, Any]:
    """What to expect, with intervals and reasons; a refusal for what cannot be said; a wait for what a worker can say."""
    said = forecasts_for(project)
    rows: list[Forecast] = said["results"]
    is_pending = said["code"] == PENDING
    if is_pending:
        tasks.send_foresee()
    given = [row for row in rows if row.p50 is not None]
    return {
        "forecasts": [
            {
                "row": row,
                "id": f"why-{row.target}",
                "unit": UNITS_OF_TARGETS.get(row.target, ""),
                "interval": interval_chart(row),
                "why": why_chart(row),
            }
            for row in given
        ],
        "refused": [row for row in rows if row.p50 is None],
        "never": None if rows or is_pending else said,
        "state_url": forecast_state_url(project) if is_pending else "",
        "has_outcome": project.success is not None,
        "what_if_url": f"{reverse('admin:what_if')}?project={project.pk}",
        "more_url": reverse("admin:calibration"),
        "more_text": "How past forecasts did",
    }


def forecast_state_url(project: Project) -> str:
    """Where the page asks whether the forecast is there, and since when it waits."""
    return f"{reverse('admin:forecast_state', args=[project.pk])}?since={timezone.now().timestamp():.0f}"


def forecast_state(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """Whether a project's forecast is there by now, for polling."""
    if not request.user.has_perm(SEE_FORECASTS):
        raise Http404
    project = get_object_or_404(Project, pk=pk)
    since = request.GET.get("since", "")
    waited = (
        timezone.now().timestamp() - int(since) if since.isascii() and since.isdecimal() and len(since) < 12 else 0.0
    )
    note = "A worker forecasts this project." if waited < LONG_WAIT_SECONDS else NOBODY_ANSWERS
    return tenant_site.poll(live=not Forecast.objects.filter(project=project).exists(), fields={"note": note})


def interval_chart(row: Forecast) -> charts.Chart:
    """One forecast's range, with what came of it if known."""
    spread = (row.p10 or 0.0, row.p50 or 0.0, row.p90 or 0.0, row.actual)
    return range_chart(row.target, spread)


def why_chart(row: Forecast) -> charts.Chart | None:
    """What raised and what lowered the forecast."""
    parts = [
        (str(part["covariate"]), float(part["amount"]))
        for part in row.contributions
        if isinstance(part, dict) and {"covariate", "amount"} <= part.keys()
    ]
    return charts.contributions("Reasons", parts[:FEW], reasons_unit(row.target)) if parts else None


def artifact_card(request: HttpRequest, artifact: Artifact) -> dict[str, Any]:
    """What this artifact's use is associated with, by unit, from the models that serve."""
    scores = ImpactScore.objects.filter(
        artifact=artifact, model__state=ImpactModel.State.CHAMPION, model__target="impact"
    )
    rows = [
        {
            "score": score,
            "unit": UNIT_WORDS.get(score.model.unit, ""),
            "title": ", ".join(filter(None, (UNITS.get(score.model.unit, ""), class_words(score)))),
        }
        for score in scores.select_related("model").order_by("model__unit", "problem_class")
    ]
    return {"rows": rows, "more_url": reverse("admin:impact"), "more_text": "Beside the others"}


def class_words(score: ImpactScore) -> str:
    """Whose estimate it is: of one problem class, or of several together."""
    if not score.is_pooled:
        return score.problem_class
    return "pooled over all classes" + (f", used in {score.used_only_in} alone" if score.used_only_in else "")


def leaderboard(request: HttpRequest, _: None) -> dict[str, Any]:
    """The artifacts with the largest adjusted effects, or why there are none."""
    model = ImpactModel.objects.serving()
    shown = {"more_url": reverse("admin:impact"), "more_text": "All impacts", "model": model}
    if model is None:
        return shown | {"refusal": untrained()}
    scores = list(model.scores.for_page().filter(problem_class="").exclude(effect=None)[:FEW])
    alone = [(score.artifact.name, score.used_only_in) for score in scores if score.used_only_in]
    return shown | {
        "forest": forest_of(scores, model.unit, "Top artifacts"),
        "unit": SHORT_UNITS.get(model.unit, ""),
        "pooled": pooled_words(classes_of(model)),
        "alone": alone if len(classes_of(model)) > 1 else [],
    }


def expectations(request: HttpRequest, _: None) -> dict[str, Any] | None:
    """Expected success of the latest projects beside what came of it."""
    rows = Forecast.objects.filter(target="success", model__state=ImpactModel.State.CHAMPION).exclude(p50=None)
    newest = list(rows.select_related("project").order_by("project__success", "-made_at")[:FEW])
    shown = {"more_url": reverse("admin:calibration"), "more_text": "How past forecasts did"}
    return shown | {"forecasts": newest} if newest else None


def ask_first(request: HttpRequest, _: None) -> dict[str, Any]:
    """The way to a question about a project that does not exist yet."""
    return {"ask_url": reverse("admin:what_if")}


FOLDER = "admin/recommendations/card_{}.html"
SEE_SCORES, SEE_FORECASTS = "recommendations.view_impactscore", "recommendations.view_forecast"
tenant_site.add_part(
    "project", Part("Forecast", FOLDER.format("forecast"), forecast_card, "work", 10, SEE_FORECASTS, True)
)
tenant_site.add_part(
    "project", Part("What to try next", FOLDER.format("advice"), advice_card, "state", 10, SEE_SCORES, True)
)
tenant_site.add_part("artifact", Part("Impact", FOLDER.format("artifact"), artifact_card, "state", 10, SEE_SCORES))
tenant_site.add_part("home", Part("Impact", FOLDER.format("leaderboard"), leaderboard, "work", 10, SEE_SCORES))
tenant_site.add_part(
    "home", Part("Expected and actual success", FOLDER.format("expected"), expectations, "work", 15, SEE_FORECASTS)
)
tenant_site.add_part("home", Part("Before you begin", FOLDER.format("ask"), ask_first, "state", 20, SEE_FORECASTS))
tenant_site.add_page("impact/forecast-of/<uuid:pk>/state/", forecast_state, "forecast_state")
