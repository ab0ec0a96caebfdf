"""Traces on the admin's pages: the list with its filter, and one trace as a waterfall, also of what nobody would write."""

import csv
import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from apps.tenants.models import Tenant
from apps.tracking.traces import waterfall
from tests.factories.door import Door
from tests.factories.traces import PROXY, call, fill, start
from tests.factories.two_projects import person_in
from tests.tracking.admin.test_page_costs import counted, signed_in

LIST = "/admin/tracking/trace/"
HOSTILE = '<script>alert("x")</script>'
MS = 1_000_000


def span(identity: str, parent: str | None = None, begin: int = 0, end: int = 0, **fields: Any) -> dict[str, Any]:
    """A span as the client writes it, from and to in milliseconds."""
    times = {"start_time_unix_nano": begin * MS, "end_time_unix_nano": end * MS}
    return {"span_id": identity, "parent_span_id": parent, "name": f"do {identity}", **times, **fields}


def put(door: Door, identity: str, spans: Any, **fields: Any) -> str:
    """Record a trace with its spans; returns its page."""
    start(door, identity, **fields)
    body = spans if isinstance(spans, bytes) else json.dumps({"spans": spans}).encode()
    assert door.client.put(f"{PROXY}0/traces/{identity}/artifacts/traces.json", body).status_code == 200
    return f"{LIST}{identity}/change/"


def listed(client: Client, **query: str) -> list[str]:
    """The ids on a page of the list."""
    answer = client.get(LIST, query)
    assert answer.status_code == 200
    return [row.trace.pk for row in answer.context["rows"]]


def test_the_list_filters_sorts_and_pages(door: Door, person: Callable[[str], Client]) -> None:
    fill(door)
    viewer = person("viewer")
    assert listed(viewer) == ["tr-4", "tr-3", "tr-2", "tr-1", "tr-0"]
    assert listed(viewer, experiment="0", sort="duration", q="tags.odd = '0'") == ["tr-0", "tr-2", "tr-4"]
    assert listed(viewer, state="ERROR") == ["tr-3"]
    assert listed(viewer, q="n2") == ["tr-2"]
    assert listed(viewer, q="feedback.score > 0.5 OR execution_time_ms < 1000") == ["tr-4", "tr-3", "tr-0"]
    assert listed(viewer, run="a" * 32) == ["tr-1"]
    for query in ("q=tags.odd+%3E", "sort=zzz", "after=zzz", "state=zzz", "run=zzz", "project=zzz", "q=" + "(" * 500):
        assert viewer.get(f"{LIST}?{query}").status_code == 200, query


def test_a_long_list_goes_on_where_a_page_ends(door: Door, person: Callable[[str], Client]) -> None:
    for i in range(53):
        start(door, f"tr-{i:02}", request_time=f"2026-01-31T09:{i:02}:00Z")
    viewer = person("viewer")
    first = viewer.get(LIST)
    rest = viewer.get(LIST + first.context["later_url"])
    ids = [row.trace.pk for page in (first, rest) for row in page.context["rows"]]
    assert ids == [f"tr-{i:02}" for i in range(52, -1, -1)]
    assert rest.context["later_url"] == ""


def test_a_trace_shows_its_spans_as_a_tree_in_time(door: Door, person: Callable[[str], Client]) -> None:
    tool = span("c", "a", 60, 90, status={"code": "STATUS_CODE_ERROR", "message": "no such city"})
    inputs = {"mlflow.spanInputs": '{"city": "Oslo"}', "mlflow.spanType": '"LLM"', "model": '"small"'}
    page = put(door, "tr-1", [tool, span("b", "a", 10, 50, attributes=inputs), span("a", None, 0, 100)])
    viewer = person("viewer")
    rows = viewer.get(page).context["fall"].rows
    assert [(row.name, row.depth, row.left, row.width) for row in rows] == [
        ("do a", 0, 0, 1000),
        ("do b", 1, 100, 400),
        ("do c", 1, 600, 300),
    ]
    assert [row.has_inner for row in rows] == [True, False, False]
    assert [len(row.closing) for row in rows] == [0, 0, 1]
    shown = viewer.get(page, {"span": "b"}).content.decode()
    assert "&quot;city&quot;: &quot;Oslo&quot;" in shown
    assert "LLM" in shown
    assert "no such city" in viewer.get(page, {"span": "c"}).content.decode()
    assert [row.name for row in viewer.get(page, {"find": "O C"}).context["fall"].rows] == ["do c"]
    assert viewer.get(page, {"as": "table"}).content.count(b"do b") == 1
    lines = list(csv.DictReader(viewer.get(f"{LIST}tr-1/spans.csv").content.decode().splitlines()))
    assert [(line["name"], line["parent"], line["lasted_ms"]) for line in lines][2] == ("do c", "a", "30.0")


