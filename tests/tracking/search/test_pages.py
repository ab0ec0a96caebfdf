"""Searches through the MLflow door: lives, attributes, refusals, tokens, experiments."""

from typing import Any

import pytest

from tests.factories.door import Door
from tests.tracking.search.searching import search_all


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
            more: dict[str, Any] = {"page_token": token} if token else {}
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
