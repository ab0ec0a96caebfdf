"""Which tenants get work that comes round every few seconds: those that have some, and no others."""

from typing import Any

import pytest
from celery import Task
from django.db import DatabaseError
from django.utils import timezone
from django_tenants.utils import tenant_context

from apps.registry import observations
from apps.registry.tasks import observe_all, observe_everywhere
from apps.tenants.models import Tenant
from apps.tracking.models import Run
from apps.tracking.runs import folding
from apps.tracking.tasks import fold_everywhere
from maestro.clock import now_ms
from tests.factories.door import Door


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The schemas that messages name; no broker is asked."""
    schemas: list[str] = []
    monkeypatch.setattr(Task, "apply_async", lambda self, kwargs, countdown: schemas.append(kwargs["schema"]))
    return schemas


def log(door: Door, **tags: str) -> str:
    """A run that says something."""
    given = [{"key": key, "value": value} for key, value in tags.items()]
    run = door.client.post(
        "/api/2.0/mlflow/runs/create", {"experiment_id": "0", "tags": given}, content_type="application/json"
    )
    return str(run.json()["run"]["info"]["run_id"])


def test_only_a_tenant_with_something_to_fold_is_sent_to(
    globex: Tenant, acme: Tenant, door: Door, sent: list[str]
) -> None:
    log(door)
    fold_everywhere.run()
    assert acme.schema_name in sent
    assert globex.schema_name not in sent
    sent.clear()
    with tenant_context(acme):
        assert folding.fold_quiet(now_ms() + 60_000) == 1
        assert Run.objects.get().is_folded
    fold_everywhere.run()
    assert acme.schema_name not in sent


def test_a_scan_is_sent_for_what_no_scan_has_read_and_for_all_now_and_then(
    globex: Tenant, acme: Tenant, door: Door, sent: list[str]
) -> None:
    assert observe_everywhere.run() == len(sent)
    assert acme.schema_name not in sent
    with tenant_context(acme):
        log(door, **{"maestro.uses": "encoder@1"})
    observe_everywhere.run()
    assert acme.schema_name in sent
    assert globex.schema_name not in sent
    sent.clear()
    with tenant_context(acme):
        assert observations.observe(timezone.now()).unsettled == 1
        assert observations.is_due()
    observe_all.run()
    assert {acme.schema_name, globex.schema_name} <= set(sent)


def test_a_tenant_that_cannot_be_asked_is_sent_to_and_stops_nobody(
    acme: Tenant, globex: Tenant, sent: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(sql: str, params: Any = None) -> Any:
        raise DatabaseError("no such table")

    monkeypatch.setattr(folding, "execute", broken)
    fold_everywhere.run()
    assert {acme.schema_name, globex.schema_name} <= set(sent)
