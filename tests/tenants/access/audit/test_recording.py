"""The audit log: who, from where, what before and after; in the transaction of the change, and never undone."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.test import Client
from django.utils import timezone
from django_tenants.utils import tenant_context

from apps.tenants.access.audit.recording import MASK, record
from apps.tenants.access.models import AuditEvent
from apps.tenants.models import Action, Tenant
from apps.tracking.models import Project
from maestro.database.session import connection
from maestro.principals import Actor

AUDIT = "/api/v1/audit/"
Door = Callable[..., Client]


class Thing(Action):
    """What is done to things."""

    MAKE = "thing.make"
    CHANGE = "thing.change"
    BREAK = "thing.break"


MANY = """INSERT INTO access_auditevent (id, at, action, actor, role, object_type, object_id, request_id)
 SELECT gen_random_uuid(), now() + make_interval(secs => n), 'thing.make', 'me', '', 'Thing', n, ''
 FROM generate_series(0, 2299) n"""


def test_an_event_outside_a_transaction_is_refused(committed: Tenant) -> None:
    with pytest.raises(RuntimeError, match="outside the transaction"):
        record(Actor("operator"), Thing.CHANGE)
    assert not AuditEvent.objects.filter(action="thing.change").exists()


def test_an_event_falls_with_its_change(committed: Tenant) -> None:
    with transaction.atomic():
        Project.objects.create(slug="x", name="x")
        record(Actor("operator"), Thing.MAKE)
        transaction.set_rollback(True)
    assert not AuditEvent.objects.filter(action="thing.make").exists()
    assert not Project.objects.filter(slug="x").exists()


def test_secrets_are_not_recorded(acme: Tenant) -> None:
    event = record(
        Actor("operator"), Thing.CHANGE, after={"client_secret": "s3", "deep": [{"Password": "p", "name": "n"}]}
    )
    assert event.after == {"client_secret": MASK, "deep": [{"Password": MASK, "name": "n"}]}


def test_an_admins_change_in_a_page_is_recorded(acme: Tenant) -> None:
    boss = User.objects.create_user("boss", password="x", is_staff=True, is_superuser=True)
    client = Client(headers={"host": "acme.localhost", "x-request-id": "request-0001"})
    client.force_login(boss)
    group = Group.objects.create(name="auditors")
    page = client.post(f"/admin/auth/group/{group.pk}/change/", {"name": "watchers"})
    assert page.status_code == 302, page.content
    event = AuditEvent.objects.get(action="group.change")
    assert (event.actor, event.role, event.request_id) == ("person:boss", "admin", "request-0001")
    assert event.before["name"] == "auditors"
    assert event.after["name"] == "watchers"


def test_the_log_is_searched(acme: Tenant, api: Door) -> None:
    record(Actor("operator"), Thing.MAKE, object_type="Thing", object_id="1")
    record(Actor("task:x"), Thing.BREAK, object_type="Thing", object_id="2")
    admin = api(acme, "admin")
    assert [e["actor"] for e in admin.get(AUDIT, {"object_type": "Thing"}).json()["results"]] == ["task:x", "operator"]
    assert [e["action"] for e in admin.get(AUDIT, {"actor": "operator", "object_id": "1"}).json()["results"]] == [
        "thing.make"
    ]
    later = timezone.now().isoformat()
    assert admin.get(AUDIT, {"object_type": "Thing", "since": later}).json()["results"] == []


@pytest.mark.parametrize(
    "query", ["since=yesterday", "since=2024-01-01", "until=2024-13-01T00:00:00Z", "limit=0", "cursor=x"]
)
def test_a_bad_search_is_400(acme: Tenant, api: Door, query: str) -> None:
    assert api(acme, "admin").get(f"{AUDIT}?{query}").status_code == 400


def test_the_export_is_whole_in_parts(acme: Tenant, api: Door) -> None:
    for number in range(7):
        record(Actor("operator"), Thing.MAKE, object_id=number)
    admin, url, seen = api(acme, "admin"), f"{AUDIT}export/?action=thing.make&limit=3", []
    while url:
        answer = admin.get(url)
        assert answer["Content-Type"] == "application/jsonl"
        seen += [orjson.loads(line)["object_id"] for line in b"".join(answer).splitlines()]
        url = answer.headers.get("Link", "").partition(">")[0].lstrip("<").replace("http://acme.localhost", "")
    assert seen == [str(n) for n in range(7)]


def test_the_export_streams_everything_that_a_filter_finds(acme: Tenant, globex: Tenant, api: Door) -> None:
    with tenant_context(acme):
        with connection.cursor() as cursor:
            cursor.execute(MANY)
        AuditEvent.objects.record(Thing.BREAK, actor="me")
    answer = api(acme, "admin").get(f"{AUDIT}export/?action=thing.make")
    assert answer.streaming
    parts = []
    for part in answer:
        # The thread that reads the stream may serve somebody else between two parts.
        connection.set_tenant(globex)
        parts.append(part)
    seen = [orjson.loads(line)["object_id"] for line in b"".join(parts).splitlines()]
    assert seen == [str(n) for n in range(2_300)]
    assert len(parts) == 2


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
@pytest.mark.parametrize("path", [AUDIT, f"{AUDIT}export/"])
def test_nothing_writes_the_log_over_rest(acme: Tenant, api: Door, method: str, path: str) -> None:
    assert getattr(api(acme, "admin"), method)(path).status_code in {403, 405}


@pytest.mark.parametrize("role", ["viewer", "contributor", "approver"])
def test_only_admins_read_the_log(acme: Tenant, api: Door, role: str) -> None:
    assert api(acme, role).get(AUDIT).status_code == 403
    assert api(acme, role).get(f"{AUDIT}export/").status_code == 403


def test_the_other_tenants_events_are_not_there(acme: Tenant, globex: Tenant, api: Any) -> None:
    with tenant_context(acme):
        record(Actor("operator"), Thing.MAKE)
    listed = api(acme, "admin").get(AUDIT).json()["results"]
    mine = api(globex, "admin").get(AUDIT).json()["results"]
    assert [e["actor"] for e in listed] == ["operator"]
    assert mine == []
