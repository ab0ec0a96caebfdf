"""Plans as they are revised, costs by hours, where days begin, and what forges sent of somebody who is erased."""

import zlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from apps.tenants.access import erasing
from apps.tenants.models import Tenant
from apps.tracking import calendars, plans, projects
from apps.tracking.delivery import rules, run_measures, team
from apps.tracking.delivery.git import measures as commit_measures
from apps.tracking.delivery.shipped import Shipped
from apps.tracking.delivery.team import Period
from apps.tracking.models import Commit, Delivery, Experiment, Project, Run
from maestro.clock import to_ms
from maestro.errors import Invalid
from tests.factories.forge_payloads import BEGIN, github_push
from tests.factories.two_projects import person_in, speaking_as
from tests.tracking.delivery.test_reading import SYSTEM, connected, deliver, read_all

UNTIL = BEGIN + timedelta(days=365)
JSON = "application/json"


def ended(slug: str, days: float, **plan: float | None) -> Project:
    """A project that took so many days."""
    made = projects.make({"slug": slug, "starts_at": BEGIN, "ends_at": BEGIN + timedelta(days=days), **plan}, SYSTEM)
    return made


def test_a_project_is_compared_with_its_first_plan_and_costs_its_hours(acme: Tenant) -> None:
    for number in range(5):
        mine = ended(f"p{number}", 30 + number, planned_duration_days=20.0, planned_effort_hours=100.0)
        changed = {"planned_duration_days": 40.0, "actual_effort_hours": 150.0}
        projects.change(mine.slug, lambda project, fields=changed: fields, SYSTEM)  # type: ignore[misc]
        projects.change(mine.slug, lambda project, fields=changed: fields, SYSTEM)  # type: ignore[misc]
        assert mine.plans.count() == 2
        rules.set_rule(mine, {"hour_rate": 80.0, "currency": "EUR"}, by=SYSTEM)
    ended("unplanned", 9)
    found = plans.measures(None, BEGIN, UNTIL)
    assert (found["duration_against_plan"].n, found["duration_against_plan"].median) == (5, 1.6)
    assert found["duration_against_plan"].p90 == pytest.approx(1.68)
    assert (found["cost_against_plan"].n, found["cost_against_plan"].median) == (5, 1.5)
    assert found["effort_against_plan"].median == 1.5
    rows = team.lines(Period(None, BEGIN, UNTIL), "cost_against_plan")
    assert rows[0].note == "8,000 EUR planned, revised once; 12,000 actual"
    assert plans.measures(None, UNTIL, UNTIL + timedelta(days=9))["effort_against_plan"].n == 0


def test_a_plan_from_before_its_history_was_kept_is_not_lost(acme: Tenant) -> None:
    old = Project.objects.create(slug="old", name="Old", planned_cost=5.0)
    projects.change("old", lambda project: {"planned_cost": None}, SYSTEM)
    projects.change("old", lambda project: {"name": "Older"}, SYSTEM)
    assert [(row.planned_cost, row.planned_by) for row in old.plans.all()] == [(5.0, ""), (None, SYSTEM.name)]
    assert old.plans.all()[0].at == old.created_at
    old.refresh_from_db()
    assert [one.first for one in plans.compare(old, old.plans.first(), None)] == [None, 5.0, None]


def test_plans_are_listed_and_shown(acme: Tenant, api: Callable[..., Client], person: Callable[[str], Client]) -> None:
    client = api(acme, "contributor")
    made = {"slug": "churn", "planned_cost": 10, "planned_effort_hours": 4}
    assert client.post("/api/v1/projects/", made, content_type=JSON).status_code == 201
    assert client.patch("/api/v1/projects/churn/", {"planned_cost": 20}, content_type=JSON).status_code == 200
    rows = client.get("/api/v1/projects/churn/plans/").json()["results"]
    assert [row["planned_cost"] for row in rows] == [10.0, 20.0]
    project = Project.objects.get(slug="churn")
    page = person("viewer").get(f"/admin/tracking/project/{project.pk}/change/").content.decode()
    assert "At first" in page
    assert "The plan was revised 1 time." in page
    outsider = speaking_as(acme, person_in({Project.objects.create(slug="b", name="B"): "admin"}))
    assert outsider.get("/api/v1/projects/churn/plans/").status_code == 404
    admin, path = api(acme, "admin"), "/api/v1/projects/churn/delivery/"
    for bad in ({"hour_rate": -1}, {"hour_rate": 1e10}, {"hour_rate": "5"}, {"currency": "eur"}, {"currency": "EURO"}):
        assert admin.put(path, bad, content_type=JSON).status_code == 400, bad
    assert admin.put(path, {"hour_rate": 80, "currency": "EUR"}, content_type=JSON).json()["hour_rate"] == 80


VIENNA = calendars.zone_of("Europe/Vienna")


