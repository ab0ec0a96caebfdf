"""The recommendations room's admin: trainings: what was learnt when, from what, and what serves."""

import uuid
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from apps.recommendations import tasks
from apps.recommendations.models import ImpactModel, Training
from apps.recommendations.work import leases, promotion
from apps.tenants.access.people.principal import acting
from maestro.admin.sites import tenant_site
from maestro.errors import MaestroError

SHOWN = 30


def trainings(request: HttpRequest) -> HttpResponse:
    """The newest trainings, each with its models and their figures."""
    if not request.user.has_perm("recommendations.view_training"):
        raise PermissionDenied
    context: dict[str, Any] = {
        "title": "Trainings",
        "trainings": Training.objects.for_page()[:SHOWN],
        "may_train": request.user.has_perm("recommendations.add_training"),
        "may_roll_back": request.user.has_perm("recommendations.change_impactmodel"),
        "serving_state": ImpactModel.State.CHAMPION,
    }
    return tenant_site.page(request, "admin/recommendations/trainings.html", context)


def training_state(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """How far an open training is, for polling."""
    if not request.user.has_perm("recommendations.view_training"):
        raise Http404
    training = get_object_or_404(Training, pk=pk)
    shown = {"percent": training.percent, "percent_text": f"{training.percent} %", "step": training.step}
    return tenant_site.poll(live=training.is_open, fields=shown)


@require_POST
def train_now(request: HttpRequest) -> HttpResponse:
    """Ask for a training and hand it to a worker."""
    if not request.user.has_perm("recommendations.add_training"):
        raise PermissionDenied
    training, is_new = leases.ask_as(acting(request))
    if is_new:
        tasks.send(training)
        messages.success(request, "A worker will train now; this page follows it.")
    else:
        messages.warning(request, "A training is at work already; it is followed below.")
    return HttpResponseRedirect(reverse("admin:trainings"))


@require_POST
def roll_back(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """Take a training's models out of service and put those before them back."""
    if not request.user.has_perm("recommendations.change_impactmodel"):
        raise PermissionDenied
    try:
        back = promotion.roll_back(get_object_or_404(Training, pk=pk), by=acting(request), at=timezone.now())
    except MaestroError as refusal:
        messages.error(request, refusal.detail)
    else:
        messages.success(request, f"Rolled back: {len(back)} earlier models serve again.")
    return HttpResponseRedirect(reverse("admin:trainings"))


tenant_site.add_page("impact/trainings/", trainings, "trainings")
tenant_site.add_page("impact/trainings/ask/", train_now, "train_now")
tenant_site.add_page("impact/trainings/<uuid:pk>/state/", training_state, "training_state")
tenant_site.add_page("impact/trainings/<uuid:pk>/roll-back/", roll_back, "roll_back")
