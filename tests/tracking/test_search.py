"""Searches through the MLflow door, against a plain Python model, and the plans behind them."""

import functools
import math
import re
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest
from django.conf import settings as django_settings
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql

from apps.tenants.models import Tenant
from apps.tracking import search
from apps.tracking.models import Experiment, Run
from apps.tracking.search import RUNS, Search
from maestro.database import statements
from maestro.filters import And, Comparison, Node, Not, Or, parse, parse_order
from tests.maestro.filters.test_filters import show
from tests.tracking.door import Door


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
    found = {"metric": run.metrics, "param": run.params, "tag": run.tags}[node.kind].get(node.key)
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


def search_all(door: Door, size: int, **body: Any) -> list[str]:
    """Search page by page."""
    found: list[str] = []
    token = None
    while True:
        answer = door.post("runs/search", body | {"max_results": size} | ({"page_token": token} if token else {}))
        page = [run["info"]["run_id"] for run in answer.get("runs", [])]
        assert len(page) <= size
        found += page
        token = answer.get("next_page_token")
        if not token:
            return found


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


def test_views_choose_by_life(door: Door) -> None:
    experiment = door.experiment("views")
    kept, thrown = door.run(experiment), door.run(experiment)
    door.post("runs/delete", {"run_id": thrown})
    found = {
        view: set(search_all(door, 10, experiment_ids=[experiment], run_view_type=view))
        for view in ("ACTIVE_ONLY", "DELETED_ONLY", "ALL", "1", 2)
    }
    assert found == {"ACTIVE_ONLY": {kept}, "DELETED_ONLY": {thrown}, "ALL": {kept, thrown}, "1": {kept}, 2: {thrown}}


ATTRIBUTES = [
    ("attributes.status = 'RUNNING'", 2),
    ("status != 'RUNNING'", 1),
    ("attributes.`run name` LIKE 'first%'", 1),
    ("run_name ILIKE 'FIRST%'", 1),
    ("run.user_id = 'me'", 1),
    ("start_time > 10 AND created <= 20", 1),
    ("attribute.end_time = 99", 1),
    ("end_time != 99", 0),
    ("artifact_uri LIKE 'mlflow-artifacts:/%/artifacts'", 3),
    ("run_id IN ('{0}', 'nonsense')", 1),
    ("attr.run_id NOT IN ('{0}')", 2),
    ("run_id = '{0}'", 1),
    ("run_id LIKE '{0}'", 1),
    ("dataset.name = 'd' AND datasets.context = 'training'", 1),
    ("dataset.digest IN ('y', 'z')", 0),
]


@pytest.mark.parametrize(("text", "count"), ATTRIBUTES)
def test_attributes_are_searched(door: Door, text: str, count: int) -> None:
    experiment = door.experiment("attributes")
    first = door.run(experiment, run_name="first one", user_id="me", start_time=10)
    second = door.run(experiment, start_time=20)
    door.run(experiment, start_time=30)
    door.post("runs/update", {"run_id": second, "status": "FINISHED", "end_time": 99})
    tags = [{"key": "mlflow.data.context", "value": "training"}]
    door.post(
        "runs/log-inputs", {"run_id": first, "datasets": [{"dataset": {"name": "d", "digest": "x"}, "tags": tags}]}
    )
    assert len(search_all(door, 10, experiment_ids=[experiment], filter=text.format(first))) == count


BAD = [
    ("max_results", {"max_results": 0}),
    ("max_results", {"max_results": -1}),
    ("max_results", {"max_results": 50_001}),
    ("max_results", {"max_results": "many"}),
    ("page_token", {"page_token": "nonsense"}),
    ("page_token", {"page_token": 5}),
    ("filter", {"filter": 5}),
    ("filter", {"filter": "metrics.a RLIKE 'x'"}),
    ("filter", {"filter": " AND ".join(["metrics.a > 1"] * 3000)}),
    ("order_by", {"order_by": ["metrics.a SIDEWAYS"]}),
    ("order_by", {"order_by": [5]}),
    ("run_view_type", {"run_view_type": "SOME"}),
    ("experiment_ids", {"experiment_ids": [{"a": 1}]}),
]


