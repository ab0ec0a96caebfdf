"""The registry's MLflow door under bad input: 4xx in MLflow's words, nothing stored, in bounded time."""

import io
import json
import time
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.registry.models import Artifact, ArtifactVersion, LoggedModel
from apps.tenants.models import Tenant
from apps.tracking.models import Project

ApiFor = Callable[..., Client]
CALL = "/api/2.0/mlflow/"
HUGE = "9" * 30
FILTERS = (
    "__import__('os').system('x')",
    "name = 'a' UNION SELECT 1",
    "name = 'a'; DROP TABLE registry_artifact",
    'name = "a',
    "tags. = 'a'",
    "tags.`a = 'b'",
    "name LIKE 5",
    "metrics.auc = 1",
    " AND ".join(["name = 'a'"] * 3000),
    "(" * 5000 + "name = 'a'" + ")" * 5000,
    "x" * 10_000,
    "NOT " * 1000 + "name = 'a'",
)
BODIES: tuple[tuple[str, str, Any], ...] = (
    ("POST", "registered-models/create", {}),
    ("POST", "registered-models/create", {"name": ""}),
    ("POST", "registered-models/create", {"name": "a/b"}),
    ("POST", "registered-models/create", {"name": "a:b"}),
    ("POST", "registered-models/create", {"name": ".."}),
    ("POST", "registered-models/create", {"name": 5}),
    ("POST", "registered-models/create", {"name": "n\x00ul"}),
    ("POST", "registered-models/create", {"name": "\ud800"}),
    ("POST", "registered-models/create", {"name": "x" * 251}),
    ("POST", "registered-models/create", {"name": "a", "tags": {"k": "v"}}),
    ("POST", "registered-models/create", {"name": "a", "tags": [{"value": "v"}]}),
    ("POST", "registered-models/create", {"name": "a", "tags": [{"key": "k" * 251, "value": "v"}]}),
    ("POST", "registered-models/create", {"name": "a", "tags": [{"key": "k", "value": "v" * 100_001}]}),
    ("POST", "registered-models/create", {"name": "a", "tags": [{"key": "k", "value": 1}]}),
    ("POST", "registered-models/create", {"name": "a", "description": ["x"]}),
    ("POST", "model-versions/create", {"name": "there"}),
    ("POST", "model-versions/create", {"name": "there", "source": "s3://b/x", "model_id": "m-1"}),
    ("POST", "model-versions/create", {"name": "nobody", "source": "s3://b/x"}),
    ("POST", "model-versions/transition-stage", {"name": "there", "version": "1", "stage": "Live"}),
    ("POST", "model-versions/transition-stage", {"name": "there", "version": HUGE, "stage": "Staging"}),
    ("POST", "model-versions/transition-stage", {"name": "there", "version": "1e1", "stage": "Staging"}),
    (
        "POST",
        "model-versions/transition-stage",
        {"name": "there", "version": "1", "stage": "Staging", "archive_existing_versions": "yes"},
    ),
    ("POST", "registered-models/alias", {"name": "there", "alias": "a", "version": "99"}),
    ("POST", "registered-models/alias", {"name": "there", "alias": "x" * 256, "version": "1"}),
    ("POST", "registered-models/rename", {"name": "there", "new_name": "a/b"}),
    ("POST", "registered-models/rename", {"name": "there"}),
    ("POST", "logged-models", {"experiment_id": "99999"}),
    ("POST", "logged-models", {"experiment_id": HUGE}),
    ("POST", "logged-models", {"experiment_id": "0", "name": "a/b"}),
    ("POST", "logged-models", {"experiment_id": "0", "params": [{"key": "../x", "value": "1"}]}),
    ("POST", "logged-models", {"experiment_id": "0", "params": [{"key": str(n), "value": "1"} for n in range(101)]}),
    ("POST", "logged-models/search", {"experiment_ids": ["0"], "max_results": 0}),
    ("POST", "logged-models/search", {"experiment_ids": ["0"], "max_results": 2**63}),
    ("POST", "logged-models/search", {"experiment_ids": ["0"], "page_token": "nonsense"}),
    ("POST", "logged-models/search", {"experiment_ids": ["0"], "order_by": [{"field_name": "colour"}]}),
    ("POST", "logged-models/search", {"experiment_ids": ["0"], "order_by": [{"field_name": "name", "ascending": 1}]}),
    ("POST", "runs/outputs", {"run_id": "x", "models": []}),
    ("DELETE", "registered-models/delete", {"name": "nobody"}),
    ("DELETE", "model-versions/delete", {"name": "there", "version": "-1"}),
    ("PATCH", "logged-models/m-zz", {"status": "LOGGED_MODEL_READY"}),
)


