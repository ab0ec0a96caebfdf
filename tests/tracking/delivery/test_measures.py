"""Measures: by hand on small truths, and each by the rows that stand behind it."""

import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from apps.tenants.models import Tenant
from apps.tracking.delivery import failures, lead_times, team
from apps.tracking.delivery.catalogue import BY_KEY, DEFINITIONS
from apps.tracking.delivery.shipped import Shipped, of_forge
from apps.tracking.delivery.team import Period
from apps.tracking.models import Connection, Dataset, Deployment, Experiment, Pipeline, Project, Run, RunInput, Tag
from apps.tracking.models.measures import Measure, share, spread
from maestro.clock import to_ms
from tests.factories.forge_payloads import BEGIN, HISTORIES, github_deployment, github_push
from tests.tracking.delivery.test_reading import connected, deliver, read_all

UNTIL = BEGIN + timedelta(days=60)


@pytest.fixture
def told(acme: Tenant) -> Period:
    """Seven weeks of a repository on GitHub, and runs beside it."""
    of = connected("github")
    deliver(of, HISTORIES["github"](49))
    read_all()
    make_runs(of.project)
    return Period([of.project_id], BEGIN - timedelta(days=1), UNTIL)


def make_runs(project: Project) -> None:
    """Forty runs, an hour each: every fourth failed or was lost; half of them tell commit and data, some a dirty tree."""
    home = Experiment.objects.create(name=f"e of {project.slug}", project=project, created_ms=1, updated_ms=1)
    data = Dataset.objects.create(experiment=home, name="d", digest="0a")
    states = ("FINISHED", "FINISHED", "FINISHED", "FAILED", "FINISHED", "FINISHED", "KILLED", "LOST")
    for number in range(40):
        start = to_ms(BEGIN + timedelta(days=number))
        state = states[number % 8]
        end = None if state == "LOST" else start + 3_600_000
        run = Run.objects.create(
            experiment=home,
            name=f"r{number}",
            status=state,
            start_ms=start,
            end_ms=end,
            last_write_ms=start + 3_600_000,
        )
        if number % 2 == 0:
            Tag.objects.create(run=run, key="mlflow.source.git.commit", value="b" * 40)
            RunInput.objects.create(run=run, dataset=data)
        if number % 8 == 0:
            Tag.objects.create(run=run, key="mlflow.source.git.dirty", value="True")


def deployed(of: Connection, number: int, at: datetime, sha: str, **facts: object) -> Shipped:
    """A good deployment to production, or with `deployed_at=None` a bad one."""
    plain = {"environment": "production", "is_production": True, "state": "success", "is_hotfix": False}
    plain |= {"is_rollback": False, "started_at": at - timedelta(minutes=5), "deployed_at": at, "failed_at": None}
    row = Deployment(id=uuid.uuid4(), connection=of, number=str(number), sha=sha, **(plain | facts))  # type: ignore[arg-type]
    return of_forge(row, of.project_id)


def test_a_mend_says_that_the_deployment_before_it_failed(acme: Tenant) -> None:
    of, day = connected("github"), timedelta(days=1)
    rows = [
        deployed(of, 1, BEGIN, "a"),
        deployed(of, 2, BEGIN + day, "b"),
        deployed(of, 3, BEGIN + 2 * day, "a"),  # back to what was there: 2 failed
        deployed(of, 4, BEGIN + 3 * day, "c"),
        deployed(of, 5, BEGIN + 20 * day, "d", is_hotfix=True),  # too late to say anything of 4
        deployed(of, 6, BEGIN + 21 * day, "e", deployed_at=None, failed_at=BEGIN + 21 * day),
        deployed(of, 7, BEGIN + 22 * day, "f"),
        deployed(of, 8, BEGIN + 29 * day, "g"),
        deployed(of, 9, BEGIN + 30 * day, "h", deployed_at=None, failed_at=BEGIN + 30 * day),
    ]
    found = failures.judge(rows, BEGIN + 33 * day)
    assert [row.what for row in found.failed] == ["production 2"]
    assert [row.what for row in found.mends] == ["production 3", "production 5"]
    assert [row.what for row in found.young] == ["production 8"]
    assert len(found.good) == 7
    starts = [(span.start, span.end) for span in found.spans]
    assert starts[0] == (rows[1].started_at, rows[2].deployed_at)
    assert starts[1] == (rows[5].started_at, rows[6].deployed_at)
    assert starts[2] == (rows[8].started_at, None)


