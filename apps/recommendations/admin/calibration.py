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


@dataclass(frozen=True, slots=True)
class Settled:
    """A forecast that met its outcome."""

    name: str
    low: float
    expected: float
    high: float
    actual: float


def record_of(target: str, settled: list[Settled]) -> Record:
    """Share of actual values inside their interval, mean absolute error, and how far forecasts lie above."""
    inside = [one.low <= one.actual <= one.high for one in settled]
    errors = [one.expected - one.actual for one in settled]
    return Record(target, len(settled), fmean(inside), fmean(map(abs, errors)), fmean(errors))


def read_settled() -> dict[str, list[Settled]]:
    """The newest settled forecasts, by target."""
    rows = Forecast.objects.settled().exclude(p10=None).exclude(p90=None).order_by("-settled_at")[:SHOWN]
    by_target: dict[str, list[Settled]] = {}
    values: Any = rows.values_list("target", "project__name", "p10", "p50", "p90", "actual")
    for target, *settled in values:
        by_target.setdefault(target, []).append(Settled(*settled))
    return by_target


def calibration(request: HttpRequest) -> HttpResponse:
    """The page: a line and a picture for each target."""
    if not request.user.has_perm("recommendations.view_forecast"):
        raise PermissionDenied
    pictures: list[dict[str, Any]] = [
        {
            "record": record_of(target, settled),
            "id": f"calibration-{target}",
            "chart": charts.scatter(
                f"Actual against expected {target}",
                [(one.name, one.expected, one.actual) for one in settled],
                x=f"expected {target}",
                y=f"actual {target}",
            ),
        }
        for target, settled in read_settled().items()
    ]
    context = {"title": "Past forecasts", "pictures": pictures, "claimed": CLAIMED}
    return tenant_site.page(request, "admin/recommendations/calibration.html", context)


tenant_site.add_page("impact/calibration/", calibration, "calibration")