def send(client: Client, method: str, address: str, body: Any) -> Any:
    return client.generic(method, CALL + address, json.dumps(body), content_type="application/json")


def make(client: Client) -> None:
    assert send(client, "POST", "registered-models/create", {"name": "there"}).status_code == 200
    assert send(client, "POST", "model-versions/create", {"name": "there", "source": "s3://b/x"}).status_code == 200


def test_a_bad_call_is_refused_in_mlflows_words_and_stores_nothing(acme: Tenant, api: ApiFor) -> None:
    client = api(acme)
    make(client)
    for method, address, body in BODIES:
        answer = send(client, method, address, body)
        assert 400 <= answer.status_code < 500, (address, body, answer.content)
        assert set(answer.json()) == {"error_code", "message"}, (address, body)
    assert (Artifact.objects.count(), ArtifactVersion.objects.count(), LoggedModel.objects.count()) == (1, 1, 0)


def test_a_bad_filter_is_refused_soon(acme: Tenant, api: ApiFor) -> None:
    client = api(acme)
    make(client)
    began = time.process_time()
    for text in FILTERS:
        for address in ("registered-models/search", "model-versions/search"):
            answer = client.get(CALL + address, {"filter": text})
            assert answer.status_code in (400, 413, 414), (text[:60], answer.content)
    assert time.process_time() - began < 10
    assert Artifact.objects.exists()


@pytest.mark.parametrize("pattern", ["%" * 4000, "_%" * 2000, "\\", "a\\", "%\\", "%'", "[", "("])
def test_a_pattern_is_only_a_pattern(acme: Tenant, api: ApiFor, pattern: str) -> None:
    client = api(acme)
    make(client)
    for operator in ("LIKE", "ILIKE"):
        text = f"name {operator} '{pattern.replace(chr(39), chr(39) * 2)}'"
        answer = client.get(CALL + "registered-models/search", {"filter": text})
        assert answer.status_code == 200 or len(text) > 4_000, answer.content


def test_what_looks_dangerous_is_kept_as_bytes_and_never_opened(acme: Tenant, api: ApiFor) -> None:
    client = api(acme)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../../evil.txt", "x")
        archive.writestr("bomb", b"\x00" * 20_000_000)
    contents = {
        "model.pkl": b"cos\nsystem\n(S'touch /tmp/owned'\ntR.",
        "slip.zip": packed.getvalue(),
        "MLmodel": b"!!python/object/apply:os.system ['touch /tmp/owned']",
    }
    made = send(client, "POST", "logged-models", {"experiment_id": "0", "name": "m"}).json()["model"]["info"]
    base = f"/api/2.0/mlflow-artifacts/artifacts/0/models/{made['model_id']}/artifacts"
    for name, body in contents.items():
        began = time.process_time()
        assert client.put(f"{base}/{name}", body, content_type="application/octet-stream").status_code == 200
        assert client.get(f"{base}/{name}").getvalue() == body
        assert time.process_time() - began < 5
    listed = client.get(f"{CALL}logged-models/{made['model_id']}/artifacts/directories").json()["files"]
    assert sorted(row["path"] for row in listed) == sorted(contents)


def test_a_version_in_use_is_not_deleted(acme: Tenant, api: ApiFor) -> None:
    client = api(acme)
    make(client)
    body = json.dumps({"usages": ["there@1"]})
    assert client.put("/api/v1/projects/default/usages/", body, content_type="application/json").status_code == 200
    for address, fields in (
        ("model-versions/delete", {"name": "there", "version": "1"}),
        ("registered-models/delete", {"name": "there"}),
    ):
        answer = send(client, "DELETE", address, fields)
        assert (answer.status_code, answer.json()["error_code"]) == (409, "RESOURCE_CONFLICT")
    assert ArtifactVersion.objects.count() == 1


