"""Traces through the MLflow door: recorded, noted, linked, deleted, and refused when they are not in order."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, cast

import pytest
from django.db.models.functions import Now
from django.test import Client

from apps.tenants.access.models import AuditEvent
from apps.tenants.models import Tenant
from apps.tracking.models import Assessment, Project, Trace, TraceFile, TraceLink
from maestro import limits
from tests.factories.door import Door
from tests.factories.traces import PROXY, V3, call, fill, found, start, trace


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


@pytest.mark.parametrize("name", ["tags", "trace_metadata"])
def test_no_number_of_recordings_notes_more_than_a_trace_takes(door: Door, name: str) -> None:
    most, more = limits.TRACE_NOTES, cast("dict[str, Any]", {name: {"b": ""}})
    start(door, **{name: {f"a{n}": "" for n in range(most)}})
    status, said = call(door, "POST", V3 + "traces", trace("tr-1", "0", state="ERROR", **more))
    assert (status, said["error_code"], str(most) in said["message"]) == (400, "INVALID_PARAMETER_VALUE", True)
    kept = Trace.objects.get()
    assert (kept.state, len(kept.tags) + len(kept.metadata)) == ("OK", most)
    start(door, **{name: {"a0": "again"}})


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


def test_a_trace_that_comes_after_its_link_is_linked(door: Door, door_of: Callable[..., Door]) -> None:
    run, late = door.run(), door.run()
    door.post("traces/link-to-run", {"trace_ids": ["tr-1", "tr-2"], "run_id": run})
    door.post("traces/link-to-run", {"trace_ids": ["tr-1"], "run_id": late})
    start(door, "tr-1")
    assert found(door, f"run_id = '{run}'") == ["tr-1"]
    assert sorted(Trace.objects.get(pk="tr-1").run_ids) == sorted([run, late])
    assert [(one.trace_id, one.run_id.hex) for one in TraceLink.objects.all()] == [("tr-2", run)]
    mine = door_of(project_id=Project.objects.create(slug="mine", name="mine").pk)
    start(mine, "tr-2", mine.experiment("own"))
    assert Trace.objects.get(pk="tr-2").run_ids == []
    assert not TraceLink.objects.exists()


def test_a_link_waits_for_a_day(door: Door) -> None:
    door.post("traces/link-to-run", {"trace_ids": ["tr-1"], "run_id": door.run()})
    TraceLink.objects.update(at=Now() - timedelta(hours=25))
    door.post("traces/link-to-run", {"trace_ids": ["tr-2"], "run_id": door.run()})
    assert [one.trace_id for one in TraceLink.objects.all()] == ["tr-2"]


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
