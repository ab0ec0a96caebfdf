"""Every search through the MLflow door: its order down to the last tie, what it may be sorted by, and what it refuses.

Source  MLflow 3.17's own stores: the last columns of each ORDER BY
"""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from apps.registry.models import Artifact, ArtifactVersion, LoggedModel
from apps.registry.search import filters as search_filters
from apps.tenants.models import Tenant
from apps.tracking import evaluation_search
from apps.tracking.models import EvaluationDataset, Experiment, Run, Trace
from apps.tracking.search import pages as search_pages
from apps.tracking.traces import search as trace_search
from maestro.filters import Vocabulary
from tests.factories.door import Door

V3 = "/api/3.0/mlflow/"


@pytest.fixture
def ask(acme: Tenant, api: Callable[..., Client]) -> Callable[..., tuple[int, dict[str, Any]]]:
    client = api(acme)

    def send(method: str, path: str, fields: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        address = path if path.startswith("/") else f"/api/2.0/mlflow/{path}"
        if method == "GET":
            answer = client.get(address, fields)
        else:
            answer = client.generic(method, address, json_of(fields), content_type="application/json")
        return answer.status_code, answer.json()

    return send


def json_of(fields: dict[str, Any]) -> str:
    return json.dumps(fields)


LOCATION = {"locations": [{"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": "0"}}]}
SEARCHES: dict[str, tuple[str, str, dict[str, Any], Vocabulary]] = {
    "runs": ("POST", "runs/search", {"experiment_ids": ["0"]}, search_pages.RUNS),
    "experiments": ("POST", "experiments/search", {"max_results": 10}, search_pages.EXPERIMENTS),
    "traces": ("POST", f"{V3}traces/search", LOCATION, trace_search.VOCABULARY),
    "evaluation datasets": ("POST", f"{V3}datasets/search", {}, evaluation_search.VOCABULARY),
    "registered models": ("GET", "registered-models/search", {}, search_filters.ARTIFACTS),
    "model versions": ("GET", "model-versions/search", {}, search_filters.VERSIONS),
}


def identifiers(vocabulary: Vocabulary) -> list[str]:
    keyed = [f"{prefix}.x" for prefix in vocabulary.keyed]
    plain = [name if name.isidentifier() or "." in name else f"attributes.`{name}`" for name in vocabulary.attributes]
    return [*keyed, *plain]


@pytest.mark.parametrize("name", SEARCHES)
def test_whatever_can_be_searched_by_is_sorted_by_or_refused(name: str, ask: Callable[..., Any]) -> None:
    method, path, fields, vocabulary = SEARCHES[name]
    seen = {}
    for identifier in identifiers(vocabulary):
        for direction in ("", " DESC"):
            status, answer = ask(method, path, fields | {"order_by": [identifier + direction]})
            assert status in (200, 400), (identifier, answer)
            assert status == 200 or "Invalid order_by" in answer["message"], (identifier, answer)
            seen[identifier] = status
    assert 200 in seen.values()


@pytest.mark.parametrize("field", ["tags.x", "params.x", "metrics.x", "name", "status", "creation_time", "x"])
def test_logged_models_are_sorted_by_it_or_it_is_refused(field: str, ask: Callable[..., Any]) -> None:
    order = {"experiment_ids": ["0"], "order_by": [{"field_name": field}]}
    status, answer = ask("POST", "logged-models/search", order)
    assert status == (400 if field in ("tags.x", "params.x", "x") else 200), answer


OF_ONE = ("run_id IN ('x',)", "run_id NOT IN ('x',)")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *(("runs", text) for text in OF_ONE),
        ("runs", "dataset.name IN ('x', 'y',)"),
        ("experiments", "experiment_id IN ('1',)"),
        ("traces", "run_id IN ('x',)"),
        ("registered models", "name IN ('x',)"),
        ("model versions", "run_id IN ('x',)"),
    ],
)
def test_a_list_is_read_as_python_writes_a_tuple(name: str, text: str, ask: Callable[..., Any]) -> None:
    method, path, fields, _ = SEARCHES[name]
    filter_name = "filter_string" if name == "evaluation datasets" else "filter"
    assert ask(method, path, fields | {filter_name: text})[0] == 200
    for wrong in (text.replace("(", "(,"), text.replace(",)", ",,)")):
        assert ask(method, path, fields | {filter_name: wrong})[0] == 400


def test_runs_that_began_together_come_by_id(door: Door) -> None:
    home = Experiment.objects.get(name="Default")
    for number in (3, 1, 2):
        Run.objects.create(
            id=f"00000000-0000-4000-8000-00000000000{number}", experiment=home, name="same", start_ms=5, last_write_ms=5
        )
    for order in ([], ["attributes.run_name DESC"], ["metrics.none"], ["start_time ASC"], ["params.x DESC"]):
        answer = door.post("runs/search", {"experiment_ids": ["0"], "order_by": order})
        assert [run["info"]["run_id"][-1] for run in answer["runs"]] == ["1", "2", "3"], order


