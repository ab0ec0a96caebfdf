"""What a search of runs means: a plain Python model says the same, whatever the filter and the order."""

import functools
import math
import re
from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from maestro.filters import And, Comparison, Node, Not, Or
from tests.factories.door import Door
from tests.maestro.filters.test_filters import show
from tests.tracking.search.searching import search_all


@dataclass
class FakeRun:
    """A run in plain Python."""

    name: str
    start: int
    metrics: dict[str, float] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)


RUN = st.builds(
    FakeRun,
    name=st.just(""),
    start=st.integers(1, 4),
    metrics=st.dictionaries(
        st.sampled_from("ab"), st.sampled_from([0.0, 1.0, 2.5, math.nan, math.inf, -math.inf]), max_size=2
    ),
    params=st.dictionaries(st.sampled_from("pq"), st.sampled_from(["x", "X", "xy", "", "%", "é"]), max_size=2),
    tags=st.dictionaries(st.sampled_from("t"), st.sampled_from(["x", "y"]), max_size=1),
)
NUMBERS = st.builds(
    Comparison,
    st.just("metric"),
    st.sampled_from("abz"),
    st.sampled_from(["=", "!=", ">", ">=", "<", "<="]),
    st.sampled_from([0.0, 1.0, 2.0, 2.5]),
)
PAIRS = st.builds(
    Comparison,
    st.just("param"),
    st.sampled_from("pqz"),
    st.sampled_from(["=", "!=", "LIKE", "ILIKE"]),
    st.sampled_from(["x", "X%", "%", "_", "", "\\%", "é"]),
)
NULLS = st.builds(
    Comparison, st.sampled_from(["param", "tag"]), st.sampled_from("pt"), st.sampled_from(["IS NULL", "IS NOT NULL"])
)
CLAUSES = st.one_of(NUMBERS, PAIRS, NULLS)


def combine(parts: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    several = st.lists(parts, min_size=2, max_size=3).map(tuple)
    return st.one_of(st.builds(Not, parts), st.builds(And, several), st.builds(Or, several))


TREES = st.none() | st.recursive(CLAUSES, combine, max_leaves=5)
ORDERS = st.lists(
    st.sampled_from(
        ["metrics.a", "metrics.a DESC", "metrics.b", "params.p DESC", "tags.t", "start_time", "metrics.z DESC"]
    ),
    max_size=2,
)


def holds(node: Node | None, run: FakeRun) -> bool:
    """Say what a filter means for a run."""
    if node is None:
        return True
    if isinstance(node, Not):
        return not holds(node.part, run)
    if isinstance(node, And):
        return all(holds(part, run) for part in node.parts)
    if isinstance(node, Or):
        return any(holds(part, run) for part in node.parts)
    logged: dict[str, dict[str, Any]] = {"metric": run.metrics, "param": run.params, "tag": run.tags}
    found = logged[node.kind].get(node.key)
    if node.operator == "IS NULL":
        return found is None
    if found is None:
        return False
    return True if node.operator == "IS NOT NULL" else compared(found, node.operator, node.value)


def compared(found: Any, operator: str, value: Any) -> bool:
    """Compare as MLflow does; Python's NaN satisfies != and nothing else, as it should."""
    if operator in {"LIKE", "ILIKE"}:
        pattern = "".join({"%": ".*", "_": "."}.get(char, re.escape(char)) for char in value)
        return bool(re.fullmatch(pattern, found, re.DOTALL | (re.IGNORECASE if operator == "ILIKE" else 0)))
    answers = {"=": found == value, "!=": found != value}
    if isinstance(value, float):
        answers |= {">": found > value, ">=": found >= value, "<": found < value, "<=": found <= value}
    return answers[operator]


def order(entries: list[str]) -> Any:
    """Make the sort key of an order: numbers, NaN, missing; ties by newest, then by id."""

    def before(one: FakeRun, two: FakeRun) -> int:
        for entry in entries:
            name, _, direction = entry.partition(" ")
            sign = -1 if direction == "DESC" else 1
            (rank, value), (other_rank, other) = sort_value(one, name), sort_value(two, name)
            if rank != other_rank:
                return rank - other_rank
            if rank == 0 and value != other:
                return sign if value > other else -sign
        return (two.start - one.start) or (1 if one.name > two.name else -1)

    return functools.cmp_to_key(before)


def sort_value(run: FakeRun, name: str) -> tuple[int, Any]:
    """Read what is sorted by, and whether it is there."""
    if name == "start_time":
        return 0, run.start
    kind, _, key = name.partition(".")
    value = getattr(run, kind).get(key)
    if value is None:
        return 2, None
    return (1, None) if isinstance(value, float) and math.isnan(value) else (0, value)


def fill(door: Door, experiment: str, runs: list[FakeRun]) -> None:
    """Log runs through the door; their ids are their names."""
    for run in runs:
        run.name = door.run(experiment, start_time=run.start)
        metrics = [
            {
                "key": key,
                "value": value if math.isfinite(value) else str(value).replace("inf", "Infinity").replace("nan", "NaN"),
                "timestamp": 1,
            }
            for key, value in run.metrics.items()
        ]
        pairs = {kind: [{"key": k, "value": v} for k, v in getattr(run, kind).items()] for kind in ("params", "tags")}
        door.post("runs/log-batch", {"run_id": run.name, "metrics": metrics, **pairs})


counter = iter(range(10**6))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(runs=st.lists(RUN, max_size=7), cases=st.lists(st.tuples(TREES, ORDERS), min_size=3, max_size=6))
def test_searches_mean_what_the_model_says(door: Door, runs: list[FakeRun], cases: list[Any]) -> None:
    first, second = (door.experiment(f"s{next(counter)}") for _ in range(2))
    fill(door, first, runs[::2])
    fill(door, second, runs[1::2])
    for tree, entries in cases:
        text = show(tree) if tree is not None else ""
        wanted = [run.name for run in sorted((run for run in runs if holds(tree, run)), key=order(entries))]
        body = {"experiment_ids": [first, second], "filter": text, "order_by": entries}
        assert search_all(door, 3, **body) == wanted, (text, entries)
        alone = [run.name for run in runs[::2] if run.name in wanted]
        assert search_all(door, 2, **body | {"experiment_ids": [first]}) == [name for name in wanted if name in alone]
