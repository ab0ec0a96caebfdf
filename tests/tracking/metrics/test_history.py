"""A metric's points: pages, samples and curves."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.tracking.metrics import history, sampling
from apps.tracking.metrics import points as columns
from apps.tracking.metrics.points import Points
from apps.tracking.mlflow.batches import run_uuid
from apps.tracking.models import MetricChunk
from apps.tracking.runs import folding
from maestro.clock import now_ms
from tests.factories.door import Door


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
        found += points.steps.tolist()
        if place is None:
            break
    assert found == list(range(len(found)))
    assert len(found) == min(3000, max(size * 5, size))


@pytest.mark.parametrize("stride", [1, 2])
def test_a_page_that_begins_where_a_chunk_ends_is_read_once(
    door: Door, stride: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = door.run()
    for start in range(0, 12_000, 1000):
        points = [{"key": "a", "value": i, "timestamp": i, "step": i * stride} for i in range(start, start + 1000)]
        door.post("runs/log-batch", {"run_id": run, "metrics": points})
    reads: list[int] = []
    execute = history.execute

    def counted(sql: str, params: dict[str, Any]) -> list[tuple[Any, ...]]:
        reads.append(1)
        return execute(sql, params)

    monkeypatch.setattr(history, "execute", counted)
    place: history.Place | None = (3999, 3999 * stride, 3999.0)
    points_read, place = history.page(run_uuid(run), "a", after=place, most=4000)
    assert points_read.steps.tolist() == [i * stride for i in range(4000, 8000)]
    assert place == (7999, 7999 * stride, 7999.0)
    assert len(reads) == 1


@pytest.mark.parametrize(
    "steps", [[0, 0, 1], [0, 0, 2], [5, 4, 3], [-(2**63), 0, 2**63 - 1], [2**63 - 3, 2**63 - 2, 2**63 - 1]]
)
def test_steps_with_repeats_gaps_or_at_the_ends_of_their_range_come_back(door: Door, steps: list[int]) -> None:
    run = door.run()
    many = [{"key": "a", "value": i, "timestamp": i // 100, "step": steps[i % 3]} for i in range(600)]
    door.post("runs/log-batch", {"run_id": run, "metrics": many})
    folding.fold_quiet(now_ms() + 60_000)
    found = [row["value"] for row in door.get("metrics/get-history", run_id=run, metric_key="a")["metrics"]]
    assert sorted(found) == list(range(600))
    told = {row["value"]: row["step"] for row in door.get("metrics/get-history", run_id=run, metric_key="a")["metrics"]}
    assert told == {float(i): steps[i % 3] for i in range(600)}


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
    points = history.curves([run_uuid(run)], ["a"], most=100)[run_uuid(run), "a"]
    assert len(points) <= 100
    assert max(points.values) == 99.0
    assert min(points.values) < -0.999
    assert list(points.steps) == sorted(points.steps)
    assert not any(map(math.isnan, points.values))


def test_curves_of_long_series_are_read_from_outlines(door: Door, run: str) -> None:
    short = [{"key": "b", "value": 1.0, "timestamp": 1, "step": step} for step in (3, 1, 2)]
    door.post("runs/log-batch", {"run_id": run, "metrics": short})
    folding.fold_quiet(now_ms() + 60_000)
    MetricChunk.objects.update(values=[])  # what is read from outlines never looks at these
    found = history.series([run_uuid(run)], ["a", "b", "never"], exact=2000)
    assert {key for _, key in found} == {"a", "b"}
    points = found[run_uuid(run), "a"]
    assert 2 * 3000 / 50 - 2 <= len(points) <= 2 * 3000 / 50
    assert (max(points.values), points.steps.tolist()) == (99.0, sorted(points.steps.tolist()))
    assert found[run_uuid(run), "b"].steps.tolist() == [1, 2, 3]


@pytest.mark.parametrize("case", ["lined up", "unfolded", "crossing"])
@pytest.mark.parametrize("interval", [(), (-5, 4000), (0, 0), (999, 1000), (7, 2998), (5000, 6000), (1500, 1500)])
def test_a_sample_is_even_whatever_lies_behind_it(door: Door, case: str, interval: tuple[int, ...]) -> None:
    run = door.run()
    logged: list[dict[str, Any]] = [
        {"key": "a", "value": s / 2, "timestamp": 5 * s, "step": s} for s in range(3000) if s != 1500
    ]
    slices = (
        [slice(at, None, 3) for at in range(3)]
        if case == "crossing"
        else [slice(a, a + 750) for a in (750, 0, 1500, 2250)]
    )
    for part in slices:
        door.post("runs/log-batch", {"run_id": run, "metrics": logged[part]})
    if case == "lined up":
        folding.fold_quiet(now_ms() + 60_000)
    first, last = interval or (0, 3000)
    wanted = [point["step"] for point in logged if first <= point["step"] <= last]
    edges = dict(zip(("first_step", "last_step"), interval, strict=False))
    found = sampling.sample(run_uuid(run), "a", most=64, **edges)
    if len(wanted) <= 64:
        assert found.steps.tolist() == wanted
    else:
        firsts = [part[0] for part in np.array_split(np.array(wanted), 64)]
        assert found.steps.tolist() == [*firsts[:-1], wanted[-1]]
    assert found.values.tolist() == [step / 2 for step in found.steps.tolist()]
    assert found.times.tolist() == [step * 5 for step in found.steps.tolist()]
    assert (sampling.line_of(run_uuid(run), "a") is None) == (case == "crossing")


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=200)
@given(
    st.lists(st.tuples(st.integers(-3, 3), st.integers(0, 3), st.sampled_from([0.0, -0.0, 1.5, math.nan, math.inf]))),
    st.integers(1, 9),
)
def test_points_are_put_in_order_once_each(rows: list[tuple[int, int, float]], most: int) -> None:
    steps, times, values = zip(*rows, strict=True) if rows else ((), (), ())
    given_points = Points(np.array(steps, "i8"), np.array(times, "i8"), np.array(values, "f8"))
    found = columns.ordered(given_points)
    names = [(t, s, math.isnan(v), 0.0 if math.isnan(v) else v) for s, t, v in rows]
    shown = zip(found.times.tolist(), found.steps.tolist(), found.values.tolist(), strict=True)
    assert [(t, s, math.isnan(v), 0.0 if math.isnan(v) else v) for t, s, v in shown] == sorted(set(names))
    drawn = columns.thinned(columns.finite(columns.by_step(given_points)), most)
    finite = [v for _, _, v in rows if math.isfinite(v)]
    assert len(drawn) <= most
    assert not finite or most < 2 or {max(finite), min(finite)} <= set(drawn.values.tolist())


def test_a_metric_that_was_never_logged_has_no_points(door: Door, run: str) -> None:
    assert door.get("metrics/get-history", run_id=run, metric_key="never") == {}


@pytest.mark.parametrize("wrong", [{"max_results": 0}, {"max_results": "x"}, {"page_token": "x"}, {"metric_key": ""}])
def test_a_bad_page_is_refused(door: Door, run: str, wrong: dict[str, Any]) -> None:
    status, answer = door.look("metrics/get-history", **({"run_id": run, "metric_key": "a"} | wrong))
    assert (status, answer["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
