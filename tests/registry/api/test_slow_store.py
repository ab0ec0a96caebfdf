"""A store that takes its time holds no transaction, and so nobody else's work."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.db import close_old_connections
from django.test import Client

from apps.registry.models import Artifact, ArtifactVersion
from apps.tenants.models import Tenant
from maestro import staging
from tests.factories.sending import send

PATH = "/api/v1/artifacts/encoder/"
OPEN = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in transaction%'"


def post(client: Client, text: str, key: str) -> Any:
    try:
        body = {"files": [{"path": "a.txt", "text": text}]}
        return client.post(f"{PATH}versions/", body, "application/json", headers={"idempotency-key": key})
    finally:
        close_old_connections()


def sessions_in_a_transaction() -> int:
    with psycopg.connect(settings.OWNER_DATABASE_URL) as owner:
        (count,) = owner.execute(OPEN).fetchone() or (0,)
    return int(count)


def test_a_slow_store_holds_no_transaction(
    committed: Tenant, api: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    client, arrived, go = api(committed), Event(), Event()
    send(client, "put", PATH, {"kind": "feature_pipeline"})
    way = staging.write_file

    def slow(*given: Any) -> None:
        arrived.set()
        assert go.wait(60)
        way(*given)

    monkeypatch.setattr(staging, "write_file", slow)
    with ThreadPoolExecutor(1) as others:
        first: Future[Any] = others.submit(post, client, "one", "k1")
        try:
            assert arrived.wait(60)
            assert sessions_in_a_transaction() == 0
            assert Artifact.objects.filter(name="encoder").update(owner="ada") == 1
        finally:
            go.set()
        answer = first.result(60)
    assert (answer.status_code, answer.json()["version"]) == (201, "1")
    monkeypatch.setattr(staging, "write_file", lambda *_: pytest.fail("the answer was there already"))
    again = post(client, "one", "k1")
    assert (again.status_code, again.headers["idempotency-replayed"], again.json()) == (201, "true", answer.json())
    reused = post(client, "two", "k1")
    assert (reused.status_code, reused.json()["code"]) == (422, "idempotency_key_reused")
    assert ArtifactVersion.objects.count() == 1


def test_a_store_that_fails_leaves_the_key_free(
    committed: Tenant, api: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    client, way = api(committed), staging.write_file
    client.raise_request_exception = False
    send(client, "put", PATH, {"kind": "feature_pipeline"})

    def broken(*_: Any) -> None:
        raise OSError(5, "the disk is ill")

    monkeypatch.setattr(staging, "write_file", broken)
    assert post(client, "one", "k1").status_code == 503
    monkeypatch.setattr(staging, "write_file", way)
    assert post(client, "two", "k1").status_code == 201
