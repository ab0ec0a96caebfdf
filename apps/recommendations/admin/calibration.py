"""The recommendations room's admin: how past claims held: forecasts, advice, intervals of impact."""

from dataclasses import dataclass
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse

from apps.recommendations.answers import calibration as answers_calibration
from apps.recommendations.models import Forecast
from maestro import charts
from maestro.admin.sites import tenant_site

SHOWN, CLAIMS_SHOWN = 500, 12


@dataclass(frozen=True, slots=True)
class Met:
    """A forecast that met its outcome."""

    name: str
    expected: float
    actual: float


def read_met(target: str) -> list[Met]:
    """The newest settled forecasts of a target, one a project."""
    return [
        Met(str(row.project), row.p50, row.actual)
        for row in answers_calibration.settled(target)[:SHOWN]
        if row.p50 is not None and row.actual is not None
    ]


def picture(target: str) -> dict[str, Any]:
    """Actual against expected."""
    points = [(one.name, one.expected, one.actual) for one in read_met(target)]
    return {
        "id": f"calibration-{target}",
        "chart": charts.scatter(
            f"Actual against expected {target}", points, x=f"expected {target}", y=f"actual {target}"
        ),
    }


def calibration(request: HttpRequest) -> HttpResponse:
    """The page: each target's record or its refusal, what became of advice, and how stable impact claims were."""
    if not request.user.has_perm("recommendations.view_forecast"):
        raise PermissionDenied
    records = answers_calibration.calibration()
    known = [one for one in records if one.status != "refused"]
    context: dict[str, Any] = {
        "title": "Past claims",
        "records": known,
        "refused": [one for one in records if one.status == "refused"],
        "pictures": [picture(one.target) for one in known],
        "followed": answers_calibration.followed(),
        "claims": answers_calibration.claims()[:CLAIMS_SHOWN],
        "has_forecasts": Forecast.objects.exists(),
    }
    return tenant_site.page(request, "admin/recommendations/calibration.html", context)


tenant_site.add_page("impact/calibration/", calibration, "calibration")
