"""Trends: each stretch of a time has its own figure, and together they count what the measure counts."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client

from apps.tenants.models import Tenant
from apps.tracking.delivery import team, trends
from apps.tracking.delivery.catalogue import BY_KEY
from apps.tracking.delivery.git import measures as commit_measures
from apps.tracking.delivery.team import Period
from apps.tracking.models import Project
from apps.tracking.models.measures import FEWEST
from maestro import charts
from tests.factories.forge_payloads import BEGIN, HISTORIES
from tests.tracking.delivery.test_measures import make_runs
from tests.tracking.delivery.test_reading import connected, deliver, read_all

WITHOUT = {"first_registered", "first_serving", "contributors", "concentration", *team.plans.KEYS}
AS_SUMS = {"deployment_frequency", "run_throughput", *commit_measures.KEYS}


@pytest.fixture
def project(acme: Tenant) -> Project:
    """Seven weeks of a repository, and runs beside it."""
    of = connected("github")
    deliver(of, HISTORIES["github"](49))
    read_all()
    make_runs(of.project)
    return of.project


@pytest.mark.parametrize("weeks", [9, 53])
def test_the_stretches_of_a_measure_count_what_it_counts(project: Project, weeks: int) -> None:
    period = Period([project.pk], BEGIN - timedelta(days=1), BEGIN - timedelta(days=1) + timedelta(weeks=weeks))
    found, whole = trends.trends(period), team.measures(period)
    assert set(found) == set(BY_KEY) - WITHOUT
    stretches = 9 if weeks == 9 else 14
    for key, points in found.items():
        assert [len(points), points[0].at.date()] == [stretches, period.since.date()], key
        assert all(point.value is None or point.n >= FEWEST for point in points), key
        if key not in AS_SUMS:
            assert sum(point.n for point in points) == whole[key].n, key
    one = Period([project.pk], period.since, period.since + timedelta(weeks=1 if weeks == 9 else 4))
    first = team.measures(one)
    for key in ("pull_merge_time", "pull_size", "pipeline_duration", "pipeline_queue"):
        assert found[key][0].value == (first[key].median if first[key].n >= FEWEST else None), key
    for key in ("pipeline_success", "run_success", "run_waste", "run_reproducible"):
        assert found[key][0].value == pytest.approx(first[key].value if first[key].n >= FEWEST else None), key
    rates = [point.value or 0 for point in found["deployment_frequency"]]
    assert sum(rates) * (1 if weeks == 9 else 4) == pytest.approx(whole["deployment_frequency"].n)


def test_a_tile_shows_its_trend_with_a_table_beside_it(project: Project, person: Callable[[str], Client]) -> None:
    until = (BEGIN + timedelta(days=60)).date().isoformat()
    page = person("viewer").get(f"/admin/team/?project={project.pk}&until={until}").content.decode()
    assert 'data-chart="pipeline_duration"' in page
    assert 'id="pipeline_duration-twin"' in page
    assert 'data-chart="first_serving"' not in page


def test_a_trend_tells_gaps_as_gaps() -> None:
    made = charts.trend(
        "Waste", "share", [("2026-05-04", 0.5, 9), ("2026-05-11", None, 2), ("2026-05-18", float("nan"), 7)]
    )
    assert made.options["series"][0]["data"] == [0.5, None, None]
    assert made.columns == ("From", "share", "Of how many")
    assert charts.trend("Waste", "", []).summary == "Waste: too few things in each stretch."
