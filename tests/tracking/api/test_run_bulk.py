"""Changes to many runs over REST: shapes, rights, repeats."""

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django_tenants.utils import tenant_context

from apps.tenants.models import Tenant
from apps.tracking.models import Experiment, Project, Run
from tests.factories.door import Door
from tests.factories.many_runs import found, make_experiment, make_runs

ApiFor = Callable[..., Client]
BULK, MOVE = "/api/v1/runs/bulk/", "/api/v1/runs/move/"


def post(client: Client, path: str, body: Any, **headers: str) -> Any:
    return client.post(path, json.dumps(body), content_type="application/json", headers=headers)


def test_runs_move_and_a_repeated_request_is_answered_once(acme: Tenant, api: ApiFor, door: Door) -> None:
    old, new = make_experiment("old"), make_experiment("new", "churn")
    runs = make_runs(door, old, 2)
    body = {"runs": runs, "experiment": new.pk}
    dry = post(api(acme), f"{MOVE}?dry_run=true", body)
    assert dry.json() == {"action": "move", "chosen": 2, "changed": 2, "dry_run": True}
    assert len(found(door, old)) == 2
    client = api(acme)
    first, again = (post(client, MOVE, body, idempotency_key="one") for _ in range(2))
    assert first.status_code == 200, first.content
    assert first.json() == again.json() == {"action": "move", "chosen": 2, "changed": 2, "dry_run": False}
    assert len(found(door, new)) == 2
    assert post(client, MOVE, body).json()["changed"] == 0


def test_a_key_of_one_project_moves_nothing_and_touches_only_its_own(acme: Tenant, api: ApiFor, door: Door) -> None:
    mine, other = make_experiment("mine", "churn"), make_experiment("other")
    inside, outside = make_runs(door, mine, 1)[0], make_runs(door, other, 1)[0]
    client = api(acme, project_id=mine.project_id)
    assert post(client, MOVE, {"runs": [inside], "experiment": mine.pk}).json()["code"] == "project_key"
    assert post(client, BULK, {"action": "trash", "runs": [inside, outside]}).status_code == 404
    assert Run.objects.filter(deleted_ms=None).count() == 2
    narrowed = {"action": "trash", "filter": "", "experiments": [other.pk], "expected": 1}
    assert post(client, BULK, narrowed).status_code == 409
    assert post(client, BULK, {"action": "trash", "runs": [inside]}).json()["changed"] == 1


def test_what_a_filter_finds_is_changed_if_it_is_as_many_as_said(acme: Tenant, api: ApiFor, door: Door) -> None:
    home = make_experiment("home", "churn")
    make_runs(door, home, 5)
    body = {"action": "tag", "filter": "metrics.auc > 0.15", "project": "churn", "expected": 4, "tags": {"good": "1"}}
    refused = post(api(acme), BULK, body)
    assert (refused.status_code, refused.json()["code"]) == (409, "count_changed")
    assert post(api(acme), BULK, body | {"expected": 3}).json()["changed"] == 3
    assert len(found(door, home, filter="tags.good = '1'")) == 3


def test_deleting_for_ever_needs_an_admin(acme: Tenant, api: ApiFor, door: Door) -> None:
    runs = make_runs(door, make_experiment("home"), 1)
    body = {"action": "delete", "runs": runs}
    assert post(api(acme, "admin"), BULK, body).status_code == 409
    assert post(api(acme), BULK, {"action": "trash", "runs": runs}).status_code == 200
    assert post(api(acme, "approver"), BULK, body).status_code == 403
    assert post(api(acme, "admin"), BULK, body).json()["changed"] == 1
    assert not Run.objects.exists()
    assert post(api(acme, "viewer"), BULK, body).status_code == 403


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"action": "tag"},
        {"action": "burn", "runs": ["0" * 32]},
        {"action": "trash", "runs": []},
        {"action": "trash", "runs": "0" * 32},
        {"action": "trash", "runs": [1]},
        {"action": "trash", "runs": ["0" * 32] * 1001},
        {"action": "trash", "filter": "metrics.a > 1"},
        {"action": "trash", "filter": "metrics.a >", "expected": 0},
        {"action": "trash", "filter": "", "expected": -1},
        {"action": "trash", "filter": "", "expected": 2**70},
        {"action": "trash", "expected": 1},
        {"action": "trash", "runs": ["0" * 32], "filter": "", "expected": 1},
        {"action": "trash", "status": "GONE", "expected": 0},
        {"action": "trash", "experiments": [-1], "expected": 0},
        {"action": "move", "filter": "", "expected": 0},
        {"action": "tag", "filter": "", "expected": 0, "tags": {}},
        {"action": "tag", "filter": "", "expected": 0, "tags": {"a": 1}},
        {"action": "tag", "filter": "", "expected": 0, "tags": {"a": "x" * 9000}},
        {"action": "tag", "filter": "", "expected": 0, "tags": {"k" * 251: "x"}},
        {"action": "tag", "filter": "", "expected": 0, "tags": {"a\u0000": "x"}},
        {"action": "trash", "runs": ["0" * 32], "more": 1},
    ],
)
def test_a_bad_order_is_refused(acme: Tenant, api: ApiFor, body: Any) -> None:
    assert post(api(acme, "admin"), BULK, body).status_code == 400


def test_odd_ids_are_not_found_and_an_odd_dry_run_is_refused(acme: Tenant, api: ApiFor) -> None:
    for run in ("nothing", "", "0" * 32, "../..", str(uuid.uuid4())):
        assert post(api(acme), BULK, {"action": "trash", "runs": [run]}).status_code in {400, 404}
    body = {"action": "trash", "filter": "", "expected": 0}
    assert post(api(acme), f"{BULK}?dry_run=perhaps", body).status_code == 400
    assert post(api(acme), f"{BULK}?dry_run=1", body).json()["chosen"] == 0


def test_runs_of_acme_are_not_there_in_globex(acme: Tenant, globex: Tenant, api: ApiFor) -> None:
    with tenant_context(acme):
        home = Experiment.objects.create(name="theirs", created_ms=1, updated_ms=1, project=Project.objects.first())
        run = Run.objects.create(experiment=home, name="theirs", start_ms=1, last_write_ms=1)
    client = api(globex, "admin")
    assert post(client, MOVE, {"runs": [run.pk.hex], "experiment": 0}).status_code == 404
    assert post(client, BULK, {"action": "trash", "runs": [run.pk.hex]}).status_code == 404
    assert post(client, BULK, {"action": "trash", "filter": "", "expected": 1}).status_code == 409
    with tenant_context(acme):
        assert Run.objects.get(pk=run.pk).deleted_ms is None
