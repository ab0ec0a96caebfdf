"""log-batch against a plain Python model of what it means, and what it refuses."""

import json
import math
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.tracking.models import LatestMetric, MetricChunk, MetricKey, MetricPoint, Param, Tag
from tests.factories.door import Door

NAMES = st.sampled_from(["a", "b/c", "d e", "Ω", "x.y-z:1"])
VALUES = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([math.nan, math.inf, -math.inf, 0.0, 1e308, 5e-324]),
)
POINTS = st.tuples(NAMES, VALUES, st.integers(0, 50), st.integers(-(2**63), 2**63 - 1) | st.integers(0, 3))
TEXTS = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\x00"), max_size=20)
BATCHES = st.lists(
    st.tuples(
        st.lists(POINTS, max_size=30),
        st.dictionaries(NAMES, TEXTS, max_size=3),
        st.lists(st.tuples(NAMES, TEXTS), max_size=4),
    ),
    max_size=4,
)


def spell(value: float) -> Any:
    """Write a double as the client does."""
    if math.isnan(value):
        return "NaN"
    return value if math.isfinite(value) else ("Infinity" if value > 0 else "-Infinity")


def rank(point: tuple[int, int, float]) -> tuple[int, int, bool, float]:
    """Order (step, timestamp, value); NaN is beyond numbers."""
    step, time, value = point
    return (step, time, math.isnan(value), 0.0 if math.isnan(value) else value)


class Model:
    """What a run holds, in plain Python."""

    def __init__(self) -> None:
        self.points: dict[str, dict[tuple[Any, ...], tuple[int, int, float]]] = {}
        self.params: dict[str, str] = {}
        self.tags: dict[str, str] = {}

    def accepts(self, params: dict[str, str]) -> bool:
        """Say whether no param would change."""
        return all(self.params.get(key, value) == value for key, value in params.items())

    def add(self, points: list[Any], params: dict[str, str], tags: list[tuple[str, str]]) -> None:
        """Store a batch."""
        for name, value, time, step in points:
            self.points.setdefault(name, {})[rank((step, time, value))] = (step, time, value)
        self.params |= params
        self.tags |= dict(tags)

    def latest(self) -> dict[str, Any]:
        """Show the latest values."""
        return {name: spell(points[max(points)][2]) for name, points in self.points.items()}

    def history(self, name: str) -> list[tuple[int, int, Any]]:
        """Show a metric's points in MLflow's order."""
        points = self.points[name].values()
        ordered = sorted(points, key=lambda p: (p[1], p[0], *rank(p)[2:]))
        return [(time, step, spell(value)) for step, time, value in ordered]


def body_of(run: str, batch: Any) -> dict[str, Any]:
    """Write a batch as the client does."""
    points, params, tags = batch
    return {
        "run_id": run,
        "metrics": [{"key": n, "value": spell(v), "timestamp": t, "step": s} for n, v, t, s in points],
        "params": [{"key": key, "value": value} for key, value in params.items()],
        "tags": [{"key": key, "value": value} for key, value in tags],
    }


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=BATCHES)
def test_batches_mean_what_the_model_says(door: Door, batches: list[Any]) -> None:
    run, model = door.run(), Model()
    for batch in batches:
        status, _ = door.send("runs/log-batch", body_of(run, batch))
        if model.accepts(batch[1]):
            assert status == 200
            model.add(*batch)
        else:
            assert status == 400
        again, _ = door.send("runs/log-batch", body_of(run, batch))  # a client that got no answer sends it again
        assert again == status
    data = door.data(run)
    assert data["metrics"] == model.latest()
    assert data["params"] == model.params
    assert {key: value for key, value in data["tags"].items() if key != "mlflow.runName"} == model.tags
    for name in model.points:
        assert door.points(run, name) == model.history(name)
        assert pages_of(door, run, name, 3) == model.history(name)


def pages_of(door: Door, run: str, name: str, size: int) -> list[tuple[int, int, Any]]:
    """Read a metric's points page by page."""
    found: list[tuple[int, int, Any]] = []
    query: dict[str, Any] = {"run_id": run, "metric_key": name, "max_results": size}
    while True:
        answer = door.get("metrics/get-history", **query)
        rows = answer.get("metrics", [])
        assert len(rows) <= size
        found += [(row["timestamp"], row["step"], row["value"]) for row in rows]
        if "next_page_token" not in answer:
            return found
        query["page_token"] = answer["next_page_token"]


