"""Assessments of traces through the MLflow door."""

from collections.abc import Callable
from typing import Any

import pytest

from apps.tenants.access.models import AuditEvent
from apps.tracking.models import Assessment
from tests.factories.door import Door
from tests.factories.traces import V3, call, found, start

PATH = V3 + "traces/tr-1/assessments"


def assess(door: Door, **fields: Any) -> dict[str, Any]:
    given = {"assessment_name": "good", "feedback": {"value": True}, "source": {"source_type": "HUMAN"}}
    given = {name: value for name, value in (given | fields).items() if value is not None}
    status, answer = call(door, "POST", PATH, {"assessment": given})
    assert status == 200, answer
    return answer["assessment"]


def shown(door: Door) -> list[dict[str, Any]]:
    return call(door, "GET", V3 + "traces/tr-1")[1]["trace"]["trace_info"].get("assessments", [])


@pytest.mark.parametrize("value", [True, 0.25, "text ✓", ["a", 1], {"deep": {"er": None}}, None])
def test_feedback_of_any_shape_is_read_back(door: Door, value: Any) -> None:
    start(door)
    made = assess(door, feedback={"value": value}, rationale="because", metadata={"k": "v"}, span_id="ab12")
    assert made["feedback"] == {"value": value}
    assert (made["rationale"], made["metadata"], made["span_id"]) == ("because", {"k": "v"}, "ab12")
    assert shown(door) == [made]
    assert call(door, "GET", f"{PATH}/{made['assessment_id']}") == (200, {"assessment": made})


def test_an_expectation_may_be_serialized_and_an_error_may_stand_for_feedback(door: Door) -> None:
    start(door)
    text = {"serialized_value": {"serialization_format": "JSON_FORMAT", "value": '{"a":[1,2]}'}}
    made = assess(door, feedback=None, expectation=text)
    assert made["expectation"]["serialized_value"]["value"] == '{"a":[1,2]}'
    plain = assess(door, feedback=None, expectation={"value": 7})
    assert plain["expectation"] == {"value": 7}
    error = {"error_code": "TIMEOUT", "error_message": "late", "stack_trace": "x"}
    assert assess(door, feedback={"error": error})["feedback"]["error"] == error


def test_an_override_replaces_and_its_end_restores(door: Door) -> None:
    start(door)
    first = assess(door, feedback={"value": 0.1})
    second = assess(door, feedback={"value": 0.9}, overrides=first["assessment_id"])
    assert [item["valid"] for item in shown(door)] == [False, True]
    assert found(door, "feedback.good < 0.5") == []
    for _ in range(2):
        assert call(door, "DELETE", f"{PATH}/{second['assessment_id']}") == (200, {})
    assert [item["valid"] for item in shown(door)] == [True]
    assert found(door, "feedback.good < 0.5") == ["tr-1"]
    assert AuditEvent.objects.filter(action="assessment.delete").count() == 1


def test_an_update_changes_what_its_mask_names(door: Door) -> None:
    start(door)
    made = assess(door, metadata={"a": "1"}, rationale="old")
    path = f"{PATH}/{made['assessment_id']}"
    new = {"feedback": {"value": False}, "metadata": {"b": "2"}, "rationale": "ignored", "assessment_name": "better"}
    body = {"assessment": new, "update_mask": "feedback,metadata,assessmentName"}
    changed = call(door, "PATCH", path, body)[1]["assessment"]
    assert (changed["feedback"], changed["assessment_name"]) == ({"value": False}, "better")
    assert (changed["metadata"], changed["rationale"]) == ({"a": "1", "b": "2"}, "old")
    assert changed["last_update_time"] >= changed["create_time"]
    other_kind = {"assessment": {"expectation": {"value": 1}}, "update_mask": "expectation"}
    assert "Cannot update" in call(door, "PATCH", path, other_kind)[1]["message"]
    for wrong in (other_kind, {"assessment": new}, {"assessment": new, "update_mask": "source"}, {}):
        assert call(door, "PATCH", path, wrong)[0] == 400
    assert Assessment.objects.get().value is False
    assert call(door, "PATCH", f"{PATH}/a-none", body)[0] == 404


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"assessment_name": ""}, "assessment.assessment_name"),
        ({"assessment_name": "x" * 251}, "assessment.assessment_name"),
        ({"feedback": 5}, "assessment.feedback"),
        ({"expectation": {"value": 1}}, "exactly one"),
        ({"feedback": {}, "source": {"source_type": "ORACLE"}}, "source_type"),
        ({"source": {"source_type": "HUMAN", "source_id": "x" * 251}}, "source_id"),
        ({"assessment_id": "a/b"}, "assessment.assessment_id"),
        ({"rationale": 7}, "rationale"),
        ({"metadata": {"a": 1}}, "assessment.metadata.a"),
        ({"valid": "yes"}, "assessment.valid"),
        ({"feedback": {"value": "x" * 100_001}}, "assessment.feedback.value"),
        ({"feedback": {"error": "x"}}, "assessment.feedback.error"),
        ({"feedback": None, "expectation": {}}, "assessment.expectation.value"),
        ({"feedback": None, "expectation": {"serialized_value": {"value": "{"}}}, "serialized_value.value"),
        ({"create_time": "now"}, "assessment.create_time"),
    ],
)
def test_a_broken_assessment_is_refused_by_its_field(door: Door, fields: dict[str, Any], name: str) -> None:
    start(door)
    given = {"assessment_name": "good", "feedback": {"value": True}} | fields
    status, answer = call(door, "POST", PATH, {"assessment": {k: v for k, v in given.items() if v is not None}})
    assert status == 400, answer
    assert name in answer["message"]
    assert not Assessment.objects.exists()


def test_what_is_not_there_can_not_be_assessed_or_overridden(door: Door, door_of: Callable[..., Door]) -> None:
    start(door)
    given = {"assessment_name": "a", "feedback": {"value": 1}}
    assert call(door, "POST", PATH.replace("tr-1", "tr-2"), {"assessment": given})[0] == 404
    assert call(door, "POST", PATH, {"assessment": given | {"overrides": "a-none"}})[0] == 404
    made = assess(door, assessment_id="mine")
    status, answer = call(door, "POST", PATH, {"assessment": given | {"assessment_id": "mine"}})
    assert (status, answer["error_code"]) == (400, "RESOURCE_ALREADY_EXISTS")
    assert call(door_of("viewer"), "DELETE", f"{PATH}/{made['assessment_id']}")[0] == 403
    assert Assessment.objects.count() == 1
