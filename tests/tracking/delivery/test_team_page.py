"""The Team page: who sees what of whom, the rows behind each tile, and what it costs."""

import csv
import io
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client

from apps.tenants.models import Tenant
from apps.tracking import plans
from apps.tracking.delivery import first_models
from apps.tracking.delivery.catalogue import BY_KEY, DEFINITIONS
from apps.tracking.delivery.git import measures
from apps.tracking.models import Project, PullRequest
from tests.factories.forge_payloads import BEGIN, HISTORIES
from tests.factories.two_projects import person_in
from tests.tracking.admin.test_page_costs import counted, signed_in
from tests.tracking.delivery.test_measures import make_runs
from tests.tracking.delivery.test_reading import connected, deliver, read_all

MAX_QUERIES, MAX_HTML_BYTES = 60, 150_000
FEW = (*first_models.KEYS, *plans.KEYS, *measures.KEYS)  # of which this project has one, or none
UNTIL = (BEGIN + timedelta(days=60)).date().isoformat()


@pytest.fixture
def project(acme: Tenant) -> Project:
    """Seven weeks of a repository, and runs beside it."""
    of = connected("github")
    deliver(of, HISTORIES["github"](35))
    read_all()
    make_runs(of.project)
    return of.project


def address(project: Project | None, **fields: object) -> str:
    """The page over the weeks of the history."""
    named = {"until": UNTIL, "weeks": 13} | ({"project": project.pk} if project else {}) | fields
    return "/admin/team/?" + "&".join(f"{name}={value}" for name, value in named.items())


def test_a_viewer_sees_each_measure_with_its_number(project: Project, person: Callable[[str], Client]) -> None:
    page = person("viewer").get(address(project)).content.decode()
    for one in DEFINITIONS:
        assert one.title in page
        assert one.never.replace("'", "&#x27;") in page
    assert page.count("n = ") == len(DEFINITIONS)
    assert "Connections" not in page
    assert "95 % interval of the median" in page
    assert len(page) < MAX_HTML_BYTES


def test_the_rows_behind_a_tile_are_on_the_page_and_in_the_file(
    project: Project, person: Callable[[str], Client]
) -> None:
    browser = person("viewer")
    for key in ("pull_merge_time", "pull_first_review", "pull_size"):
        page = browser.get(address(project, measure=key)).content.decode()
        assert "Fewer than four people" in page
        assert "#7" not in page
        assert browser.get(address(project, measure=key, format="csv")).headers["Content-Type"].startswith("text/html")
    for number, row in enumerate(PullRequest.objects.order_by("pk")):
        row.author = f"somebody-{number % 4}"
        row.save(update_fields=["author"])
    for key in BY_KEY:
        shown = browser.get(address(project, measure=key))
        told = browser.get(address(project, measure=key, format="csv")).content.decode()
        rows = list(csv.reader(io.StringIO(told)))
        assert rows[0] == ["what", "at", "value", "unit", "note"]
        assert len(rows) > 5 or key in FEW, key
        assert len(shown.context["lines"]) == min(len(rows) - 1, 200)


def test_somebody_of_another_project_sees_nothing_of_this_one(project: Project) -> None:
    mine = Project.objects.create(slug="mine", name="Mine")
    browser = signed_in(person_in({mine: "viewer"}))
    assert browser.get(address(project)).status_code == 404
    page = browser.get(address(None)).content.decode()
    assert "Nothing to measure in this time" in page
    assert str(project.pk) not in page
    assert str(mine.pk) in page
    own = signed_in(person_in({project: "viewer"}, name="insider"))
    assert "Nothing to measure" not in own.get(address(None)).content.decode()


def test_who_has_no_role_is_sent_away(acme: Tenant, person: Callable[[str], Client]) -> None:
    assert person("nobody").get(address(None)).status_code == 403


ODD = {
    "project=nonsense": 404,
    "project=01000000-0000-7000-8000-000000000000": 404,
    "measure=nonsense": 404,
    "weeks=nonsense&until=nonsense": 200,
    "weeks=99999999999999999999&until=9999-12-31": 200,
    "until=0001-01-01": 200,
    "measure=run_waste&format=csv&until=1999-01-01": 200,
    "measure=%00": 400,
}


def test_an_odd_address_is_answered(acme: Tenant, person: Callable[[str], Client]) -> None:
    browser = person("viewer")
    assert {query: browser.get(f"/admin/team/?{query}").status_code for query in ODD} == ODD


def test_the_page_asks_little(
    project: Project, person: Callable[[str], Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = person("viewer")
    browser.get(address(project))
    with counted(monkeypatch) as asked:
        browser.get(address(project))
    assert len(asked) <= MAX_QUERIES, "\n".join(asked)