def test_environments_and_connections_are_judged_apart(acme: Tenant) -> None:
    of, other, day = connected("github"), connected("github"), timedelta(days=1)
    rows = [
        deployed(of, 1, BEGIN, "a", environment="production-eu"),
        deployed(of, 2, BEGIN + day, "b", environment="production-us"),
        deployed(other, 3, BEGIN + 2 * day, "a", is_rollback=True, environment="production-eu"),
        deployed(of, 4, BEGIN + 3 * day, "a", environment="production-us"),
    ]
    found = failures.judge(rows, BEGIN + 30 * day)
    assert found.failed == []
    assert [row.what for row in found.mends] == ["production-eu 3"]


def test_each_commit_counts_in_the_first_deployment_that_holds_it(acme: Tenant) -> None:
    """Three pushes of two commits (60 and 30 minutes before); deployments of the first and the third."""
    of = connected("github")
    pushes = [github_push(number, BEGIN + timedelta(days=number)) for number in (1, 2, 3)]
    deployments = [one for number in (1, 3) for one in github_deployment(number, BEGIN + timedelta(days=number))]
    deliver(of, [*pushes, *deployments])
    read_all()
    found = lead_times.leads([of.project_id], BEGIN, UNTIL)
    # The first deployment is where counting begins; merges are left out: (number + place) % 3 == 1.
    expected = {(2, 0): 24 + 4 + 4 / 60 + 1, (2, 1): 24 + 4 + 4 / 60 + 0.5, (3, 0): 4 + 4 / 60 + 1}
    assert sorted(one.seconds for one in found) == pytest.approx(sorted(hours * 3600 for hours in expected.values()))
    assert lead_times.leads([], BEGIN, UNTIL) == []
    assert len(lead_times.leads(None, BEGIN, UNTIL)) == 3
    # A deployment of the same commit again holds nothing new.
    assert lead_times.leads([of.project_id], BEGIN + timedelta(days=10), UNTIL) == []