@pytest.mark.parametrize(
    "spans",
    [
        [],
        [span("a", "a")],
        [span("a", "b"), span("b", "a"), span("b", "a")],
        [span("a", "nobody"), {}, {"span_id": 5, "name": [], "attributes": 7, "status": [], "events": [3, {}]}],
        [{**span("a"), "start_time_unix_nano": "NaN", "end_time_unix_nano": 1e300}],
        [{**span("a"), "start_time_unix_nano": 2**63 - 1, "end_time_unix_nano": -1}],
        [span("a", attributes={"mlflow.spanInputs": '{"x": NaN}', "mlflow.spanType": "[" * 400})],
        [span("a", name=HOSTILE, attributes={HOSTILE: f'"{HOSTILE}"', "mlflow.spanInputs": "[" * 30 + "]" * 30})],
        [span("=1+1", name="=cmd()", status={"code": ["x"], "message": 5})],
        b"NaN",
        b'{"spans": 5}',
    ],
)
def test_spans_of_any_shape_make_a_page(door: Door, person: Callable[[str], Client], spans: Any) -> None:
    page, viewer = put(door, "tr-1", spans, tags={"mlflow.traceName": HOSTILE, "a": HOSTILE}), person("viewer")
    for query in ("", "?as=table", "?find=a&span=b", "?span=%F0&find=" + "x" * 300):
        answer = viewer.get(page + query)
        assert answer.status_code == 200, query
        assert b"<script>alert" not in answer.content
        assert answer.content.count(b"<details") == answer.content.count(b"</details>")
    told = viewer.get(f"{LIST}tr-1/spans.csv")
    assert told.status_code == (400 if isinstance(spans, bytes) else 200)
    assert b"\n=" not in told.content
    assert viewer.get(f"{LIST}tr-1/file/?path=traces.json")["content-disposition"].startswith("attachment")


def test_ten_thousand_spans_a_chain_and_a_crowd_stay_bounded(
    door: Door, person: Callable[[str], Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    viewer = person("viewer")
    chain = [span(str(i), str(i - 1), i, 20_000, name='"' * 200, attributes={"x": "1"}) for i in range(10_000)]
    crowd = [span(str(i), "0", i, i + 5, name="&" * 200) for i in range(10_000)]
    for identity, spans in (("tr-chain", chain), ("tr-crowd", crowd)):
        page = put(door, identity, spans)
        with counted(monkeypatch) as told:
            answer = viewer.get(page)
        assert (answer.status_code, answer.context["fall"].count) == (200, 10_000)
        assert len(answer.context["fall"].rows) == waterfall.MOST_ROWS
        assert max(row.depth for row in answer.context["fall"].rows) <= waterfall.DEEPEST
        assert len(answer.content) < 150_000
        assert len(told) <= 12
        assert viewer.get(f"{LIST}{identity}/spans.csv").content.count(b"\n") == 10_001


def test_a_trace_is_reached_from_its_run_and_says_what_was_said_of_it(
    door: Door, person: Callable[[str], Client]
) -> None:
    run = call(door, "POST", "/api/2.0/mlflow/runs/create", {"experiment_id": "0"})[1]["run"]["info"]["run_id"]
    said = [{"assessment_name": "helpful", "feedback": {"value": "very"}, "rationale": HOSTILE}]
    start(door, "tr_of-it", trace_metadata={"mlflow.sourceRun": run}, assessments=said)
    viewer = person("viewer")
    page = f"{LIST}tr_of-it/change/"
    assert page in viewer.get(f"/admin/tracking/run/{run}/change/", follow=True).content.decode()
    assert LIST in viewer.get("/admin/tracking/run/?experiment=0").content.decode()
    shown = viewer.get(page).content.decode()
    assert "helpful" in shown
    assert "<script>alert" not in shown
    assert "have not been uploaded" in shown


def test_a_tenant_without_traces_is_told_how_to_make_one(acme: Tenant, person: Callable[[str], Client]) -> None:
    page = person("viewer").get(LIST).content.decode()
    assert "@mlflow.trace</code>" in page
    assert "{%" not in page


def test_who_may_see_a_trace(acme: Tenant, door: Door, person: Callable[[str], Client]) -> None:
    page = put(door, "tr-1", [span("a")])
    assert person("viewer").get(page).status_code == 200
    assert person("nobody").get(page).status_code == 404
    assert person("admin").get(f"{LIST}tr-2/change/").status_code == 404
    assert signed_in(person_in({})).get(LIST).status_code in {403, 404}
