"""Evaluation datasets through the MLflow door."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from apps.tenants.access.models import AuditEvent
from apps.tenants.models import Tenant
from apps.tracking.models import EvaluationDataset, EvaluationRecord, Project
from tests.factories.door import Door
from tests.factories.traces import V3, call

PATH = V3 + "datasets/"


def make(door: Door, name: str = "faq", **fields: Any) -> dict[str, Any]:
    status, answer = call(door, "POST", PATH + "create", {"name": name, **fields})
    assert status == 200, answer
    return answer["dataset"]


def put(door: Door, identity: str, *records: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    return call(door, "POST", f"{PATH}{identity}/records", {"records": json.dumps(records)})


def records(door: Door, identity: str) -> list[dict[str, Any]]:
    found, token = [], ""
    for _ in range(10):
        query = f"?max_results=2&page_token={token}" if token else "?max_results=2"
        status, page = call(door, "GET", f"{PATH}{identity}/records{query}")
        assert status == 200, page
        found += json.loads(page["records"])
        token = page.get("next_page_token", "")
        if not token:
            break
    return found


def shown(door: Door, identity: str) -> dict[str, Any]:
    status, answer = call(door, "GET", f"{PATH}{identity}")
    assert status == 200, answer
    return answer["dataset"]


def tag(door: Door, identity: str, tags: dict[str, str]) -> int:
    return call(door, "PATCH", f"{PATH}{identity}/tags", {"tags": json.dumps(tags)})[0]


def names(door: Door, **fields: Any) -> list[str]:
    status, answer = call(door, "POST", PATH + "search", fields)
    assert status == 200, answer
    return [row["name"] for row in answer.get("datasets", [])]


def test_a_dataset_is_read_back_as_it_was_made(door: Door) -> None:
    home = door.experiment("home")
    made = make(door, tags=json.dumps({"k": "ünï", "none": None}), experiment_ids=[home, "0", home])
    assert (made["name"], json.loads(made["tags"])) == ("faq", {"k": "ünï"})
    assert sorted(made["experiment_ids"]) == sorted(["0", home])
    assert call(door, "GET", PATH + made["dataset_id"]) == (200, {"dataset": made})
    assert EvaluationDataset.objects.get().created_by.startswith("key:")


def test_the_same_inputs_are_one_record(door: Door) -> None:
    identity = make(door)["dataset_id"]
    first = {"inputs": {"q": 1, "r": [1]}, "outputs": "a", "expectations": {"x": 1}, "tags": {"t": "1"}}
    source = {"source_type": "trace", "source_data": {"trace_id": "tr-1"}}
    others = [{"inputs": {"q": i}, "source": source} for i in range(2, 6)]
    assert put(door, identity, first, *others)[1] == {"inserted_count": 5, "updated_count": 0}
    again = {"inputs": {"r": [1], "q": 1}, "outputs": None, "expectations": {"y": 2}, "tags": {"u": "2"}}
    assert put(door, identity, again, {"inputs": {"new": True}}, {"inputs": {"new": True}})[1] == {
        "inserted_count": 1,
        "updated_count": 2,
    }
    found = {json.dumps(row["inputs"], sort_keys=True): row for row in records(door, identity)}
    assert len(found) == 6
    merged = found['{"q": 1, "r": [1]}']
    assert (merged.get("outputs"), merged["expectations"], merged["tags"]) == (
        None,
        {"x": 1, "y": 2},
        {"t": "1", "u": "2"},
    )
    assert (found['{"q": 2}']["source"]["source_type"], found['{"q": 2}']["source_id"]) == ("TRACE", "tr-1")
    shown = call(door, "GET", PATH + identity)[1]["dataset"]
    assert json.loads(shown["profile"]) == {"num_records": 6}
    assert json.loads(shown["schema"])["inputs"] == {"q": "integer", "r": "array", "new": "boolean"}


BROKEN: list[Any] = [
    "{",
    "5",
    '{"inputs": {}}',
    "[1]",
    '[{"outputs": 1}]',
    '[{"inputs": []}]',
    '[{"inputs": {}, "expectations": 1}]',
    '[{"inputs": {}, "tags": {"a": 1}}]',
    '[{"inputs": {}, "source": {"source_type": "MOON"}}]',
    '[{"inputs": {"a": NaN}}]',
    '[{"inputs": {"a": 1, "a": 2}}]',
    '[{"inputs": {"a": "\\ud800"}}]',
    '[{"inputs": {"a": ' + "[" * 70 + "]" * 70 + "}}]",
    "",
    None,
    5,
    ["x"],
]


@pytest.mark.parametrize("text", BROKEN)
def test_broken_records_are_refused_whole(door: Door, text: Any) -> None:
    identity = make(door)["dataset_id"]
    if isinstance(text, str) and text.startswith("[{"):
        text = '[{"inputs": {"fine": 1}}, ' + text[1:]
    status, answer = call(door, "POST", f"{PATH}{identity}/records", {"records": text})
    assert status == 400, answer
    assert "records" in answer["message"]
    assert not EvaluationRecord.objects.exists()


def test_records_and_datasets_are_deleted_and_it_is_written_down(door: Door) -> None:
    identity = make(door)["dataset_id"]
    put(door, identity, *({"inputs": {"q": i}} for i in range(3)))
    some = [row["dataset_record_id"] for row in records(door, identity)][:2]
    body = {"dataset_record_ids": [*some, "dr-none"]}
    assert call(door, "DELETE", f"{PATH}{identity}/records", body) == (200, {"deleted_count": 2})
    assert call(door, "DELETE", f"{PATH}{identity}/records", body) == (200, {"deleted_count": 0})
    assert json.loads(call(door, "GET", PATH + identity)[1]["dataset"]["profile"]) == {"num_records": 1}
    assert call(door, "DELETE", PATH + identity) == (200, {})
    assert call(door, "DELETE", PATH + identity)[0] == 404
    assert not EvaluationRecord.objects.exists()
    actions = AuditEvent.objects.filter(object_type="EvaluationDataset").values_list("action", flat=True)
    assert sorted(actions) == ["dataset.create", "dataset.delete", "records.delete", "records.put"]


def test_searches_filter_order_and_page(door: Door) -> None:
    home = door.experiment("home")
    for i in range(5):
        where = {"experiment_ids": [home]} if i % 2 else {}
        make(door, f"set {i}", tags=json.dumps({"odd": str(i % 2)}), **where)
    EvaluationDataset.objects.filter(name="set 3").update(created_ms=1)
    assert names(door)[-1] == "set 3"
    assert sorted(names(door, experiment_ids=[home])) == ["set 1", "set 3"]
    assert names(door, filter_string="name LIKE 'set%' AND tags.odd = '1'", order_by=["name DESC"]) == [
        "set 3",
        "set 1",
    ]
    assert names(door, filter_string="created_time < 5") == ["set 3"]
    assert names(door, experiment_ids=["999"]) == []
    seen, token = [], ""
    for _ in range(4):
        page = call(door, "POST", PATH + "search", {"max_results": 2, "order_by": ["name"], "page_token": token})[1]
        seen += [row["name"] for row in page["datasets"]]
        token = page.get("next_page_token", "")
        if not token:
            break
    assert seen == [f"set {i}" for i in range(5)]
    for wrong in (
        {"filter_string": "records > 5"},
        {"order_by": ["tags.odd"]},
        {"page_token": "x"},
        {"max_results": 0},
    ):
        assert call(door, "POST", PATH + "search", wrong)[0] == 400


def test_tags_and_experiments_come_and_go(door: Door) -> None:
    home = door.experiment("home")
    identity = make(door)["dataset_id"]
    assert call(door, "PATCH", f"{PATH}{identity}/tags", {"tags": '{"a/b": "1", "c": "2"}'}) == (200, {})
    assert call(door, "DELETE", f"{PATH}{identity}/tags/a/b") == (200, {})
    assert call(door, "DELETE", f"{PATH}{identity}/tags/a/b") == (200, {})
    assert EvaluationDataset.objects.get().tags == {"c": "2"}
    for wrong in ({}, {"tags": "[]"}, {"tags": '{"a": 1}'}, {"tags": 5}):
        assert call(door, "PATCH", f"{PATH}{identity}/tags", wrong)[0] == 400
    both = {"experiment_ids": ["0", home]}
    assert call(door, "POST", f"{PATH}{identity}/add-experiments", both)[1]["dataset"]["experiment_ids"] == ["0", home]
    assert call(door, "GET", f"{PATH}{identity}/experiment-ids")[1] == {"experiment_ids": ["0", home]}
    left = call(door, "POST", f"{PATH}{identity}/remove-experiments", {"experiment_ids": ["0"]})[1]
    assert left["dataset"]["experiment_ids"] == [home]
    assert call(door, "POST", f"{PATH}{identity}/add-experiments", {"experiment_ids": ["0", "999"]})[0] == 404
    assert EvaluationDataset.objects.get().experiments.count() == 1


@pytest.mark.parametrize("fields", [{}, {"name": ""}, {"name": "x" * 251}, {"name": "a", "tags": "{"}, {"name": []}])
def test_a_broken_dataset_is_refused(door: Door, fields: dict[str, Any]) -> None:
    assert call(door, "POST", PATH + "create", fields)[0] == 400
    assert call(door, "POST", PATH + "create", {"name": "a", "experiment_ids": ["999"]})[0] == 404
    assert not EvaluationDataset.objects.exists()


def outside(door: Door, identity: str) -> list[int]:
    """Every verb on a dataset that this door must not know."""
    return [
        call(door, "GET", PATH + identity)[0],
        call(door, "GET", f"{PATH}{identity}/records")[0],
        put(door, identity, {"inputs": {"q": 1}})[0],
        call(door, "DELETE", f"{PATH}{identity}/records", {"dataset_record_ids": ["dr-1"]})[0],
        call(door, "PATCH", f"{PATH}{identity}/tags", {"tags": '{"a": "1"}'})[0],
        call(door, "DELETE", f"{PATH}{identity}/tags/a")[0],
        call(door, "POST", f"{PATH}{identity}/add-experiments", {"experiment_ids": ["0"]})[0],
        call(door, "GET", f"{PATH}{identity}/experiment-ids")[0],
        call(door, "DELETE", PATH + identity)[0],
    ]


def test_a_key_of_one_project_knows_its_own_datasets_only(door: Door, door_of: Callable[..., Door]) -> None:
    theirs = make(door, "theirs", experiment_ids=["0"])["dataset_id"]
    project = Project.objects.create(slug="mine", name="mine")
    mine = door_of(project_id=project.pk)
    own = make(mine, "own")["dataset_id"]
    assert EvaluationDataset.objects.get(pk=own).project == project
    assert outside(mine, theirs) == [404] * 9
    assert names(mine) == ["own"]
    assert sorted(names(door)) == ["own", "theirs"]
    call(door, "POST", f"{PATH}{own}/add-experiments", {"experiment_ids": ["0"]})
    assert call(mine, "GET", f"{PATH}{own}/experiment-ids") == (200, {})
    assert call(mine, "POST", PATH + "create", {"name": "a", "experiment_ids": ["0"]})[0] == 404


def test_viewers_and_the_other_tenant_change_nothing(
    acme: Tenant, door: Door, door_of: Callable[..., Door], globex: Tenant, api: Callable[..., Client]
) -> None:
    identity = make(door)["dataset_id"]
    viewer = door_of("viewer")
    assert names(viewer) == ["faq"]
    assert put(viewer, identity, {"inputs": {}})[0] == 403
    assert call(viewer, "DELETE", PATH + identity)[0] == 403
    theirs = Door(api(globex))
    assert outside(theirs, identity) == [404] * 9
    assert names(theirs) == []
    assert not EvaluationDataset.objects.exists()


def test_a_note_moves_neither_time_nor_digest(door: Door) -> None:
    made = make(door)
    EvaluationDataset.objects.update(created_ms=1, updated_ms=2)
    before = shown(door, made["dataset_id"])
    assert tag(door, made["dataset_id"], {"a": "1", "mlflow.user": "eve"}) == 200
    after = shown(door, made["dataset_id"])
    assert json.loads(after["tags"])["a"] == "1"
    for name in ("last_update_time", "digest", "created_time", "created_by", "last_updated_by"):
        assert after[name] == before[name], name


def test_the_author_is_who_the_client_says(door: Door) -> None:
    made = make(door, tags=json.dumps({"mlflow.user": "ada"}))
    assert (made["created_by"], made["last_updated_by"]) == ("ada", "ada")
    put(door, made["dataset_id"], {"inputs": {"q": 1}, "tags": {"mlflow.user": "bea"}}, {"inputs": {"q": 2}})
    first, second = sorted(records(door, made["dataset_id"]), key=lambda row: row["inputs"]["q"])
    assert first["created_by"] == "bea"
    assert second["created_by"].startswith("key:")
