"""Spans of traces: up as a file, down as a file or as OpenTelemetry writes them."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.test import Client

from apps.tenants.models import Tenant
from apps.tracking.models import TraceFile
from maestro import limits
from maestro.http.heavy import LARGE_BYTES, turn
from tests.factories.door import Door
from tests.factories.traces import PROXY, V3, call, start

SPAN = {
    "trace_id": "AAAAAAAAAAAAAAAAAAAAAQ==",
    "span_id": "AAAAAAAAAAE=",
    "parent_span_id": None,
    "name": "s",
    "start_time_unix_nano": 5,
    "end_time_unix_nano": -1,
    "attributes": {"a": '{"b": [1, 2.5, true, null]}', "t": '"text"', "raw": "no json"},
    "events": [{"name": "e", "time_unix_nano": 6, "attributes": {"k": "v"}}, 7],
    "status": {"code": "STATUS_CODE_OK", "message": None},
    "links": [{"trace_id": "tr-00ff", "span_id": "zz", "attributes": None}],
}


def upload(door: Door, identity: str, body: bytes) -> None:
    start(door, identity)
    assert door.client.put(f"{PROXY}0/traces/{identity}/artifacts/traces.json", body).status_code == 200


def test_a_whole_trace_shows_its_spans_as_opentelemetry_writes_them(door: Door) -> None:
    upload(door, "tr-1", json.dumps({"spans": [SPAN, 5]}).encode())
    (span,) = call(door, "GET", V3 + "traces/get?trace_id=tr-1&allow_partial=true")[1]["trace"]["spans"]
    told = {pair["key"]: pair["value"] for pair in span["attributes"]}
    numbers = [{"int_value": "1"}, {"double_value": 2.5}, {"bool_value": True}, {}]
    assert told["a"] == {"kvlist_value": {"values": [{"key": "b", "value": {"array_value": {"values": numbers}}}]}}
    assert (told["t"], told["raw"]) == ({"string_value": "text"}, {"string_value": "no json"})
    assert (span["start_time_unix_nano"], "end_time_unix_nano" in span) == ("5", False)
    assert [event["name"] for event in span["events"]] == ["e"]
    assert span["links"] == [{"attributes": [], "trace_id": "AP8="}]
    both = call(door, "GET", V3 + "traces/batchGet?trace_ids=tr-1&trace_ids=tr-x")[1]["traces"]
    assert [len(trace["spans"]) for trace in both] == [1]


@pytest.mark.parametrize(
    "body", [b"", b"{", b"5", b"[]", b'{"spans": 5}', b'{"spans": [[' + b"[" * 99, b"\xff", b"NaN"]
)
def test_a_file_of_spans_in_any_state_harms_nobody(door: Door, body: bytes) -> None:
    upload(door, "tr-bad", body)
    assert call(door, "GET", V3 + "traces/get?trace_id=tr-bad")[0] == 400
    assert call(door, "GET", V3 + "traces/batchGet?trace_ids=tr-bad")[1]["traces"][0]["spans"] == []
    start(door, "tr-none")
    assert call(door, "GET", V3 + "traces/get?trace_id=tr-none")[0] == 404
    assert call(door, "GET", V3 + "traces/get")[0] == 400
    many = "&".join(f"trace_ids=tr-{i}" for i in range(21))
    assert call(door, "GET", f"{V3}traces/batchGet?{many}")[0] == 400


def test_spans_go_through_the_proxy_and_v1_traces_says_so(door: Door) -> None:
    start(door)
    spans = b'{"spans": []}'
    place = f"{PROXY}0/traces/tr-1/artifacts/traces.json"
    assert door.client.put(place, spans, content_type="application/json").status_code == 200
    assert door.client.get(place).getvalue() == spans
    assert door.client.put(f"{PROXY}0/traces/tr-2/artifacts/traces.json", spans).status_code == 404
    status, answer = call(door, "POST", "/v1/traces", {})
    assert (status, answer["error_code"]) == (501, "NOT_IMPLEMENTED")
    assert "REST OTLP span logging is not supported" in answer["message"]
    assert TraceFile.objects.get().path == "traces.json"


def test_many_large_traces_are_not_read_at_once(door: Door) -> None:
    """Twenty at once of sixteen megabytes each would be gigabytes of a web worker's memory."""
    size = limits.JSON_BODY_BYTES // 3
    for number in range(4):
        start(door, f"tr-{number}")
        upload(door, f"tr-{number}", b'{"spans": [{"name": "' + b"x" * size + b'"}]}')
    named = lambda count: "&".join(f"trace_ids=tr-{number}" for number in range(count))  # noqa: E731
    status, answer = call(door, "GET", f"{V3}traces/batchGet?{named(4)}")
    assert (status, "ask for fewer traces" in answer["message"]) == (413, True), answer
    status, answer = call(door, "GET", f"{V3}traces/batchGet?{named(2)}")
    assert (status, [len(one["spans"]) for one in answer["traces"]]) == (200, [1, 1])


def test_large_spans_take_turns(door: Door, acme: Tenant, person: Callable[[str], Client], settings: Any) -> None:
    settings.PATIENCE = settings.PATIENCE | {"turn": 0}
    start(door, "tr-1")
    upload(door, "tr-1", b'{"spans": [{"span_id": "a", "name": "' + b"x" * LARGE_BYTES + b'"}]}')
    page = person("viewer")
    asked = {
        "one": lambda: call(door, "GET", f"{V3}traces/get?trace_id=tr-1")[0],
        "some": lambda: call(door, "GET", f"{V3}traces/batchGet?trace_ids=tr-1")[0],
        "page": lambda: page.get("/admin/tracking/trace/tr-1/change/").status_code,
        "csv": lambda: page.get("/admin/tracking/trace/tr-1/spans.csv").status_code,
    }
    assert {ask() for ask in asked.values()} == {200}
    with other_holds_the_turn():
        found = {name: ask() for name, ask in asked.items()}
    assert found == {"one": 503, "some": 503, "page": 200, "csv": 503}


@contextmanager
def other_holds_the_turn() -> Iterator[None]:
    """Another thread is at a large request."""
    begun, over = threading.Event(), threading.Event()

    def hold() -> None:
        turn.take()
        begun.set()
        over.wait(60)
        turn.end()

    thread = threading.Thread(target=hold)
    thread.start()
    begun.wait(60)
    try:
        yield
    finally:
        over.set()
        thread.join()