def test_the_measures_of_a_history_are_those_that_it_was_made_with(told: Period) -> None:
    found = team.measures(told)
    assert set(found) == set(BY_KEY)
    people = [number for number in range(1, 50) if number % 3 != 2]  # the third is a bot
    merged = [number for number in people if number % 5]
    hours = [(number % 30) * 3600.0 for number in merged]
    assert found["pull_merge_time"] == spread(hours)
    assert found["pull_size"] == spread([11.0 * number for number in merged])
    assert found["deployment_frequency"].n == 49 - 49 // 6
    assert found["pipeline_duration"].n == 49 + 49 // 4
    assert found["pipeline_success"] == share(49, 49 + 49 // 4)
    assert found["pipeline_flakiness"] == share(12, 12)
    assert found["run_success"] == share(25, 35)
    assert found["run_waste"] == Measure(35, 10 / 35)
    # Even ones, without those that say that their tree was dirty (0, 8, …) and the stopped (6, 14, …).
    assert found["run_reproducible"] == share(10, 35)


SHARES = (
    "change_fail_rate",
    "rework_rate",
    "pipeline_success",
    "pipeline_flakiness",
    "run_success",
    "run_reproducible",
)
SPREADS = (
    "change_lead_time",
    "pull_merge_time",
    "pull_first_review",
    "pull_size",
    "pipeline_duration",
    "pipeline_queue",
)


def test_the_rows_behind_a_measure_make_it(told: Period) -> None:
    found = team.measures(told)
    for key in (*SHARES, *SPREADS):
        measure, rows = found[key], team.lines(told, key)
        values = [row.value for row in rows if row.value is not None]
        assert measure.n == len(values) > 4, key
        if key in SHARES:
            assert measure.value == pytest.approx(sum(values) / len(values)), key
        else:
            expected = spread(values)
            assert (measure.median, measure.p90) == pytest.approx((expected.median, expected.p90)), key
    check_the_rest(told, found)


def check_the_rest(told: Period, found: dict[str, Measure]) -> None:
    """Measures that are more than a share or a spread of their rows."""
    weeks = [row.value or 0 for row in team.lines(told, "deployment_frequency")]
    assert sum(weeks) == found["deployment_frequency"].n
    assert found["deployment_frequency"].median == spread(weeks).median
    assert found["recovery_time"].n == len(team.lines(told, "recovery_time")) > 4
    assert found["run_throughput"] == spread([row.value or 0 for row in team.lines(told, "run_throughput")])
    hours = {row.what: (row.value or 0, row.note) for row in team.lines(told, "run_waste")}
    wasted = sum(value for value, note in hours.values() if note in ("failed", "lost"))
    assert found["run_waste"].value == pytest.approx(wasted / sum(value for value, _ in hours.values()))


def test_another_project_and_another_time_have_their_own(told: Period) -> None:
    # Those who commit are counted over four weeks, whatever the period.
    later = Period(told.projects, UNTIL + timedelta(days=28), UNTIL + timedelta(days=35))
    other = Project.objects.create(slug="other", name="Other")
    for period in (Period([other.pk], told.since, told.until), later):
        found = team.measures(period)
        assert {key: measure.n for key, measure in found.items() if measure.n} == {}
    everything = team.measures(Period(None, told.since, told.until))
    assert everything == team.measures(told)


def test_of_too_few_nothing_is_told_but_how_many(acme: Tenant) -> None:
    assert Measure(4, 0.5, 1.0, 2.0, open_n=3).told() == Measure(4, open_n=3)
    assert Measure(5, 0.5).told() == Measure(5, 0.5)


def test_a_passed_retry_makes_a_flaky_commit_and_a_failed_one_does_not(acme: Tenant) -> None:
    of = connected("github")

    def ran(number: int, state: str, sha: str, minutes: int) -> None:
        at = BEGIN + timedelta(minutes=minutes)
        common = {"connection": of, "as_of": at, "rank": 2, "digest": "", "level": "pipeline", "name": "CI"}
        times = {"created_at": at, "started_at": at, "finished_at": at}
        key = f"{sha}{number}".encode().hex().rjust(32, "0")[:32]
        Pipeline.objects.create(id=key, number=str(number), attempt=1, sha=sha, state=state, **common, **times)

    for number, (state, sha) in enumerate(
        [("failure", "a"), ("success", "a"), ("failure", "b"), ("failure", "b"), ("failure", "c"), ("success", "d")]
    ):
        ran(number, state, sha, number)
    rows = Pipeline.objects.ended(BEGIN, UNTIL)
    assert rows.flakiness() == share(1, 2)


def test_the_page_explains_each_measure() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "process.md").read_text()
    rows = [line.split("|")[1].strip() for line in page.splitlines() if line.startswith("| ")]
    assert [one.title for one in DEFINITIONS if one.title not in rows] == []
    assert set(team.ROWS) == set(BY_KEY)


def test_each_kind_of_figure_is_told_with_its_number(told: Period) -> None:
    checks: dict[str, Callable[[Measure], bool]] = {
        "deployment_frequency": lambda one: one.value is not None and one.median is not None,
        "recovery_time": lambda one: one.median is not None and one.low is not None,
        "pull_first_review": lambda one: one.median is not None and one.p90 is not None,
        "pipeline_queue": lambda one: one.median is not None,
    }
    found = team.measures(told)
    assert [key for key, check in checks.items() if not check(found[key])] == []
