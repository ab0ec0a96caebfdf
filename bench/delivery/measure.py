"""What the Team page and the intake of deliveries cost, by the clock and in CPU of this process.

python -m bench.delivery.measure --tenant bench [--rounds 3]
"""

import argparse
import os
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import django
import orjson

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()

from django.db import connection as plain
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_tenants.utils import schema_context

from apps.tenants.models import Tenant
from apps.tracking.delivery import connections, intake, team, trends
from apps.tracking.delivery.team import Period
from apps.tracking.models import Project
from maestro.principals import Actor
from tests.factories.forge_payloads import BEGIN, github_push
from tests.factories.forges import github

BODY_COMMITS, WEEKS = 3, 260


def timed(what: Callable[[], object]) -> tuple[float, float]:
    """Milliseconds by the clock, and of this process' CPU."""
    clock, cpu = time.perf_counter(), time.process_time()
    what()
    return (time.perf_counter() - clock) * 1e3, (time.process_time() - cpu) * 1e3


def page(projects: Any, weeks: int) -> list[tuple[str, float, float]]:
    """The parts of the Team page: figures and trends."""
    until = timezone.now()
    period = Period(projects, until - timedelta(weeks=weeks), until)
    found = [("figures", *timed(lambda: team.measures(period)))]
    return [*found, ("trends", *timed(lambda: trends.trends(period)))]


def slowest(weeks: int, most: int = 6) -> list[tuple[str, str]]:
    """The statements that took longest for the figures of everything."""
    until = timezone.now()
    with CaptureQueriesContext(plain) as asked:
        team.measures(Period(None, until - timedelta(weeks=weeks), until))
    ordered = sorted(asked.captured_queries, key=lambda one: -float(one["time"]))
    return [(one["time"], one["sql"][:160]) for one in ordered[:most]]


def taken(many: int) -> tuple[float, float]:
    """Milliseconds to verify and keep a delivery, without HTTP: by the clock and in CPU."""
    project = Project.objects.create(slug=f"bench-intake-{time.time_ns()}", name="Intake")
    made = connections.make(project, "github", "intake", by=Actor("bench"))
    body = orjson.dumps(github_push(1, BEGIN, BODY_COMMITS)[1])
    sent = [github(made.secret, body, "push", f"n{number}") for number in range(many)]

    def take() -> None:
        for headers in sent:
            intake.take(made.connection, headers, body, timezone.now())

    clock, cpu = timed(take)
    project.delete()
    return clock / many, cpu / many


def measure(rounds: int) -> None:
    """Print a line a figure."""
    for number in range(rounds):
        print("intake of one, ms, CPU ms", taken(500))
        for weeks in (13, WEEKS):
            print(number, "all projects", weeks, page(None, weeks))
        one = Project.objects.filter(slug__startswith="bench-").values_list("pk", flat=True)[:1]
        print(number, "one project", WEEKS, page(list(one), WEEKS))
    for seconds, statement in slowest(WEEKS):
        print(seconds, statement)


def main() -> None:
    """Measure a tenant."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tenant", required=True)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with schema_context(Tenant.objects.get(slug=options.tenant).schema_name):
        measure(options.rounds)


if __name__ == "__main__":
    main()
