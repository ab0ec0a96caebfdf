"""Odd tenants: a refusal or a number, never an exception and never NaN in an answer."""

import json
import random
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from apps.recommendations.models import Training
from apps.recommendations.training import run
from apps.recommendations.work import leases
from apps.tenants.models import Tenant
from apps.tracking.models import LatestMetric, Project
from tests.factories.learning import Past, make_past


def same_success(past: Past) -> None:
    Project.objects.update(success=50)


def wild_facts(past: Past) -> None:
    draw = random.Random(5)  # noqa: S311
    wild: list[Any] = [
        10**300,
        -1e-300,
        "",
        "ünï\u2028",
        "{",
        '{"a": [1]}',
        True,
        None,
        [1, 2],
        {"deep": {"er": 1}},
        "9" * 90,
    ]
    for one in past.projects:
        facts = {f"fact {k}": draw.choice(wild) for k in range(8)}
        Project.objects.filter(pk=one.pk).update(dataset_facts=facts)


def facts_that_are_no_object(past: Past) -> None:
    Project.objects.update(dataset_facts=[1, 2, 3])


def many_facts(past: Past) -> None:
    for k, one in enumerate(past.projects):
        Project.objects.filter(pk=one.pk).update(dataset_facts={f"only here {k} {j}": j for j in range(80)})


def metrics_without_number(past: Past) -> None:
    wild = [float("nan"), float("inf"), float("-inf"), 1e308, -1e308, 0.0]
    for k, row in enumerate(LatestMetric.objects.order_by("run_id")):
        LatestMetric.objects.filter(run_id=row.run_id, key_id=row.key_id).update(value=wild[k % len(wild)])


def one_team(past: Past) -> None:
    Project.objects.update(team="all of us")


def nothing_but_outcomes(past: Past) -> None:
    Project.objects.update(
        complexity=None, team_size=None, dataset_facts={}, starts_at=None, ends_at=None, planned_duration_days=None
    )


def tiny_and_huge_durations(past: Past) -> None:
    for k, one in enumerate(past.projects):
        Project.objects.filter(pk=one.pk).update(actual_duration_days=10.0 ** (k % 30 - 15), planned_duration_days=0)


def one_goal_for_all_directions(past: Past) -> None:
    Project.objects.filter(slug__endswith="1").update(goal_maximize=False)


SPOILERS: list[Callable[[Past], None]] = [
    same_success,
    wild_facts,
    facts_that_are_no_object,
    many_facts,
    metrics_without_number,
    one_team,
    nothing_but_outcomes,
    tiny_and_huge_durations,
    one_goal_for_all_directions,
]


@pytest.mark.parametrize("spoil", SPOILERS, ids=lambda one: one.__name__)
def test_odd_data_end_in_a_refusal_or_a_number(
    acme: Tenant, api: Callable[..., Client], spoil: Callable[..., Any]
) -> None:
    past = make_past(105, artifacts=3, runs=5)
    open_one = Project.objects.create(slug="open", name="Open")
    spoil(past)
    asked, _ = leases.ask(why="asked", force=True)
    leases.take(asked.pk, "test")
    run.run(Training.objects.get(pk=asked.pk), "test")
    client = api(acme, "viewer")
    paths = ["impact/?unit=project", "impact/?unit=run", "trainings/", "calibration/"]
    paths += [f"projects/{open_one.pk}/advice/", f"projects/{open_one.pk}/forecasts/"]
    for path in paths:
        answer = client.get(f"/api/v1/{path}")
        assert answer.status_code == 200, path
        json.loads(answer.content, parse_constant=refuse)


def refuse(token: str) -> None:
    raise AssertionError(f"{token} came out of the API")
