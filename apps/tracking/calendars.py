"""The tracking room: where a tenant's days and weeks begin: its time zone."""

import zoneinfo
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import cache
from zoneinfo import ZoneInfo

from django.db import transaction

from apps.tenants.access.audit.recording import record
from apps.tracking.actions import Act
from apps.tracking.models import DEFAULT_PROJECT_ID, Project, WorkCalendar
from apps.tracking.scoping import require_tenant_wide
from maestro.errors import Invalid
from maestro.principals import Actor

USUAL = "UTC"


@cache
def names() -> frozenset[str]:
    """The zones that this machine and the database know. Some are files of the system's that no zone is called by."""
    return frozenset(name for name in zoneinfo.available_timezones() if "/" in name or name == USUAL)


def zone_of(name: str) -> tzinfo:
    """A zone by its name."""
    return UTC if name == USUAL else ZoneInfo(name)


def time_zone() -> str:
    """The name of the tenant's zone."""
    row = WorkCalendar.objects.first()
    return row.time_zone if row and row.time_zone in names() else USUAL


def set_time_zone(name: str, *, by: Actor) -> str:
    """Say where the tenant's days begin; the same again changes nothing. Raises Invalid, Forbidden."""
    require_tenant_wide(by.who, "set the time zone")
    by.require("admin", [None])
    if name not in names():
        raise Invalid("there is no such time zone: one is called as Europe/Vienna is", "bad_time_zone")
    with transaction.atomic():
        # One at a time, though there may be no row to lock yet.
        list(Project.objects.select_for_update().filter(pk=DEFAULT_PROJECT_ID))
        row = WorkCalendar.objects.first()
        before = row.time_zone if row else None
        if before != name:
            row, _ = WorkCalendar.objects.update_or_create(pk=1, defaults={"time_zone": name, "set_by": by.name[:250]})
            record(by, Act.TIME_ZONE_CHANGE, subject=row, before={"time_zone": before}, after={"time_zone": name})
    return name


def day_after(day: date, zone: tzinfo) -> datetime:
    """The end of a day, which is the begin of the next: in summer and winter at midnight."""
    return datetime.combine(day + timedelta(days=1), time(), zone)


def weeks_before(end: datetime, weeks: int, zone: tzinfo) -> datetime:
    """The midnight some weeks before another, though clocks were turned between them."""
    day = end.astimezone(zone).date() - timedelta(weeks=weeks)
    return datetime.combine(day, time(), zone)