@pytest.mark.parametrize(("name", "wrong"), BAD)
def test_a_bad_search_is_refused_and_named(door: Door, name: str, wrong: dict[str, Any]) -> None:
    status, answer = door.send("runs/search", {"experiment_ids": ["0"]} | wrong)
    assert (status, answer["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert name in answer["message"]


def test_a_token_of_another_search_is_refused(door: Door) -> None:
    experiment = door.experiment("tokens")
    for _ in range(3):
        door.run(experiment)
    body = {"experiment_ids": [experiment], "max_results": 1}
    token = door.post("runs/search", body)["next_page_token"]
    status, _ = door.send("runs/search", body | {"page_token": token, "order_by": ["metrics.a"]})
    assert status == 400


def test_experiments_are_searched_and_paged(door: Door) -> None:
    numbers = {name: door.experiment(name) for name in ("Beta", "alpha", "gamma")}
    door.post("experiments/set-experiment-tag", {"experiment_id": numbers["Beta"], "key": "team", "value": "x"})
    door.post("experiments/delete", {"experiment_id": numbers["gamma"]})

    def names(**body: Any) -> list[str]:
        found, token = [], None
        while True:
            more = {"page_token": token} if token else {}
            answer = door.post("experiments/search", {"max_results": 1, **body, **more})
            found += [one["name"] for one in answer.get("experiments", [])]
            token = answer.get("next_page_token")
            if not token:
                return found

    assert names(order_by=["name"]) == ["Beta", "Default", "alpha"]
    assert names(order_by=["name DESC"], view_type="ALL") == ["gamma", "alpha", "Default", "Beta"]
    assert names()[-1] == "Default"
    assert names(filter="name ILIKE 'b%'") == ["Beta"]
    assert names(filter="tags.team = 'x'") == ["Beta"]
    assert names(filter="tags.team IS NULL AND NOT name = 'Default'") == ["alpha"]
    assert names(filter=f"experiment_id IN ('{numbers['alpha']}', '999')") == ["alpha"]
    assert names(filter="creation_time > 0", order_by=["experiment_id"]) == ["Beta", "alpha"]
    assert names(view_type="DELETED_ONLY") == ["gamma"]
    assert door.send("experiments/search", {})[0] == 400


def test_a_search_takes_few_statements_whatever_it_finds(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    experiment = door.experiment("counted")
    fill(door, experiment, [FakeRun("", i, {"a": float(i)}, {"p": "x"}, {"t": "y"}) for i in range(12)])
    sent: list[str] = []
    real = statements.run
    monkeypatch.setattr(statements, "run", lambda sql, *rest: sent.append(sql) or real(sql, *rest))
    body = {
        "experiment_ids": [experiment],
        "filter": "metrics.a > 1 AND params.p = 'x'",
        "order_by": ["metrics.a DESC"],
    }
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert len(door.post("runs/search", body)["runs"]) == 10
    assert len(sent) == 3, sent  # the rare clause, the ids, the documents
    assert len([q for q in queries if "tracking_" in q["sql"]]) == 0


MANY = """INSERT INTO tracking_run (id, experiment_id, name, user_name, status, start_ms, last_write_ms, created_by)
 SELECT gen_random_uuid(), %(e)s, 'r' || i, '', 'FINISHED', i, i, '' FROM generate_series(1, 20000) i;
INSERT INTO tracking_metrickey (name) VALUES ('acc');
INSERT INTO tracking_latestmetric (run_id, key_id, experiment_id, step, timestamp_ms, value)
 SELECT r.id, k.id, r.experiment_id, 0, 0, random() FROM tracking_run r, tracking_metrickey k
 WHERE r.experiment_id = %(e)s AND k.name = 'acc';
INSERT INTO tracking_param (run_id, key, value)
 SELECT id, 'lr', (ARRAY['0.1', '0.01', '0.001', '0.0001'])[1 + start_ms %% 4] FROM tracking_run WHERE experiment_id = %(e)s;
INSERT INTO tracking_tag (run_id, key, value)
 SELECT id, 'n', start_ms::text FROM tracking_run WHERE experiment_id = %(e)s"""
ANALYSED = ("tracking_run", "tracking_latestmetric", "tracking_param", "tracking_tag", "tracking_metrickey")


@pytest.fixture
def many_runs(committed: Tenant) -> int:
    """An experiment of 20,000 runs, committed and with statistics, as autovacuum would leave them."""
    number = Experiment.objects.create(name="many", created_ms=1, updated_ms=1).pk
    with connection.cursor() as cursor:
        for statement in MANY.split(";"):
            cursor.execute(statement, {"e": number})
    with psycopg.connect(django_settings.OWNER_DATABASE_URL, autocommit=True) as owner:
        for table in ANALYSED:
            owner.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(committed.schema_name, table)))
    return number


PLANS = [
    ("metrics.acc > 0.9 AND params.lr = '0.01'", ["metrics.acc DESC"], "tracking_latest_by_value"),
    ("", ["metrics.acc"], "tracking_latest_by_value"),
    ("", [], "tracking_run_newest"),
    ("tags.n = '777'", [], "tracking_run_pkey"),
]


def test_pages_read_few_rows_by_the_index_that_fits(many_runs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for text, entries, index in PLANS:
        with monkeypatch.context() as patch:
            check_plan(many_runs, text, entries, index=index, patch=patch)
    assert Run.objects.filter(experiment_id=many_runs).count() == 20_000


def check_plan(many_runs: int, text: str, entries: list[str], *, index: str, patch: pytest.MonkeyPatch) -> None:
    """Search, and look at the plan of the page's query."""
    plans: list[str] = []
    real = search.execute

    def explained(sql: str, params: Any, **options: Any) -> Any:
        if " AS k0" in sql:
            rows = real("EXPLAIN (ANALYZE, BUFFERS) " + sql, params, prepare=False)
            plans.append("\n".join(row[0] for row in rows))
        return real(sql, params, **options)

    patch.setattr(search, "execute", explained)
    wanted = Search(parse(text, RUNS), parse_order(entries, RUNS))
    found, following = search.runs(wanted, [many_runs], most=50)
    assert len(found) == (1 if "777" in text else 50)
    assert (following is None) == ("777" in text)
    assert index in plans[0], plans[0]
    pages = sum(int(count) for count in re.findall(r"^Limit.*\n\s+Buffers: shared hit=(\d+)", plans[0]))
    assert pages < 4000, plans[0]
