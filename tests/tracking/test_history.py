"""A metric's points: pages, samples and curves."""

import math
from typing import Any

import pytest

from apps.tracking import folding, history
from apps.tracking.batches import run_uuid
from apps.tracking.models import Run
from maestro.clock import now_ms
from tests.tracking.door import Door


@pytest.fixture
def run(door: Door) -> str:
    """A run of 3,000 points, some of them sent twice, that begin with a spike and a NaN."""
    run = door.run()
    points = [{"key": "a", "value": math.sin(s / 50), "timestamp": 1000 + s // 3, "step": s} for s in range(3000)]
    points[7]["value"], points[8]["value"] = 99.0, "NaN"
    for start in (2000, 0, 1000, 0):
        door.post("runs/log-batch", {"run_id": run, "metrics": points[start : start + 1000]})
    return run


@pytest.mark.parametrize("folded", [False, True])
@pytest.mark.parametrize("size", [1, 700, 1000, 2999, 3000, 50_000])
def test_pages_of_any_size_hold_every_point_once(door: Door, run: str, size: int, folded: bool) -> None:
    if folded:
        folding.fold_quiet(now_ms() + 60_000)
    whole = door.points(run, "a")
    assert [step for _, step, _ in whole] == list(range(3000))
    found: list[Any] = []
    place: history.Place | None = None
    while len(found) < min(3000, size * 5):
        points, place = history.page(run_uuid(run), "a", after=place, most=size)
        found += points.steps
        if place is None:
            break
    assert found == list(range(len(found)))
    assert len(found) == min(3000, max(size * 5, size))


def test_a_sample_has_both_ends_and_keeps_to_its_interval(door: Door, run: str) -> None:
    query = {"run_ids": run, "metric_key": "a", "max_results": 10}
    steps = [row["step"] for row in door.get("metrics/get-history-bulk-interval", **query)["metrics"]]
    assert (steps[0], steps[-1], len(steps)) == (0, 2999, 10)
    inside = door.get("metrics/get-history-bulk-interval", **query, start_step=100, end_step=104)["metrics"]
    assert [row["step"] for row in inside] == [100, 101, 102, 103, 104]
    assert {row["run_id"] for row in inside} == {run}


@pytest.mark.parametrize(
    "wrong", [{"start_step": 1}, {"start_step": 5, "end_step": 1}, {"max_results": 2501}, {"max_results": 0}]
)
def test_a_bad_interval_is_refused(door: Door, run: str, wrong: dict[str, int]) -> None:
    status, answer = door.look("metrics/get-history-bulk-interval", run_ids=run, metric_key="a", **wrong)
    assert (status, answer["error_code"]) == (400, "INVALID_PARAMETER_VALUE")


def test_a_curve_keeps_the_extremes_and_stays_short(run: str) -> None:
    points = history.curve(run_uuid(run), "a", most=100)
    assert len(points) <= 100
    assert max(points.values) == 99.0
    assert min(points.values) < -0.999
    assert list(points.steps) == sorted(points.steps)
    assert not any(map(math.isnan, points.values))


def test_a_metric_that_was_never_logged_has_no_points(door: Door, run: str) -> None:
    assert door.get("metrics/get-history", run_id=run, metric_key="never") == {}


@pytest.mark.parametrize("wrong", [{"max_results": 0}, {"max_results": "x"}, {"page_token": "x"}, {"metric_key": ""}])
def test_a_bad_page_is_refused(door: Door, run: str, wrong: dict[str, Any]) -> None:
    status, answer = door.look("metrics/get-history", **({"run_id": run, "metric_key": "a"} | wrong))
    assert (status, answer["error_code"]) == (400, "INVALID_PARAMETER_VALUE")


def test_runs_are_listed_with_a_latest_value(door: Door, run: str) -> None:
    door.run()
    assert sorted(Run.objects.with_latest("a").values_list("latest_value", flat=True), key=str) == [
        pytest.approx(math.sin(2999 / 50)),
        None,
    ]
