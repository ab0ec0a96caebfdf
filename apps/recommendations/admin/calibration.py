"""The recommendations room's admin: past forecasts against what happened."""

from dataclasses import dataclass
from statistics import fmean
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse

from apps.recommendations.models import Forecast
from maestro import charts
from maestro.admin import tenant_site

CLAIMED, SHOWN = 0.8, 500


@dataclass(frozen=True, slots=True)
class Record:
    """How the settled forecasts of one target did."""

    target: str
    n: int
    covered: float
    mean_error: float
    bias: float


def record_of(target: str, forecasts: list[Forecast]) -> Record:
    """Share of actual values inside their interval, mean absolute error, and how far forecasts lie above."""
    inside = [forecast.p10 <= forecast.actual <= forecast.p90 for forecast in forecasts]
    errors = [forecast.p50 - forecast.actual for forecast in forecasts]
    return Record(target, len(forecasts), fmean(inside), fmean(map(abs, errors)), fmean(errors))


def calibration(request: HttpRequest) -> HttpResponse:
    """The page: a line and a picture for each target."""
    if not request.user.has_perm("recommendations.view_forecast"):
        raise PermissionDenied
    settled = Forecast.objects.settled().exclude(p10=None).select_related("project").order_by("-settled_at")[:SHOWN]
    by_target: dict[str, list[Forecast]] = {}
    for forecast in settled:
        by_target.setdefault(forecast.target, []).append(forecast)
    pictures: list[dict[str, Any]] = [
        {
            "record": record_of(target, forecasts),
            "id": f"calibration-{target}",
            "chart": charts.scatter(
                f"Actual against expected {target}",
                [(forecast.project.name, forecast.p50, forecast.actual) for forecast in forecasts],
                x=f"expected {target}",
                y=f"actual {target}",
            ),
        }
        for target, forecasts in by_target.items()
    ]
    context = {"title": "Past forecasts", "pictures": pictures, "claimed": CLAIMED}
    return tenant_site.page(request, "admin/recommendations/calibration.html", context)


tenant_site.add_page("impact/calibration/", calibration, "calibration")
