"""With Valkey away, work is still taken; with the database's sessions ended, the next request gets a new one."""

import http.client
import json
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.db import OperationalError, connections
from django.db.utils import load_backend

from apps.tenants.models import Tenant
from apps.tracking.models import Project
from config import settings as product
from tests import servers
from tests.patience import ANSWER_SECONDS
from tests.web import WebServer, start_web

BATCH = {"metrics": [{"key": "m", "value": 1, "timestamp": 1}], "params": [{"key": "p", "value": "v"}]}
VICTIMS = (
    "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity WHERE datname = %s AND usename = 'maestro_app'"
)


def call(server: WebServer, key: str, method: str, path: str, body: Any = None) -> tuple[int, Any, dict[str, str]]:
    link = http.client.HTTPConnection("127.0.0.1", server.port, timeout=ANSWER_SECONDS)
    headers = {"Authorization": f"Bearer {key}", "Host": "localhost", "Content-Type": "application/json"}
    link.request(method, path, None if body is None else json.dumps(body), headers)
    answer = link.getresponse()
    document = json.loads(answer.read() or b"null")
    link.close()
    return answer.status, document, {name.lower(): value for name, value in answer.getheaders()}


@pytest.fixture
def web_without_valkey(test_environment: dict[str, str], django_db_setup: None) -> Iterator[WebServer]:
    server = start_web(test_environment | {"MAESTRO_REDIS_URL": "redis://127.0.0.1:1/0"}, threads=2)
    yield server
    server.stop()


@pytest.mark.slow
def test_without_valkey_runs_are_logged_and_projects_made(
    web_without_valkey: WebServer, committed: Tenant, key_for: Callable[..., str]
) -> None:
    web, key = web_without_valkey, key_for(committed)
    status, made, _ = call(web, key, "POST", "/api/2.0/mlflow/runs/create", {"experiment_id": "0"})
    assert status == 200, made
    run = made["run"]["info"]["run_id"]
    began = time.monotonic()
    for step in range(10):
        metric = {"key": "m", "value": step, "timestamp": 1, "step": step}
        status, told, _ = call(web, key, "POST", "/api/2.0/mlflow/runs/log-metric", {"run_id": run} | metric)
        assert status == 200, told
    assert call(web, key, "POST", "/api/2.0/mlflow/runs/log-batch", {"run_id": run} | BATCH)[0] == 200
    assert call(web, key, "POST", "/api/v1/projects/", {"slug": "without-valkey"})[0] == 201
    assert time.monotonic() - began < 30
    assert Project.objects.filter(slug="without-valkey").exists()
    # What needs a worker says so, or waits for one; it is no fault of ours.
    assert call(web, key, "POST", "/api/v1/trainings/", {})[0] in {202, 503}


@pytest.mark.slow
def test_after_all_sessions_ended_the_same_server_goes_on(
    web: WebServer, committed: Tenant, key_for: Callable[..., str], test_environment: dict[str, str]
) -> None:
    key = key_for(committed)
    database = settings.DATABASES["default"]["NAME"]
    for number in range(6):
        # Every thread of the server holds a session by now.
        assert {call(web, key, "GET", "/api/v1/projects/")[0] for _ in range(12)} == {200}
        with psycopg.connect(servers.start_postgres().dsn_super, autocommit=True) as boss:
            boss.execute(VICTIMS, [database])
        status, told, _ = call(web, key, "POST", "/api/v1/projects/", {"slug": f"after-{number}"})
        assert status == 201, told
        connections["default"].close()
        assert Project.objects.filter(slug=f"after-{number}").count() == 1


def test_a_session_is_held_until_the_server_ends_it(django_db_setup: None, django_db_blocker: Any) -> None:
    link = load_backend("maestro.database").DatabaseWrapper(settings.DATABASES["default"], alias="own")
    with django_db_blocker.unblock():
        link.set_schema_to_public()
        for what in ("SELECT 1", "DO $$ BEGIN RAISE NOTICE 'hello'; END $$"):
            with link.cursor() as cursor:
                cursor.execute(what)
            held = link.connection
            link.close_if_unusable_or_obsolete()
            assert link.connection is held is not None
        with psycopg.connect(servers.start_postgres().dsn_super, autocommit=True) as boss:
            boss.execute("SELECT pg_terminate_backend(%s, 5000)", [held.info.backend_pid])
        link.close_if_unusable_or_obsolete()
        assert link.connection is None
        with link.cursor() as cursor:
            cursor.execute("SELECT 1")
            assert cursor.fetchone() == (1,)
        link.close()


def test_a_database_that_does_not_answer_is_given_up_after_three_seconds(
    django_db_setup: None, django_db_blocker: Any
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        port = mute.getsockname()[1]
        there = settings.DATABASES["default"] | {"HOST": "127.0.0.1", "PORT": str(port)}
        there["OPTIONS"] = product.DATABASES["default"]["OPTIONS"]
        link = load_backend("maestro.database").DatabaseWrapper(there, alias="mute")
        began = time.monotonic()
        with django_db_blocker.unblock(), pytest.raises(OperationalError, match="timeout"):
            link.ensure_connection()
        assert 2 < time.monotonic() - began < 20
