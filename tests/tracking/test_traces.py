"""Traces through the MLflow door: recorded, found, noted, deleted, and refused when they are not in order."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from apps.tenants.access.models import AuditEvent
from apps.tenants.models import Tenant
from apps.tracking import trace_search
from apps.tracking.models import Assessment, Project, Trace, TraceFile
from maestro.errors import Invalid
from maestro.filters import parse
from tests.tracking.door import Door

V3 = "/api/3.0/mlflow/"
PROXY = "/api/2.0/mlflow-artifacts/artifacts/"


def trace(identity: str = "tr-1", experiment_id: str = "0", **fields: Any) -> dict[str, Any]:
    info = {
        "trace_id": identity,
        "trace_location": {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": experiment_id}},
        "request_time": "2026-01-31T09:00:00.123Z",
        "execution_duration": "1.5s",
        "state": "OK",
    }
    return {"trace": {"trace_info": info | fields}}


def call(door: Door, method: str, path: str, body: Any = None) -> tuple[int, dict[str, Any]]:
    data = None if body is None else json.dumps(body)
    answer = door.client.generic(method, path, data or "", content_type="application/json")
    return answer.status_code, answer.json()


def start(door: Door, *args: Any, **fields: Any) -> dict[str, Any]:
    status, answer = call(door, "POST", V3 + "traces", trace(*args, **fields))
    assert status == 200, answer
    return answer["trace"]["trace_info"]


def found(door: Door, text: str = "", *experiments: str, **fields: Any) -> list[str]:
    places = [{"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": e}} for e in experiments or ("0",)]
    status, answer = call(door, "POST", V3 + "traces/search", {"locations": places, "filter": text, **fields})
    assert status == 200, answer
    return [row["trace_id"] for row in answer.get("traces", [])]


def test_a_trace_is_read_back_as_it_was_recorded(door: Door) -> None:
    told = start(
        door,
        tags={"mlflow.traceName": "predict", "k": "ünï\t✓"},
        trace_metadata={"m": "1"},
        request_preview='{"q": 1}',
        client_request_id="c-1",
    )
    assert told == call(door, "GET", V3 + "traces/tr-1")[1]["trace"]["trace_info"]
    assert told["request_time"] == "2026-01-31T09:00:00.123Z"
    assert told["execution_duration"] == "1.500s"
    assert told["tags"]["mlflow.artifactLocation"] == "mlflow-artifacts:/0/traces/tr-1/artifacts"
    assert (told["tags"]["k"], told["trace_metadata"], told["client_request_id"]) == ("ünï\t✓", {"m": "1"}, "c-1")
    infos = call(door, "POST", V3 + "traces/batchGetInfos", {"trace_ids": ["tr-nowhere", "tr-1", "tr-1"]})[1]
    assert infos["trace_infos"] == [told]


def test_recording_again_merges_and_never_repeats_an_assessment(door: Door) -> None:
    said = {"assessment_name": "a", "feedback": {"value": True}, "create_time": "2026-01-01T00:00:00Z"}
    start(door, tags={"a": "1"}, assessments=[said])
    told = start(door, tags={"b": "2"}, state="ERROR", assessments=[said])
    assert (told["state"], told["tags"]["a"], told["tags"]["b"]) == ("ERROR", "1", "2")
    assert [item["assessment_name"] for item in told["assessments"]] == ["a"]


def test_only_the_server_says_where_files_are(door: Door) -> None:
    evil = {"mlflow.artifactLocation": "file:///etc", "mlflow.trace.spansLocation": "TRACKING_STORE"}
    told = start(door, tags=evil)
    assert told["tags"] == {"mlflow.artifactLocation": "mlflow-artifacts:/0/traces/tr-1/artifacts"}
    for key in evil:
        for method in ("PATCH", "DELETE"):
            status, _ = call(door, method, "/api/2.0/mlflow/traces/tr-1/tags", {"key": key, "value": "file:///etc"})
            assert status == 400
    assert Trace.objects.get().tags == {}


BROKEN = [
    ({"trace_id": "../etc"}, "trace.trace_info.trace_id"),
    ({"trace_id": "x" * 51}, "trace.trace_info.trace_id"),
    ({"trace_id": "search"}, "trace.trace_info.trace_id"),
    ({"trace_id": 5}, "trace_id"),
    ({"trace_id": None}, "trace_id"),
    ({"request_time": "yesterday"}, "trace.trace_info.request_time"),
    ({"request_time": "2026-13-31T09:00:00Z"}, "trace.trace_info.request_time"),
    ({"request_time": "0001-01-01T00:00:00+14:00"}, "trace.trace_info.request_time"),
    ({"request_time": 17}, "trace.trace_info.request_time"),
    ({"request_time": None}, "trace.trace_info.request_time"),
    ({"execution_duration": "-1s"}, "trace.trace_info.execution_duration"),
    ({"execution_duration": "1e9s"}, "trace.trace_info.execution_duration"),
    ({"execution_duration": "999999999999s"}, "trace.trace_info.execution_duration"),
    ({"state": "FINE"}, "state"),
    ({"tags": []}, "trace.trace_info.tags"),
    ({"tags": {"a": 1}}, "trace.trace_info.tags.a"),
    ({"tags": {"": "1"}}, "trace.trace_info.tags.key"),
    ({"tags": {"k": "x" * 8001}}, "trace.trace_info.tags.k"),
    ({"tags": {str(i): "" for i in range(501)}}, "trace.trace_info.tags"),
    ({"trace_metadata": {"k" * 251: "1"}}, "trace.trace_info.trace_metadata.key"),
    ({"request_preview": "x" * 10_001}, "request_preview"),
    ({"client_request_id": {}}, "client_request_id"),
    ({"trace_location": {"type": "UC_SCHEMA"}}, "trace.trace_info.trace_location.type"),
    ({"trace_location": {}}, "trace.trace_info.trace_location.mlflow_experiment"),
    ({"trace_location": None}, "trace.trace_info.trace_location"),
    ({"assessments": [{"feedback": {"value": 1}}]}, "trace.trace_info.assessments[0].assessment_name"),
    ({"assessments": [{"assessment_name": "a"}]}, "trace.trace_info.assessments[0]"),
    ({"assessments": [{"assessment_name": "a", "assessment_id": "i", "feedback": {"value": 1}}] * 2}, "assessments"),
    ({"traceId": "tr-2"}, "trace_id"),
]


@pytest.mark.parametrize(("fields", "name"), BROKEN)
def test_a_broken_trace_is_refused_by_its_field_and_leaves_nothing(
    door: Door, fields: dict[str, Any], name: str
) -> None:
    status, answer = call(door, "POST", V3 + "traces", trace(**fields))
    assert status == 400, answer
    assert name in answer["message"]
    assert not Trace.objects.exists()
    assert not Assessment.objects.exists()


@pytest.mark.parametrize("body", [b"", b"[]", b'{"trace": 5}', b'{"trace": {"trace_info": []}}', b"{", b"\xff"])
def test_no_shape_of_body_is_a_fault_of_ours(door: Door, body: bytes) -> None:
    for path in ("traces", "traces/search", "traces/batchGetInfos", "traces/tr-1/assessments"):
        answer = door.client.post(V3 + path, body, content_type="application/json")
        assert answer.status_code in (400, 404), (path, answer.content)


def test_an_experiment_must_be_there_and_not_in_the_trash(door: Door) -> None:
    assert call(door, "POST", V3 + "traces", trace("tr-1", "999"))[0] == 404
    home = door.experiment("gone")
    start(door, "tr-old", home)
    door.post("experiments/delete", {"experiment_id": home})
    assert call(door, "POST", V3 + "traces", trace("tr-1", home))[0] == 400
    assert found(door, "", home) == ["tr-old"]
    assert door.client.put(f"{PROXY}{home}/traces/tr-old/artifacts/traces.json", b"{}").status_code == 400


def test_an_id_belongs_to_one_experiment(door: Door) -> None:
    start(door, "tr-1", tags={"mine": "yes"})
    status, answer = call(door, "POST", V3 + "traces", trace("tr-1", door.experiment("other")))
    assert (status, answer["error_code"]) == (400, "RESOURCE_ALREADY_EXISTS")
    assert Trace.objects.get().experiment_id == 0


def test_spans_go_through_the_proxy_and_v1_traces_says_so(door: Door) -> None:
    start(door)
    spans = b'{"spans": []}'
    place = f"{PROXY}0/traces/tr-1/artifacts/traces.json"
    assert door.client.put(place, spans, content_type="application/json").status_code == 200
    assert b"".join(door.client.get(place).streaming_content) == spans
    assert door.client.put(f"{PROXY}0/traces/tr-2/artifacts/traces.json", spans).status_code == 404
    status, answer = call(door, "POST", "/v1/traces", {})
    assert (status, answer["error_code"]) == (501, "NOT_IMPLEMENTED")
    assert "REST OTLP span logging is not supported" in answer["message"]
    assert TraceFile.objects.get().path == "traces.json"


def fill(door: Door) -> None:
    for i in range(5):
        start(
            door,
            f"tr-{i}",
            request_time=f"2026-01-31T09:00:0{i}Z",
            execution_duration=f"{i}s",
            state="ERROR" if i == 3 else "OK",
            tags={"mlflow.traceName": f"n{i}", "odd": str(i % 2)},
            trace_metadata={"mlflow.sourceRun": "a" * 32} if i == 1 else {},
            assessments=[{"assessment_name": "score", "feedback": {"value": i / 4}}] if i else [],
        )


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
        trace_search.clause(parse(text, trace_search.VOCABULARY), trace_search.Writer())  # type: ignore[arg-type]


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
    assert call(door, "POST", V3 + "traces/search", {"locations": places, "order_by": ["tags.odd"]})[0] == 400
    assert call(door, "POST", V3 + "traces/search", {"locations": places, "max_results": 501})[0] == 400


def test_tags_change_and_go(door: Door) -> None:
    start(door)
    path = "/api/2.0/mlflow/traces/tr-1/tags"
    assert call(door, "PATCH", path, {"key": "a", "value": "1"}) == (200, {})
    assert call(door, "PATCH", path, {"key": "a", "value": "2"}) == (200, {})
    assert Trace.objects.get().tags == {"a": "2"}
    assert call(door, "DELETE", path, {"key": "a"}) == (200, {})
    assert call(door, "DELETE", path, {"key": "a"})[0] == 404
    assert call(door, "PATCH", path, {"value": "2"})[0] == 400
    assert call(door, "PATCH", path.replace("tr-1", "tr-2"), {"key": "a", "value": "1"})[0] == 404


def test_deleting_takes_files_and_assessments_along_and_is_written_down(door: Door) -> None:
    fill(door)
    door.client.put(f"{PROXY}0/traces/tr-4/artifacts/traces.json", b"{}")
    path = "traces/delete-traces"
    assert door.post(path, {"experiment_id": "0", "request_ids": ["tr-4", "tr-x"]}) == {"traces_deleted": 1}
    assert not TraceFile.objects.exists()
    body = {"experiment_id": "0", "max_timestamp_millis": 1769850002000, "max_traces": 2}
    assert door.post(path, body) == {"traces_deleted": 2}
    assert found(door) == ["tr-3", "tr-2"]
    assert Assessment.objects.count() == 2
    assert AuditEvent.objects.filter(action="traces.delete").count() == 2
    other = door.experiment("other")
    assert door.post(path, {"experiment_id": other, "request_ids": ["tr-3"]}) == {"traces_deleted": 0}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"request_ids": []},
        {"request_ids": ["a"], "max_timestamp_millis": 5},
        {"request_ids": ["a"], "max_traces": 5},
        {"max_timestamp_millis": 5, "max_traces": 0},
        {"max_timestamp_millis": "soon"},
        {"request_ids": "*", "max_timestamp_millis": -1},
    ],
)
def test_deleting_needs_one_clear_choice(door: Door, body: dict[str, Any]) -> None:
    fill(door)
    assert door.send("traces/delete-traces", {"experiment_id": "0", **body})[0] == 400
    assert Trace.objects.count() == 5


def test_linked_traces_are_found_by_their_run(door: Door) -> None:
    fill(door)
    run = door.run()
    for _ in range(2):
        assert door.post("traces/link-to-run", {"trace_ids": ["tr-1", "tr-2", "tr-x"], "run_id": run}) == {}
    assert found(door, f"run_id = '{run}'") == ["tr-2", "tr-1"]
    assert found(door, "run_id = '" + "a" * 32 + "'") == ["tr-1"]
    assert Trace.objects.get(pk="tr-2").run_ids == [run]
    assert door.send("traces/link-to-run", {"trace_ids": ["tr-1"], "run_id": "b" * 32})[0] == 404
    many = [f"tr-{i}" for i in range(101)]
    assert door.send("traces/link-to-run", {"trace_ids": many, "run_id": run})[0] == 400


def test_a_viewer_looks_and_does_not_write(door: Door, door_of: Callable[..., Door]) -> None:
    start(door)
    viewer = door_of("viewer")
    assert found(viewer) == ["tr-1"]
    refused = [
        call(viewer, "POST", V3 + "traces", trace("tr-2"))[0],
        call(viewer, "PATCH", "/api/2.0/mlflow/traces/tr-1/tags", {"key": "a", "value": "b"})[0],
        viewer.send("traces/delete-traces", {"experiment_id": "0", "request_ids": ["tr-1"]})[0],
        call(viewer, "POST", V3 + "traces/tr-1/assessments", {})[0],
        call(viewer, "POST", "/v1/traces", {})[0],
    ]
    assert refused == [403] * 5
    assert Trace.objects.count() == 1


def outside(door: Door, identity: str = "tr-1") -> list[int]:
    """Every verb on a trace that this door must not know."""
    said = {"assessment": {"assessment_name": "a", "feedback": {"value": 1}}}
    return [
        call(door, "GET", V3 + f"traces/{identity}")[0],
        call(door, "PATCH", f"/api/2.0/mlflow/traces/{identity}/tags", {"key": "a", "value": "b"})[0],
        call(door, "DELETE", f"/api/2.0/mlflow/traces/{identity}/tags", {"key": "odd"})[0],
        call(door, "POST", V3 + f"traces/{identity}/assessments", said)[0],
        call(door, "GET", V3 + f"traces/{identity}/assessments/a-1")[0],
        call(door, "DELETE", V3 + f"traces/{identity}/assessments/a-1")[0],
        door.client.put(f"{PROXY}0/traces/{identity}/artifacts/traces.json", b"{}").status_code,
        door.client.get(f"{PROXY}0/traces/{identity}/artifacts/traces.json").status_code,
        door.client.delete(f"{PROXY}0/traces/{identity}/artifacts/traces.json").status_code,
    ]


def test_a_key_of_one_project_knows_no_trace_beside_it(door: Door, door_of: Callable[..., Door]) -> None:
    start(door, tags={"odd": "1"})
    mine = door_of(project_id=Project.objects.create(slug="mine", name="mine").pk)
    own = mine.experiment("own")
    start(mine, "tr-own", own)
    assert outside(mine) == [404] * 9
    assert found(mine, "", "0", own) == ["tr-own"]
    assert call(mine, "POST", V3 + "traces/batchGetInfos", {"trace_ids": ["tr-1"]}) == (200, {})
    assert mine.send("traces/delete-traces", {"experiment_id": "0", "request_ids": ["tr-1"]})[0] == 404
    assert call(mine, "POST", V3 + "traces", trace("tr-1", own))[1]["error_code"] == "RESOURCE_ALREADY_EXISTS"
    mine.post("traces/link-to-run", {"trace_ids": ["tr-1"], "run_id": mine.run(own)})
    assert Trace.objects.get(pk="tr-1").run_ids == []
    assert Trace.objects.get(pk="tr-1").tags == {"odd": "1"}


def test_the_other_tenant_knows_no_trace_of_ours(
    acme: Tenant, door: Door, globex: Tenant, api: Callable[..., Client]
) -> None:
    door.client.defaults["HTTP_HOST"] = "acme.localhost"
    start(door, tags={"odd": "1"})
    theirs = Door(api(globex))
    assert outside(theirs) == [404] * 9
    assert found(theirs) == []
    assert not Trace.objects.exists()


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
