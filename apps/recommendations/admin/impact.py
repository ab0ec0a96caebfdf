"""The recommendations room's admin: what is associated with success here, with intervals, or why there is no number."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from apps.recommendations.answers.advice import UNIT_WORDS, untrained
from apps.recommendations.answers.narrowing import classes_of, refusal_of_class, scores_of_class
from apps.recommendations.models import ImpactModel, ImpactScore
from apps.registry.models import Artifact
from maestro import charts
from maestro.admin.sites import Task, tenant_site

UNITS = {"project": "Finished projects", "run": "Runs within their project"}
SHORT_UNITS = {"project": "points of success", "run": "std. deviations of the project's runs"}
MAX_DRAWN = 60


def chosen_model(unit: str) -> ImpactModel | None:
    """The model that serves for the unit of the address; without one, the first unit that has a champion."""
    return ImpactModel.objects.select_related("training").serving("impact", unit if unit in UNITS else "")


def forest_of(
    scores: Sequence[ImpactScore], unit: str, title: str = "Adjusted effect by artifact"
) -> charts.Chart | None:
    """The scores that carry a number, as a forest plot."""
    effects = [
        charts.Effect(
            name=score.artifact.name,
            effect=score.effect,
            low=score.low,
            high=score.high,
            raw=score.raw_effect,
            n=score.n_projects,
            url=reverse("admin:registry_artifact_change", args=[score.artifact_id]),
            is_early=score.status == ImpactScore.Status.EARLY,
        )
        for score in scores
        if score.effect is not None and score.low is not None and score.high is not None
    ]
    return charts.forest(title, effects[:MAX_DRAWN], SHORT_UNITS.get(unit, "")) if effects else None


def filtered(request: HttpRequest, model: ImpactModel) -> list[ImpactScore]:
    """The model's scores that the address asks for, best first, refused ones last."""
    scores = scores_of_class(model, request.GET.get("class", "")).for_page()
    kind = request.GET.get("kind", "")
    if kind in Artifact.Kind.values:
        scores = scores.filter(artifact__kind=kind)
    return list(scores)


def pooled_words(classes: Mapping[str, int]) -> str:
    """Say that numbers rest on several problem classes, and on how many projects of each."""
    if len(classes) < 2:
        return ""
    counts = ", ".join(f"{count} {name}" for name, count in sorted(classes.items(), key=lambda one: (-one[1], one[0])))
    return f"Pooled over all problem classes ({counts} projects); in one of them it may be otherwise."


def unit_links(request: HttpRequest, current: str) -> list[dict[str, Any]]:
    """The units as a switch that keeps the other filters."""
    kept = {name: request.GET[name] for name in ("kind", "class") if request.GET.get(name)}
    return [
        {"label": label, "url": f"?{urlencode({**kept, 'unit': unit})}", "is_current": unit == current}
        for unit, label in UNITS.items()
    ]


def impact(request: HttpRequest) -> HttpResponse:
    """The page. `?unit=run&kind=feature_pipeline&class=regression` is its whole state."""
    if not request.user.has_perm("recommendations.view_impactscore"):
        raise PermissionDenied
    model = chosen_model(request.GET.get("unit", ""))
    context: dict[str, Any] = {
        "title": "Impact",
        "model": model,
        "refusal": untrained() if model is None else None,
        "may_train": request.user.has_perm("recommendations.add_training"),
    }
    if model is not None:
        scores = filtered(request, model)
        classes = classes_of(model)
        shown = [score for score in scores if score.status != ImpactScore.Status.REFUSED]
        context |= {
            "unit_label": UNITS.get(model.unit, model.unit),
            "unit_words": UNIT_WORDS.get(model.unit, ""),
            "units": unit_links(request, model.unit),
            "forest": forest_of(shown, model.unit),
            "scores": shown,
            "refused": [score for score in scores if score.status == ImpactScore.Status.REFUSED],
            "kinds": Artifact.Kind.choices,
            "classes": sorted(classes) if len(classes) > 1 else [],
            "pooled": pooled_words(classes) if not request.GET.get("class") else "",
            "of_class": refusal_of_class(model, request.GET.get("class", "")),
            "holdout": model.figures.get("holdout", {}),
            "is_refused": model.state == ImpactModel.State.REFUSED,
        }
    return tenant_site.page(request, "admin/recommendations/impact.html", context)


tenant_site.add_page("impact/", impact, "impact")
tenant_site.add_task(Task("Impact", "admin:impact", "impact", 50, permission="recommendations.view_impactscore"))