def test_weeks_begin_at_the_tenants_midnight_though_clocks_are_turned(acme: Tenant) -> None:
    calendars.set_time_zone("Europe/Vienna", by=SYSTEM)
    end = calendars.day_after(datetime(2026, 4, 5, tzinfo=UTC).date(), VIENNA)  # clocks were turned on 29 March
    since = calendars.weeks_before(end, 2, VIENNA)
    assert (since.isoformat(), end.isoformat()) == ("2026-03-23T00:00:00+01:00", "2026-04-06T00:00:00+02:00")
    period = Period(None, since, end, calendars.time_zone())
    assert period.weeks == 2
    last = datetime(2026, 3, 29, 21, 59, tzinfo=UTC)
    of = connected("github").project_id
    rows = [Shipped(str(at), "s", "w", of, "x", at, at) for at in (since, last, last + timedelta(minutes=1))]
    assert team.per_week(period, rows) == [(since, 2), (datetime(2026, 3, 30, tzinfo=VIENNA), 1)]


def test_a_run_and_a_commit_of_sunday_night_are_of_the_tenants_week(acme: Tenant) -> None:
    of = connected("github")
    night = datetime(2026, 5, 10, 22, 30, tzinfo=UTC)  # half past midnight of Monday in Vienna
    home = Experiment.objects.create(name="e", project=of.project, created_ms=1, updated_ms=1)
    Run.objects.create(experiment=home, name="r", status="FINISHED", start_ms=to_ms(night), end_ms=1, last_write_ms=1)
    deliver(of, [github_push(1, night + timedelta(minutes=60))])
    read_all()
    Commit.objects.update(committed_at=night, is_merge=False, is_bot=False)
    asked = ([of.project_id], night - timedelta(days=9), night + timedelta(days=9))
    monday, before = datetime(2026, 5, 11, tzinfo=VIENNA), datetime(2026, 5, 4, tzinfo=UTC)
    assert run_measures.weekly(*asked, "Europe/Vienna") == [(monday, 1)]
    assert run_measures.weekly(*asked) == [(before, 1)]
    assert [(week.at, week.commits) for week in commit_measures.weekly(*asked, "Europe/Vienna")] == [(monday, 2)]
    assert [week.at for week in commit_measures.weekly(*asked)] == [before]


def test_the_zone_is_an_admins_of_the_tenant_to_say(
    acme: Tenant, api: Callable[..., Client], person: Callable[[str], Client]
) -> None:
    path, admin = "/api/v1/time-zone/", api(acme, "admin")
    assert admin.get(path).json() == {"time_zone": "UTC"}
    for bad in ("Europe/Nowhere", "", "localtime", "../etc/passwd", "Europe/Vienna\x00", 5, None):
        assert admin.put(path, {"time_zone": bad}, content_type=JSON).status_code == 400, bad
    assert admin.put(path, {"time_zone": "Asia/Kathmandu"}, content_type=JSON).status_code == 200
    assert api(acme, "contributor").put(path, {"time_zone": "UTC"}, content_type=JSON).status_code == 403
    mine = Project.objects.create(slug="mine", name="Mine")
    within = speaking_as(acme, person_in({mine: "admin"}))
    assert within.put(path, {"time_zone": "UTC"}, content_type=JSON).status_code == 403
    assert "Asia/Kathmandu" in person("viewer").get("/admin/team/").content.decode()
    assert person("contributor").get("/admin/team/time-zone/").status_code == 403
    boss = person("admin")
    assert boss.post("/admin/team/time-zone/", {"time_zone": "Mars/Olympus"}).status_code == 200
    assert boss.post("/admin/team/time-zone/", {"time_zone": "Europe/Vienna"}).status_code == 302
    assert calendars.time_zone() == "Europe/Vienna"
    with pytest.raises(Invalid):
        calendars.set_time_zone("Mars/Olympus", by=SYSTEM)


def test_the_page_ends_with_the_day_that_it_says(acme: Tenant, person: Callable[[str], Client]) -> None:
    asked = person("viewer").get("/admin/team/?until=2026-05-10&weeks=4").context["asked"]
    assert (asked.last_day.isoformat(), asked.period.since.isoformat()) == ("2026-05-10", "2026-04-13T00:00:00+00:00")
    assert "until=2026-05-10" in asked.address()


def test_what_forges_sent_goes_with_a_person_who_is_erased(acme: Tenant) -> None:
    of = connected("github")
    deliver(of, [github_push(1, BEGIN)])
    read_all()
    facts = Commit.objects.count()
    deliver(of, [("push", {"pusher": "ADA@example.org"}), ("push", {"pusher": "somebody else"})])
    person = User.objects.create_user("ada.l", "ada@example.org", "a long password")
    told = erasing.erase(person, SYSTEM, timezone.now())
    assert told["rows"]["tracking_delivery"] == 2  # type: ignore[index]
    (left,) = Delivery.objects.all()
    assert b"somebody else" in zlib.decompress(bytes(left.body))
    assert Commit.objects.count() == facts > 0


@pytest.mark.parametrize(
    ("first", "actual", "times"),
    [(2.0, 3.0, [1.5]), (5e-324, 1.0, []), (0.0, 1.0, []), (None, 1.0, []), (1.0, None, [])],
)
def test_of_next_to_nothing_planned_no_times_are_told(
    first: float | None, actual: float | None, times: list[float]
) -> None:
    """The quotient was infinite, which no picture can hold, and made medians of nothing."""
    rows = [plans.Compared(name, "", first, first, actual) for name in plans.KEYS.values()]
    assert [ratio for _, ratio in plans.ratios(rows)] == 3 * times
