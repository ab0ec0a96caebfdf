"""Files of runs that a worker writes: asked for, written in a process, downloaded by who asked, forgotten."""

import io
import json
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pyarrow.parquet as pq
import pytest
from django.test import Client
from django.utils import timezone
from django_tenants.utils import tenant_context

from apps.registry.upkeep import sweeps
from apps.tenants.access.keys.authentication import forget_keys
from apps.tenants.access.models import ApiKey, AuditEvent
from apps.tenants.models import Tenant
from apps.tracking.exports import orders
from apps.tracking.files import blobs
from apps.tracking.models import Blob, Export, Run
from maestro import limits
from maestro.turns import Turns
from tests.factories.many_runs import make_experiment

ApiFor = Callable[..., Client]
PATH = "/api/v1/runs/exports/"


def post(client: Client, body: Any) -> Any:
    return client.post(PATH, json.dumps(body), content_type="application/json")


@pytest.fixture(autouse=True)
def nothing_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """No broker is asked: tests run the work themselves."""
    monkeypatch.setattr(Turns, "send_or_fail", lambda turns: None)


def test_a_parquet_file_is_asked_for_written_and_downloaded(
    committed: Tenant, api: ApiFor, test_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in test_environment.items():
        monkeypatch.setenv(name, value)
    mine, other = make_experiment("mine", "churn"), make_experiment("other")
    for home, count in ((mine, 3), (other, 2)):
        Run.objects.bulk_create(Run(experiment=home, name=home.name, start_ms=i, last_write_ms=1) for i in range(count))
    client = api(committed, "viewer", project_id=mine.project_id)
    asked = post(client, {"order_by": ["attributes.start_time ASC"]})
    assert asked.status_code == 202, asked.content
    where = asked["Location"]
    assert client.get(where).json()["state"] == "waiting"
    assert client.get(f"{where}file/").json()["code"] == "not_done"
    identity = uuid.UUID(asked.json()["id"])
    assert [orders.supervise(committed.slug, identity, timezone.now()) for _ in range(2)] == ["done", "done"]
    shown = client.get(where).json()
    assert (shown["state"], shown["runs"]) == ("done", 3)
    table = pq.read_table(io.BytesIO(client.get(f"{where}file/").getvalue()))
    assert table.column("name").to_pylist() == ["mine"] * 3
    namesake = api(committed, "viewer")
    assert namesake.get(where).status_code == namesake.get(f"{where}file/").status_code == 404
    assert [row["id"] for row in client.get(PATH).json()["results"]] == [str(identity)]
    orders.forget_old(timezone.now() + timedelta(days=8))
    assert not Export.objects.exists()
    sweeps.sweep(before=timezone.now() + timedelta(days=9), dry_run=False)
    assert not Blob.objects.exists()


def test_a_failing_export_says_why(committed: Tenant, test_environment: dict[str, str], monkeypatch: Any) -> None:
    for name, value in test_environment.items():
        monkeypatch.setenv(name, value)
    question = {"experiments": [0], "filter": "", "order": [], "view": "ACTIVE_ONLY", "status": "", "columns": ["x"]}
    made = Export.objects.create(owner="x", format="parquet", question=question)
    assert orders.supervise(committed.slug, made.pk, timezone.now()) == "failed"
    made.refresh_from_db()
    assert "is no column" in made.reason


@pytest.mark.parametrize(
    "body",
    [
        [],
        {"format": "xlsx"},
        {"filter": "metrics.a >"},
        {"columns": ["auc"]},
        {"order_by": ["nothing"]},
        {"experiments": [-1]},
        {"more": 1},
    ],
)
def test_a_bad_question_is_refused_and_noted_nowhere(acme: Tenant, api: ApiFor, body: Any) -> None:
    assert post(api(acme, "viewer"), body).status_code == 400
    assert not Export.objects.exists()


def test_so_many_may_wait_and_each_is_written_down(acme: Tenant, api: ApiFor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "EXPORTS_WAITING_PERSON", 1)
    client = api(acme, "viewer")
    assert post(client, {"filter": "metrics.a > 1"}).status_code == 202
    assert post(client, {}).json()["code"] == "too_many_exports"
    event = AuditEvent.objects.get(action="export.ask")
    assert (event.after["format"], event.after["filter"]) == ("parquet", "metrics.a > 1")


def test_an_export_of_acme_is_not_there_in_globex(acme: Tenant, globex: Tenant, api: ApiFor) -> None:
    with tenant_context(acme):
        theirs = Export.objects.create(owner="key:viewer", format="csv")
    assert api(globex, "viewer").get(f"{PATH}{theirs.pk}/").status_code == 404


def test_who_sees_less_than_when_they_asked_gets_no_file(acme: Tenant, key_for: Callable[..., str]) -> None:
    """A file holds what its asker saw; their reach may be less when they come for it."""
    mine, other = make_experiment("mine", "churn"), make_experiment("other", "other")
    client = Client(headers={"authorization": f"Bearer {key_for(acme, 'viewer')}", "host": "acme.localhost"})
    key, blob = ApiKey.objects.get(), blobs.store_text("run_id\n")
    asked = {"everything": None, "both": [mine.project_id, other.project_id], "mine": [mine.project_id]}
    rows = {
        name: Export.objects.create(
            owner=f"key:{key.pk}",
            format="csv",
            state="done",
            blob=blob,
            question={"projects": reach and [str(one) for one in reach]},
        )
        for name, reach in asked.items()
    }
    statuses = lambda: [client.get(f"{PATH}{row.pk}/file/").status_code for row in rows.values()]  # noqa: E731
    assert statuses() == [200, 200, 200]
    ApiKey.objects.update(project_id=mine.project_id)
    forget_keys()
    assert statuses() == [409, 409, 200]
    refused = client.get(f"{PATH}{rows['both'].pk}/file/").json()
    assert refused["code"] == "reach_changed"
