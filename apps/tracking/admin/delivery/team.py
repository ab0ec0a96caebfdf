"""The tracking room's admin: how a team delivers: measures as tiles, each with the rows behind it, on the page and as CSV."""

import csv
import io
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from itertools import groupby
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from apps.tenants.access.people.principal import looker
from apps.tracking import calendars
from apps.tracking.admin.run_bulk import may
from apps.tracking.delivery import team, trends
from apps.tracking.delivery.catalogue import BY_KEY, DEFINITIONS, Definition
from apps.tracking.delivery.team import Line, Period
from apps.tracking.delivery.trends import Point
from apps.tracking.exports.rows import safe_cell
from apps.tracking.models import Project
from apps.tracking.models.measures import FEWEST, Measure
from apps.tracking.scoping import projects_for
from maestro import charts
from maestro.admin.sites import tenant_site
from maestro.charts import Chart
from maestro.clock import is_uuid
from maestro.templatetags.maestro import duration, percent, sig

WEEKS, USUAL = (4, 13, 26, 52, 260), 13
SHOWN, MOST_PROJECTS = 200, 500
SPOKEN = {"per_week": "a week", "share": "share"}
COLUMNS = ("what", "at", "value", "unit", "note")


@dataclass(frozen=True)
class Tile:
    """A measure as it is shown."""

    of: Definition
    measure: Measure
    url: str
    trend: Chart | None = None

    def said(self, value: float | None) -> str:
        """A figure of it in its unit."""
        return worded(value, self.of.unit)

    @property
    def main(self) -> str:
        """The figure that stands first: a share or a rate, else the median."""
        one = self.measure
        return self.said(one.value if one.value is not None else one.median)

    @property
    def parts(self) -> list[tuple[str, str]]:
        """What stands beside it."""
        one = self.measure
        named = [("median", one.median if one.value is not None or one.low is not None else None), ("p90", one.p90)]
        found = [(name, self.said(value)) for name, value in named if value is not None]
        if one.low is not None or one.high is not None:
            high = self.said(one.high) if one.high is not None else "not known yet"
            found.append(("95 % interval of the median", f"{self.said(one.low)} to {high}"))
        return [*found, *([("not yet known, or without", sig(one.open_n))] if one.open_n else [])]


def worded(value: float | None, unit: str) -> str:
    """A figure in its unit, as people read it."""
    if value is None:
        return "–"
    if unit == "seconds":
        return duration(value)
    return (
        percent(value) if unit == "share" else f"{sig(value)}{' a week' if unit == 'per_week' else f' {unit}'}".rstrip()
    )


@dataclass(frozen=True)
class Asked:
    """What the page's address asks for."""

    project: Project | None
    weeks: int
    period: Period

    @property
    def last_day(self) -> date:
        """The day that it ends with."""
        return self.period.day(self.period.until) - timedelta(days=1)

    def address(self, **changed: object) -> str:
        """The page about something else of the same."""
        fields: dict[str, object] = {"weeks": self.weeks, "until": self.last_day.isoformat()}
        if self.project:
            fields["project"] = self.project.pk
        return f"{reverse('admin:team')}?{urlencode(fields | changed)}"


def asked_of(request: HttpRequest) -> Asked:
    """Read the address. Raises Http404 for a project that is not there, or out of reach."""
    who, project = looker(request), None
    if named := request.GET.get("project", ""):
        project = projects_for(who).filter(pk=named).first() if is_uuid(named) else None
        if project is None:
            raise Http404
    weeks = request.GET.get("weeks", "")
    many = int(weeks) if weeks in {str(one) for one in WEEKS} else USUAL
    name = calendars.time_zone()
    zone = calendars.zone_of(name)
    until = end_of(request.GET.get("until", ""), zone)
    reach: list[UUID] | None = [project.pk] if project else who.projects
    return Asked(project, many, Period(reach, calendars.weeks_before(until, many, zone), until, name))


