"""Requests made from our own description of the API, good and bad: none is a fault of the server's, and each is
answered as the description says: its status, its kind of document and, where it is JSON, its shape.

MAESTRO_FUZZ_EXAMPLES sets how many are made for each operation and mode.
"""

import json
import os
from collections.abc import Callable
from functools import cache
from typing import Any, cast
from urllib.parse import urlencode

import pytest
import schemathesis
from django.contrib.auth.models import User
from django.db import transaction
from django.test import Client
from hypothesis import HealthCheck, Phase, given, settings
from jsonschema import Draft202012Validator
from schemathesis import GenerationMode

from apps.recommendations.models import Training
from apps.tenants.models import Tenant
from tests.auditing.rest_writes import publisher
from tests.description import DESCRIPTION
from tests.factories.stage import V1, Stage

EXAMPLES = int(os.environ.get("MAESTRO_FUZZ_EXAMPLES", "4"))
OPERATIONS = [cast(Any, found).ok() for found in schemathesis.openapi.from_dict(DESCRIPTION).get_all_operations()]


def things(stage: Stage) -> dict[str, str]:
    """One of each kind that an address can name, as the admin's key made them."""
    artifact, run = stage.artifact(), stage.run()
    stage.alias(artifact)
    path = f"/api/2.0/mlflow-artifacts/artifacts/{run['artifact_uri'].partition(':/')[2].lstrip('/')}/a.txt"
    assert stage.admin.put(path, b"bytes", content_type="application/octet-stream").status_code == 200
    view = {"name": "v", "state": {"experiments": [0]}}
    person = User.objects.create_user("ada")
    project = stage.project(goal_metric="auc")
    stage.ask("PUT", f"{V1}projects/{project}/members/ada/", {"title": "lead"})
    stage.ask("PUT", f"{V1}projects/{project}/roles/ada/", {"role": "approver"})
    stage.ask("PUT", f"{V1}projects/{project}/usages/", {"usages": [f"{artifact}@1"]})
    return {
        "artifact": artifact,
        "alias": "champion",
        "version": "1",
        "path": "a.txt",
        "project": project,
        "username": person.username,
        "run": run["run_id"],
        "experiment": run["experiment_id"],
        "view": str(stage.ask("POST", f"{V1}views/", view).json()["id"]),
        "key": str(stage.ask("POST", f"{V1}keys/", {"name": "k", "role": "viewer"}).json()["id"]),
        "training": str(Training.objects.create(why="asked").pk),
        "publisher": str(publisher(stage)["id"]),
    }


def send(client: Client, case: Any) -> Any:
    """Send a made-up request, and undo whatever it did."""
    query = {name: value for name, value in (case.query or {}).items() if value is not None}
    address = case.formatted_path + ("?" + urlencode(query, doseq=True, errors="replace") if query else "")
    body = case.body if isinstance(case.body, bytes) else json.dumps(case.body, default=str).encode()
    has_body = type(case.body).__name__ != "NotSet"
    try:
        with transaction.atomic():
            kind = case.media_type or "application/json"
            answer = client.generic(case.method, address, body if has_body else b"", content_type=kind)
            _ = b"".join(answer) if answer.streaming else answer.content
            transaction.set_rollback(True)
            return answer
    except UnicodeEncodeError:
        return None


# What any address may answer: the limits of API.md's front door, an outage, and a method that an address does not take.
ALWAYS = {405, 429, 501, 503}


@cache
def validator(path: str, method: str, status: str, kind: str) -> Draft202012Validator:
    """What an answer must look like. The whole description is its base, so that references are found."""
    schema = DESCRIPTION["paths"][path][method]["responses"][status]["content"][kind]["schema"]
    return Draft202012Validator(schema | {"components": DESCRIPTION["components"]})


def faults_of(operation: Any, answer: Any) -> list[str]:
    """Compare an answer with what the description promises."""
    path, method, status = operation.path, operation.method.lower(), answer.status_code
    promised = DESCRIPTION["paths"][path][method]["responses"]
    if status in ALWAYS:
        return []
    if str(status) not in promised:
        return [f"status {status} is not described: {answer.content[:300]!r}"]
    kinds = promised[str(status)].get("content", {})
    kind = answer.get("Content-Type", "").partition(";")[0]
    if not kinds:
        return [] if answer.streaming or not answer.content else [f"a body of {kind} where none is described"]
    if kind not in kinds and "application/octet-stream" not in kinds:
        return [f"{kind} is not described, only {sorted(kinds)}"]
    if kind not in {"application/json", "application/problem+json"}:
        return []
    checker = validator(path, method, str(status), kind)
    return [f"{status} {one.json_path}: {one.message[:200]}" for one in checker.iter_errors(json.loads(answer.content))]


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["good", "bad"])
@pytest.mark.parametrize("operation", OPERATIONS, ids=[one.label for one in OPERATIONS])
def test_no_request_is_our_fault(
    acme: Tenant, api: Callable[..., Client], operation: Any, mode: GenerationMode
) -> None:
    stage = Stage(acme, api)
    seen: list[Any] = []
    client, is_good = stage.admin, mode is GenerationMode.POSITIVE
    known = things(stage) if is_good and "{" in operation.path else {}
    try:
        requests = operation.as_strategy(generation_mode=mode)
    except Exception:
        # There is no wrong request of an operation that takes nothing.
        if mode is GenerationMode.POSITIVE:
            raise
        return

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=requests)
    def ask(case: Any) -> None:
        if known and len(seen) % 2 == 0:
            case.path_parameters = {name: known.get(name, value) for name, value in case.path_parameters.items()}
        answer = send(client, case)
        seen.append(answer)
        assert answer is None or answer.status_code < 500 or answer.status_code in {501, 503}, answer.content[:500]
        assert answer is None or faults_of(operation, answer) == []

    ask()
    assert seen or mode is GenerationMode.NEGATIVE
