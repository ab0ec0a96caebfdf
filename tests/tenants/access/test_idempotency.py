"""Idempotency-Key, on a real route: done once, answered twice."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from django_tenants.utils import tenant_context

from apps.tenants.access import idempotency
from apps.tenants.access.idempotency import MOST_ROUTE, route_of
from apps.tenants.access.models import AuditEvent, IdempotentRequest
from apps.tenants.models import Tenant
from apps.tracking.models import Project
from maestro.database.session import connection

PROJECTS = "/api/v1/projects/"
Door = Callable[..., Client]


def make(client: Client, slug: str, key: str, **more: Any) -> Any:
    body = {"slug": slug} | more
    return client.post(PROJECTS, body, content_type="application/json", headers={"idempotency-key": key})


def test_a_repeated_post_is_answered_again_and_done_once(acme: Tenant, api: Door) -> None:
    client = api(acme)
    first, second = make(client, "once", "k1"), make(client, "once", "k1")
    assert (first.status_code, second.status_code) == (201, 201)
    assert second.json() == first.json()
    assert second["Idempotency-Replayed"] == "true"
    assert second["ETag"] == first["ETag"]
    assert "Idempotency-Replayed" not in first
    assert Project.objects.filter(slug="once").count() == 1
    assert AuditEvent.objects.filter(action="project.create").count() == 1


def test_the_same_key_with_another_body_is_422(acme: Tenant, api: Door) -> None:
    client = api(acme)
    make(client, "one", "k1")
    assert make(client, "two", "k1").status_code == 422
    assert not Project.objects.filter(slug="two").exists()


def test_another_callers_key_is_another_key(acme: Tenant, api: Door) -> None:
    assert make(api(acme), "one", "k1").status_code == 201
    assert make(api(acme), "two", "k1").status_code == 201


def test_a_refused_post_frees_its_key(acme: Tenant, api: Door) -> None:
    client = api(acme)
    assert make(client, "BAD SLUG", "k1").status_code == 400
    assert not IdempotentRequest.objects.exists()
    assert make(client, "good", "k1").status_code == 201


def test_after_a_day_the_key_is_new(acme: Tenant, api: Door) -> None:
    client = api(acme)
    make(client, "one", "k1")
    IdempotentRequest.objects.update(created_at=timezone.now() - timedelta(hours=25))
    assert make(client, "two", "k1").status_code == 201


def test_forgetting_deletes_what_is_old_and_keeps_the_rest(acme: Tenant, api: Door) -> None:
    client = api(acme)
    make(client, "one", "k1"), make(client, "two", "k2")
    IdempotentRequest.objects.filter(key="k1").update(created_at=timezone.now() - timedelta(hours=25))
    assert idempotency.forget_old(timezone.now() - idempotency.KEEP) == 1
    assert IdempotentRequest.objects.get().key == "k2"


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 201, "tab\t", "é"])
def test_a_key_that_is_none_is_400(acme: Tenant, api: Door, key: str) -> None:
    assert make(api(acme), "one", key).status_code == 400
    assert not Project.objects.filter(slug="one").exists()


def test_while_the_first_runs_the_second_is_409(committed: Tenant, key_for: Any) -> None:
    """Another session holds the row as a running request does."""
    client = Client(headers={"authorization": f"Bearer {key_for(committed)}", "host": f"{committed.slug}.localhost"})
    assert make(client, "one", "k1").status_code == 201
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with tenant_context(committed), idempotency.transaction.atomic():
            IdempotentRequest.objects.select_for_update().get(key="k1")
            held.set()
            done.wait(10)
        connection.close()

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(10)
    try:
        assert make(client, "one", "k1").status_code == 409
    finally:
        done.set()
        thread.join()
    connection.set_tenant(committed)
    assert make(client, "one", "k1").status_code == 201


def test_a_crash_before_the_answer_leaves_nothing_and_the_key_works_again(acme: Tenant, api: Door) -> None:
    client = api(acme)
    who = client.get("/api/v1/auth/whoami/").json()["id"]
    IdempotentRequest.objects.create(
        principal=f"key:{who}",
        route=PROJECTS,
        key="k1",
        body_sha256=digest(b'{"slug": "one"}'),
        created_at=timezone.now(),
    )
    assert make(client, "one", "k1").status_code == 201


def digest(body: bytes) -> bytes:
    return idempotency.hashlib.sha256(b"\0" + body).digest()


def test_no_two_addresses_are_one_however_long() -> None:
    long = f"/api/v1/artifacts/{'a' * 250}/aliases/{'b' * 254}"
    names = {route_of(f"{long}{end}/rollback/") for end in "cd"}
    assert len(names) == 2
    assert max(map(len, names)) <= MOST_ROUTE == IdempotentRequest._meta.get_field("route").max_length
    assert route_of(PROJECTS) == PROJECTS
