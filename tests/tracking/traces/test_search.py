"""Traces found by filter, order and page through the MLflow door."""

import hashlib

import pytest
from django.db import connection

from apps.tenants.models import Tenant
from apps.tracking.search.pages import Search
from apps.tracking.traces import search
from maestro.database.statements import execute
from maestro.errors import Invalid
from maestro.filters import parse
from tests.factories.door import Door
from tests.factories.traces import V3, call, fill, found

QUESTIONS = [
    ("", ["tr-4", "tr-3", "tr-2", "tr-1", "tr-0"]),
    ("status = 'ERROR'", ["tr-3"]),
    ("trace.status != 'OK'", ["tr-3"]),
    ("attributes.name ILIKE 'N4'", ["tr-4"]),
    ("tags.odd = '1'", ["tr-3", "tr-1"]),
    ("tag.odd = '1' AND status = 'OK'", ["tr-1"]),
    ("tags.none IS NULL AND timestamp_ms < 1769850001000", ["tr-0"]),
    ("execution_time_ms >= 3000", ["tr-4", "tr-3"]),
    ("end_time_ms > 1769850006000", ["tr-4"]),
    ("request_id IN ('tr-2', 'tr-x')", ["tr-2"]),
    ("run_id = '" + "a" * 32 + "'", ["tr-1"]),
    ("metadata.`mlflow.sourceRun` IS NOT NULL", ["tr-1"]),
    ("feedback.score > 0.6", ["tr-4", "tr-3"]),
    ("feedback.score = '0.25'", ["tr-1"]),
    ("feedback.score = 1", ["tr-4"]),
    ("feedback.score IS NULL", ["tr-0"]),
    ("expectation.score IS NOT NULL", []),
    ("NOT (tags.odd = '1' OR status = 'ERROR') AND feedback.score < 1", ["tr-2"]),
]


@pytest.mark.parametrize(("text", "answer"), QUESTIONS)
def test_filters_find_what_they_say(door: Door, text: str, answer: list[str]) -> None:
    fill(door)
    assert found(door, text) == answer


REFUSED = [
    "span.name = 'x'",
    "text LIKE '%x%'",
    "tags.a RLIKE '.*'",
    "status > 3",
    "timestamp_ms = 'x'",
    "feedback.score > 'x'",
    "feedback.score LIKE 3",
    "issue.id = '1'",
    "a = 'b",
    "__import__('os')",
    "(" * 40,
]


@pytest.mark.parametrize("text", REFUSED)
def test_a_filter_beyond_the_grammar_is_refused(door: Door, text: str) -> None:
    body = {"locations": [{"mlflow_experiment": {"experiment_id": "0"}}], "filter": text}
    status, answer = call(door, "POST", V3 + "traces/search", body)
    assert (status, answer["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    with pytest.raises(Invalid):
        search.clause(parse(text, search.VOCABULARY), search.Writer())  # type: ignore[arg-type]


ORDERS = [
    (["timestamp_ms ASC"], "01234"),
    (["execution_time DESC"], "43210"),
    (["status", "timestamp ASC"], "30124"),
    (["name DESC"], "43210"),
    (["run_id"], "14320"),
]


@pytest.mark.parametrize(("order", "answer"), ORDERS)
def test_pages_follow_any_order_to_the_end(door: Door, order: list[str], answer: str) -> None:
    fill(door)
    places = [{"mlflow_experiment": {"experiment_id": e}} for e in ("0", door.experiment("empty"))]
    seen, token = "", ""
    for _ in range(5):
        body = {"locations": places, "order_by": order, "max_results": 2, "page_token": token}
        page = call(door, "POST", V3 + "traces/search", body)[1]
        seen += "".join(row["trace_id"][-1] for row in page["traces"])
        token = page.get("next_page_token", "")
        if not token:
            break
    assert seen == answer
    other = {"locations": places, "filter": "status = 'OK'", "page_token": token or "nonsense"}
    assert call(door, "POST", V3 + "traces/search", other)[0] == 400
    assert call(door, "POST", V3 + "traces/search", {"locations": places, "order_by": ["feedback.odd"]})[0] == 400
    assert call(door, "POST", V3 + "traces/search", {"locations": places, "max_results": 501})[0] == 400


FILL = """INSERT INTO tracking_trace (id, experiment_id, request_ms, state, client_request_id, request_preview,
  response_preview, metadata, tags, run_ids, created_by)
 SELECT 'tr-' || n, 0, n, 'OK', '', repeat('x', 500), '', '{}', '{}',
  CASE WHEN n %% 1000 = 0 THEN ARRAY[md5((n / 5000)::text)] ELSE '{}' END::varchar(32)[], ''
 FROM generate_series(1, 20000) n"""


@pytest.mark.parametrize("analyzed", [False, True])
def test_newest_traces_and_those_of_a_run_are_found_by_their_indexes(acme: Tenant, analyzed: bool) -> None:
    run = hashlib.md5(b"3", usedforsecurity=False).hexdigest()
    with connection.cursor() as cursor:
        cursor.execute(FILL, [])
        if analyzed:
            cursor.execute("ANALYZE tracking_trace")
    for text, index in (("", "tracking_trace_newest"), (f"run_id = '{run}'", "tracking_trace_by_run")):
        tree, writer = parse(text, search.VOCABULARY), search.Writer()
        conditions = ["t.experiment_id = x.id"]
        if tree is not None:
            conditions.append(search.write(tree, writer, search.clause))
        statement = search.page_sql(search.trace_keys((), writer), conditions, [0], 100, writer)
        plan = "\n".join(row[0] for row in execute(f"EXPLAIN {statement}", writer.params, prepare=False))
        assert index in plan, plan
        assert "Seq Scan" not in plan, plan
        found, following = search.traces(Search(tree), [0], most=100)
        assert (len(found), following is None) == ((5, True) if text else (100, False))