def test_a_long_batch_is_packed_and_a_short_one_is_not(door: Door) -> None:
    run = door.run()
    points = [{"key": f"m{i % 10}", "value": i / 3, "timestamp": 1000 + i, "step": i // 10} for i in range(1000)]
    door.post("runs/log-batch", {"run_id": run, "metrics": points})
    assert MetricChunk.objects.filter(run_id=run).count() == 10
    assert MetricPoint.objects.filter(run_id=run).count() == 0
    assert len(door.points(run, "m3")) == 100
    door.post("runs/log-metric", {"run_id": run, "key": "m3", "value": 5, "timestamp": 1, "step": -1})
    assert MetricPoint.objects.filter(run_id=run).count() == 1
    assert door.points(run, "m3")[0] == (1, -1, 5.0)
    assert door.data(run)["metrics"]["m3"] == points[993]["value"]


WRONG: list[tuple[str, Any]] = [
    ("metrics[1].value", {"value": "abc"}),
    ("metrics[1].value", {"value": None}),
    ("metrics[1].value", {"value": True}),
    ("metrics[1].value", {"value": [1]}),
    ("metrics[1].value", {"value": "1e999"}),
    ("metrics[1].value", {"value": "nan"}),
    ("metrics[1].value", {"value": ""}),
    ("metrics[1].timestamp", {"timestamp": -1}),
    ("metrics[1].timestamp", {"timestamp": 1.5}),
    ("metrics[1].timestamp", {"timestamp": "soon"}),
    ("metrics[1].timestamp", {"timestamp": 253402300800000}),
    ("metrics[1].timestamp", {"timestamp": None}),
    ("metrics[1].step", {"step": 1.5}),
    ("metrics[1].step", {"step": "1e3"}),
    ("metrics[1].step", {"step": True}),
    ("metrics[1].step", {"step": "9223372036854775808"}),
    ("metrics[1].key", {"key": ""}),
    ("metrics[1].key", {"key": "a//b"}),
    ("metrics[1].key", {"key": "../x"}),
    ("metrics[1].key", {"key": "/x"}),
    ("metrics[1].key", {"key": "x/"}),
    ("metrics[1].key", {"key": "."}),
    ("metrics[1].key", {"key": "a<b"}),
    ("metrics[1].key", {"key": "k" * 251}),
    ("metrics[1].key", {"key": None}),
    ("metrics[1].key", {"key": 5}),
]


@pytest.mark.parametrize("padding", [0, 100])
@pytest.mark.parametrize(("name", "wrong"), WRONG)
def test_one_bad_entry_is_named_and_stores_nothing(door: Door, name: str, wrong: dict[str, Any], padding: int) -> None:
    run = door.run()
    good = {"key": "good", "value": 1.0, "timestamp": 1, "step": 0}
    metrics = [good, good | wrong, *(good | {"step": i} for i in range(padding))]
    body = {
        "run_id": run,
        "metrics": metrics,
        "params": [{"key": "p", "value": "1"}],
        "tags": [{"key": "t", "value": "1"}],
    }
    status, answer = door.send("runs/log-batch", body)
    assert (status, answer["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert name in answer["message"]
    assert not MetricPoint.objects.exists()
    assert not MetricChunk.objects.exists()
    assert not LatestMetric.objects.exists()
    assert not Param.objects.exists()
    assert not Tag.objects.exclude(key="mlflow.runName").exists()
    assert not MetricKey.objects.filter(name="good").exists()


RAW = [
    b'{"run_id": "RUN", "metrics": [{"key": "a", "value": NaN, "timestamp": 1}]}',
    b'{"run_id": "RUN", "metrics": [{"key": "a", "value": Infinity, "timestamp": 1}]}',
    b'{"run_id": "RUN", "metrics": [{"key": "a", "value": 1e400, "timestamp": 1}]}',
    b'{"run_id": "RUN", "metrics": [{"key": "a", "value": 1, "timestamp": 1, "step": 9223372036854775808}]}',
    b'{"run_id": "RUN", "metrics": [{"key": "a", "value": 1, "value": 2, "timestamp": 1}]}',
    b'{"run_id": "RUN", "run_id": "RUN", "tags": [{"key": "a", "value": "1"}]}',
    b'{"run_id": "RUN", "runId": "RUN", "tags": [{"key": "a", "value": "1"}]}',
    b'{"run_id": "RUN", "tags": [{"key": "a", "value": "x\\u0000y"}]}',
    b'{"run_id": "RUN", "tags": [{"key": "a", "value": "\\ud800"}]}',
    b'{"run_id": "RUN", "tags": {"key": "a"}}',
    b'{"run_id": "RUN", "tags": [5]}',
    b'{"run_id": "RUN", "tags": "abc"}',
    b'{"run_id": "RUN", "metrics": [[[[[]]]]]}',
    b'["RUN"]',
    b'{"run_id": 5, "tags": [{"key": "a", "value": "1"}]}',
    b'{"run_id": "RUN", "tags": [{"key": "a", "value": "1"}]',
    b'{"run_id": "RUN", "tags": [{"key": "a", "value": "1"}]}}',
    b'\xff\xfe{"run_id": "RUN"}',
    b'{"run_id": "RUN", "tags": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    b"{}",
    b"",
    b"null",
]


@pytest.mark.parametrize("raw", RAW, ids=range(len(RAW)))
def test_documents_that_mean_nothing_are_refused(door: Door, raw: bytes) -> None:
    run = door.run()
    status, answer = door.send("runs/log-batch", raw.replace(b"RUN", run.encode()), raw=True)
    assert status in {400, 404}, answer
    assert answer["error_code"] in {"INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST"}
    assert door.data(run)["metrics"] == {}
    assert list(door.data(run)["tags"]) == ["mlflow.runName"]


@pytest.mark.parametrize(("metrics", "params", "tags"), [(1001, 0, 0), (0, 101, 0), (0, 0, 101), (900, 60, 60)])
def test_a_batch_has_bounds(door: Door, metrics: int, params: int, tags: int) -> None:
    run = door.run()
    body = {
        "run_id": run,
        "metrics": [{"key": "a", "value": 1, "timestamp": 1, "step": i} for i in range(metrics)],
        "params": [{"key": f"p{i}", "value": "1"} for i in range(params)],
        "tags": [{"key": f"t{i}", "value": "1"} for i in range(tags)],
    }
    status, answer = door.send("runs/log-batch", body)
    assert (status, answer["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert "at most" in answer["message"]
    assert door.data(run)["params"] == {}


def test_two_params_of_one_key_are_refused_and_of_a_tag_the_last_counts(door: Door) -> None:
    run = door.run()
    twice = [{"key": "k", "value": "1"}, {"key": "k", "value": "1"}]
    assert door.send("runs/log-batch", {"run_id": run, "params": twice})[0] == 400
    door.post("runs/log-batch", {"run_id": run, "tags": [{"key": "k", "value": "1"}, {"key": "k", "value": "2"}]})
    assert door.data(run)["tags"]["k"] == "2"


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (1, 1.0),
        ("1.5", 1.5),
        (0.1, 0.1),
        ("NaN", "NaN"),
        ("Infinity", "Infinity"),
        ("-Infinity", "-Infinity"),
        (1.7976931348623157e308, 1.7976931348623157e308),
        (5e-324, 5e-324),
        (-0.0, 0.0),
        (2**53 + 1, float(2**53 + 1)),
    ],
)
def test_doubles_come_back_as_they_were(door: Door, sent: Any, kept: Any) -> None:
    run = door.run()
    door.post(
        "runs/log-metric", {"run_id": run, "key": "a", "value": sent, "timestamp": "1", "step": "-9223372036854775808"}
    )
    assert door.points(run, "a") == [(1, -(2**63), kept)]
    assert door.data(run)["metrics"] == {"a": kept}


def test_a_double_encoded_body_is_read(door: Door) -> None:
    run = door.run()
    inner = json.dumps({"run_id": run, "key": "t", "value": "v"})
    door.post("runs/set-tag", inner)
    assert door.data(run)["tags"]["t"] == "v"