def test_a_key_of_one_project_reaches_no_model_or_file_of_another(acme: Tenant, api: ApiFor) -> None:
    keys = {slug: api(acme, project_id=Project.objects.create(slug=slug, name=slug).pk) for slug in ("own", "other")}
    made = {}
    for slug, client in keys.items():
        experiment = client.post(
            f"{CALL}experiments/create", json.dumps({"name": slug}), content_type="application/json"
        ).json()["experiment_id"]
        run = send(client, "POST", "runs/create", {"experiment_id": experiment}).json()["run"]["info"]["run_id"]
        model = send(client, "POST", "logged-models", {"experiment_id": experiment, "source_run_id": run}).json()
        model_id = model["model"]["info"]["model_id"]
        proxy = f"/api/2.0/mlflow-artifacts/artifacts/{experiment}"
        files = (f"{proxy}/{run}/artifacts/a", f"{proxy}/models/{model_id}/artifacts/a")
        for address in files:
            assert client.put(address, b"x", content_type="text/plain").status_code == 200
        assert send(client, "POST", "registered-models/create", {"name": f"of-{slug}"}).status_code == 200
        source = {"name": f"of-{slug}", "source": f"models:/{model_id}"}
        assert send(client, "POST", "model-versions/create", source).status_code == 200
        made[slug] = (experiment, run, model_id, files)
    experiment, run, model_id, files = made["other"]
    own = keys["own"]
    for address in files:
        assert [getattr(own, verb)(address).status_code for verb in ("get", "put", "delete")] == [404, 404, 404]
    for address in (
        f"logged-models/{model_id}",
        f"logged-models/{model_id}/artifacts/directories",
        "registered-models/get?name=of-other",
        "model-versions/get?name=of-other&version=1",
        "model-versions/get-download-uri?name=of-other&version=1",
        f"artifacts/list?run_id={run}",
    ):
        assert own.get(CALL + address).status_code == 404, address
    stolen = {"name": "of-own", "source": f"models:/{model_id}"}
    assert send(own, "POST", "model-versions/create", stolen).status_code == 400
    search = send(own, "POST", "logged-models/search", {"experiment_ids": [experiment, made["own"][0]]}).json()
    assert [row["info"]["model_id"] for row in search["models"]] == [made["own"][2]]
    names = [row["name"] for row in own.get(f"{CALL}registered-models/search").json()["registered_models"]]
    assert names == ["of-own"]


def test_lists_cost_the_same_however_many_rows_they_show(acme: Tenant, api: ApiFor) -> None:
    client = api(acme)

    def add(numbers: range) -> None:
        for number in numbers:
            assert send(client, "POST", "registered-models/create", {"name": f"m{number}"}).status_code == 200
            source = {"name": f"m{number}", "source": "s3://b/x", "tags": [{"key": "a", "value": "b"}]}
            assert send(client, "POST", "model-versions/create", source).status_code == 200
            send(client, "POST", "logged-models", {"experiment_id": "0", "name": f"l{number}"})

    def costs() -> dict[str, tuple[int, int]]:
        found = {}
        for address in (
            "registered-models/search",
            "model-versions/search",
            "logged-models/search",
            "/api/v1/artifacts/",
        ):
            with CaptureQueriesContext(connection) as queries:
                if address.startswith("logged"):
                    answer = send(client, "POST", address, {"experiment_ids": ["0"]})
                else:
                    answer = client.get(address if address.startswith("/") else CALL + address)
            found[address] = (len(next(iter(answer.json().values()))), len(queries))
        return found

    add(range(2))
    costs()
    few = costs()
    add(range(2, 14))
    many = costs()
    assert [rows for rows, _ in few.values()] == [2] * 4
    assert [rows for rows, _ in many.values()] == [14] * 4
    assert [queries for _, queries in few.values()] == [queries for _, queries in many.values()]
    assert max(queries for _, queries in many.values()) <= 16, many


def test_a_narrowed_key_does_no_more_by_this_door(acme: Tenant, api: ApiFor) -> None:
    make(api(acme))
    reads, tracks = api(acme, scopes=["read"]), api(acme, scopes=["tracking"])
    for client in (reads, tracks):
        answer = send(client, "POST", "registered-models/create", {"name": "more"})
        assert (answer.status_code, answer.json()["error_code"]) == (403, "PERMISSION_DENIED")
    assert send(reads, "POST", "runs/create", {"experiment_id": "0"}).status_code == 403
    assert send(tracks, "POST", "runs/create", {"experiment_id": "0"}).status_code == 200
    assert reads.get(f"{CALL}registered-models/get?name=there").status_code == 200
    assert send(api(acme, scopes=["registry"]), "POST", "registered-models/create", {"name": "more"}).status_code == 200