def end_of(text: str, zone: tzinfo) -> datetime:
    """The end of a day where the tenant is; of today for what is no day of ours."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = timezone.now().astimezone(zone).date()
    return calendars.day_after(min(max(day, date(2000, 1, 1)), date(2200, 1, 1)), zone)


@require_safe
def team_page(request: HttpRequest) -> HttpResponse:
    """Every measure of a project, or of all within reach, over some weeks; and the rows behind the one that is asked for."""
    if not (request.user.has_perm("tracking.view_project") or looker(request).projects):
        raise PermissionDenied
    asked, key = asked_of(request), request.GET.get("measure", "")
    if key and key not in BY_KEY:
        raise Http404
    rows = behind(asked, key) if key else None
    if rows is not None and request.GET.get("format") == "csv":
        return as_csv(BY_KEY[key], rows, calendars.zone_of(asked.period.zone))
    found = team.measures(asked.period)
    lines = trends.trends(asked.period)
    tiles = [
        Tile(one, found[one.key].told(), asked.address(measure=one.key), line_of(one, lines.get(one.key, [])))
        for one in DEFINITIONS
    ]
    context = {
        "title": "Team",
        "asked": asked,
        "groups": [(name, list(some)) for name, some in groupby(tiles, key=lambda tile: tile.of.group)],
        "is_empty": not any(measure.n for measure in found.values()),
        "fewest": FEWEST,
        "projects": projects_for(looker(request)).order_by("name")[:MOST_PROJECTS],
        "weeks": WEEKS,
        "before_url": asked.address(until=(asked.period.day(asked.period.since) - timedelta(days=1)).isoformat()),
        "measured_url": reverse("admin:measured", args=[asked.project.pk]) if asked.project else "",
        "zone": calendars.zone_of(asked.period.zone),
        "zone_url": reverse("admin:time_zone") if may_set_zone(request) else "",
        "connections_url": reverse("admin:connections") if may(request, "admin") else "",
        **shown(asked, key, rows),
    }
    return tenant_site.page(request, "admin/tracking/team.html", context)


def line_of(of: Definition, points: list[Point]) -> Chart | None:
    """The small line below a figure; None where two points are not known."""
    if sum(point.value is not None for point in points) < 2:
        return None
    unit, scale = ("hours", 3_600.0) if of.unit == "seconds" else (SPOKEN.get(of.unit, of.unit), 1.0)
    told = [(f"{one.at:%Y-%m-%d}", None if one.value is None else one.value / scale, one.n) for one in points]
    return charts.trend(of.title, unit, told)


def may_set_zone(request: HttpRequest) -> bool:
    """Whether somebody may say where the tenant's days begin."""
    who: Any = request.user
    return bool(who.is_superuser) or (looker(request).projects is None and looker(request).has_role("admin"))


def behind(asked: Asked, key: str) -> list[Line] | None:
    """The rows behind a measure; None where they would tell what single people of a small team did."""
    if BY_KEY[key].of_people and asked.period.is_small():
        return None
    return team.lines(asked.period, key)


def shown(asked: Asked, key: str, rows: list[Line] | None) -> dict[str, Any]:
    """The rows of a measure for the template."""
    if not key:
        return {"definition": None}
    unit = BY_KEY[key].unit
    return {
        "definition": BY_KEY[key],
        "is_hidden": rows is None,
        "fewest_people": team.FEWEST_PEOPLE,
        "lines": [
            (one, worded(one.value, "" if unit in ("share", "per_week") else unit)) for one in (rows or [])[:SHOWN]
        ],
        "more": max(len(rows or []) - SHOWN, 0),
        "csv_url": asked.address(measure=key, format="csv"),
        "close_url": asked.address(),
    }


def as_csv(of: Definition, rows: list[Line], zone: tzinfo) -> HttpResponse:
    """The rows as a file for spreadsheets; times are the tenant's, with their offset."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for one in rows:
        cells = (one.what, one.at.astimezone(zone).isoformat(), one.value, of.unit, one.note)
        writer.writerow([safe_cell(cell) for cell in cells])
    answer = HttpResponse(out.getvalue(), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{of.key}.csv"'
    return answer


tenant_site.add_page("team/", team_page, "team", by_project=True)