def test_experiments_made_together_come_by_number(door: Door) -> None:
    made = [
        Experiment.objects.create(
            project_id=Experiment.objects.get(name="Default").project_id, name=n, created_ms=9, updated_ms=9
        ).pk
        for n in "cba"
    ]

    def found(*order: str) -> list[int]:
        answer = door.post("experiments/search", {"max_results": 9, "order_by": order, "filter": "name != 'Default'"})
        return [int(one["experiment_id"]) for one in answer["experiments"]]

    assert found() == made
    for order in ("creation_time DESC", "creation_time ASC", "last_update_time"):
        assert found(order) == made[::-1], order
    assert found("name ASC") == made[::-1]
    assert found("creation_time", "experiment_id ASC") == made


def test_traces_come_by_tag_metadata_and_experiment(acme: Tenant, ask: Callable[..., Any]) -> None:
    home = Experiment.objects.get(name="Default")
    for name, tags in (("tr-b", {"k": "1"}), ("tr-a", {"k": "1"}), ("tr-c", {}), ("tr-d", {"k": "2"})):
        Trace.objects.create(id=name, experiment=home, request_ms=5, state="OK", tags=tags, metadata=tags)

    def found(*order: str) -> str:
        status, answer = ask("POST", f"{V3}traces/search", LOCATION | {"order_by": order})
        assert status == 200, answer
        return "".join(trace["trace_id"][-1] for trace in answer["traces"])

    assert found() == "abcd"
    assert found("tag.k") == found("metadata.k ASC") == found("tags.`k`") == "abdc"
    assert found("tag.k DESC") == "dabc"
    assert found("experiment_id DESC", "request_id DESC") == "dcba"
    pages, token = "", None
    while token is not None or not pages:
        more = {"order_by": ["tag.k DESC"], "max_results": 1} | ({"page_token": token} if token else {})
        answer = ask("POST", f"{V3}traces/search", LOCATION | more)[1]
        pages += answer["traces"][0]["trace_id"][-1]
        token = answer.get("next_page_token")
    assert pages == "dabc"


def test_evaluation_datasets_made_together_come_by_id_from_the_last(acme: Tenant, ask: Callable[..., Any]) -> None:
    home = Experiment.objects.get(name="Default").project_id
    for letter in "bca":
        EvaluationDataset.objects.create(id=f"d-{letter}", project_id=home, name="same", created_ms=5, updated_ms=5)
    for order in ([], ["name ASC"], ["created_time ASC"]):
        answer = ask("POST", f"{V3}datasets/search", {"order_by": order})[1]
        assert [row["dataset_id"] for row in answer["datasets"]] == ["d-c", "d-b", "d-a"], order


def test_models_and_versions_come_by_name_and_number_from_the_last(acme: Tenant, ask: Callable[..., Any]) -> None:
    for name, changed in (("b", 1), ("a", 1), ("B", 9)):
        model = Artifact.objects.create(name=name, kind="model", created_ms=1, updated_ms=5)
        for number in (1, 2):
            ArtifactVersion.objects.create(
                artifact=model, number=number, state="ready", created_ms=5, updated_ms=changed * number
            )

    def models(*order: str) -> list[str]:
        return [
            row["name"] for row in ask("GET", "registered-models/search", {"order_by": order})[1]["registered_models"]
        ]

    def versions(*order: str) -> list[str]:
        found = ask("GET", "model-versions/search", {"order_by": order})[1]["model_versions"]
        return [row["name"] + row["version"] for row in found]

    assert models() == models("timestamp DESC") == models("last_updated_timestamp") == ["B", "a", "b"]
    assert versions() == ["B2", "B1", "a2", "b2", "a1", "b1"]
    assert versions("name ASC") == ["B2", "B1", "a2", "a1", "b2", "b1"]
    assert versions("name DESC") == ["b2", "b1", "a2", "a1", "B2", "B1"]
    assert versions("version_number ASC") == ["B1", "a1", "b1", "B2", "a2", "b2"]
    assert versions("creation_timestamp DESC") == ["B2", "B1", "a2", "a1", "b2", "b1"]


def test_logged_models_made_together_come_by_id(acme: Tenant, ask: Callable[..., Any]) -> None:
    home = Experiment.objects.get(name="Default")
    for number in (3, 1, 2):
        LoggedModel.objects.create(
            id=f"00000000-0000-4000-8000-00000000000{number}", experiment=home, name="same", created_ms=5, updated_ms=5
        )
    for order in ([], [{"field_name": "name"}], [{"field_name": "metrics.auc", "ascending": False}]):
        answer = ask("POST", "logged-models/search", {"experiment_ids": ["0"], "order_by": order})[1]
        assert [row["info"]["model_id"][-1] for row in answer["models"]] == ["1", "2", "3"], order


@pytest.mark.parametrize("prefix", ["`params`", '"params"'])
@pytest.mark.parametrize("key", ["lr", "`lr`", '"lr"', "5"])
def test_a_quoted_prefix_is_a_prefix(door: Door, prefix: str, key: str) -> None:
    run = door.run()
    door.post("runs/log-parameter", {"run_id": run, "key": key.strip('`"'), "value": "1"})
    body = {"experiment_ids": ["0"], "filter": f"{prefix}.{key} = '1'", "order_by": [f"{prefix}.{key} DESC"]}
    assert [one["info"]["run_id"] for one in door.post("runs/search", body)["runs"]] == [run]
    for wrong in (f"{prefix}. = '1'", f"{prefix}.'lr' = '1'", f"{prefix}.(lr) = '1'"):
        assert door.send("runs/search", {"experiment_ids": ["0"], "filter": wrong})[0] == 400
