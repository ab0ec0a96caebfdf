"""Every route that changes something leaves one event for its change, in the same transaction; a refusal leaves none.

The routes come from the URL table. One that is not declared here, as a write, a read or an exemption, fails.
"""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import DatabaseError
from django.test import Client

from apps.tenants.access.models import AuditEvent
from apps.tenants.access.models.audit import AuditQuerySet
from apps.tenants.models import Tenant
from config.routes import all_routes
from tests.auditing import mlflow_writes, rest_writes, state
from tests.factories.stage import REQUEST_ID, Call, Stage, Write, send
from tests.isolation.test_roles import address

METHODS = ("POST", "PUT", "PATCH", "DELETE")
WRITES: dict[str, Write] = rest_writes.WRITES | mlflow_writes.WRITES
EXEMPT = rest_writes.EXEMPT | mlflow_writes.EXEMPT
READS = rest_writes.READS | mlflow_writes.READS
NO_TENANT = {
    "/": "only redirects",
    "/^(?:ajax-)?api/(?:2\\.0|3\\.0)/|^v1/traces|^(?:ajax-api/)?graphql|^(?:model-versions/)?get-artifact": "answers that nothing is there",
    "/api/docs/errors": "a page",
    "/ci/maestro": "a file",
    "/sign-out/": "ends this browser's session, which is no state of the tenant's",
}
ELSEWHERE = {
    "POST /password-reset/": "test_new_passwords.py: a letter, and its event, by a worker",
    "POST /password-reset/<uidb64>/<token>/": "test_new_passwords.py: the link is opened first",
    "PUT /password-reset/<uidb64>/<token>/": "test_new_passwords.py: 405, though Django's view has the method",
}
written = pytest.mark.parametrize("route", WRITES)


def writing_routes() -> set[str]:
    """List every route and method that might write, MLflow's once. Admin pages are listed by their own test."""
    found = set()
    for route in all_routes():
        pattern = "/" + route.pattern
        if route.guarded_by_admin or pattern.startswith("/ajax-api/") or pattern in NO_TENANT:
            continue
        offered = [method for method in METHODS if hasattr(route.view, method.lower())]
        found |= {f"{method} {pattern}" for method in offered if is_open(route.view, method)}
    return found


def is_open(view: Any, method: str) -> bool:
    declared = view.required_role
    return declared is None or isinstance(declared, str) or method in declared


def test_every_writing_route_is_declared() -> None:
    declared = set(WRITES) | set(EXEMPT) | set(READS) | set(ELSEWHERE)
    found = writing_routes()
    assert sorted(found - declared) == [], "declare these in tests/auditing: what they change and what they record"
    assert sorted(declared - found) == [], "these routes are gone"
    assert len(found) > 60


def perform(stage: Stage, route: str) -> tuple[Any, Call, Client]:
    case = WRITES[route]
    call = case.prepare(stage)
    client = call.client or stage.api(stage.tenant, case.role)
    return case, call, client


def events() -> list[AuditEvent]:
    return list(AuditEvent.objects.order_by("at", "id"))


@written
def test_a_change_leaves_its_event_and_a_call_without_change_leaves_none(
    acme: Tenant, api: Callable[..., Client], route: str
) -> None:
    case, call, client = perform(Stage(acme, api), route)
    before, seen = state.look(), {event.pk for event in events()}
    answer = send(client, call)
    assert answer.status_code < 400, answer.content
    assert state.changed(before, state.look()), "nothing changed"
    made = [event for event in events() if event.pk not in seen]
    assert [event.action for event in made] == list(case.actions)
    for event in made:
        assert event.actor.startswith(case.actor or f"key:{case.role}"), event.actor
        assert event.role == case.role or case.actor, event.action
        assert (event.address, event.request_id) == ("127.0.0.1", REQUEST_ID), event.action
        assert event.object_type, event.action
        assert event.object_id, event.action
        assert event.before is not None or event.after is not None or case.actor == "person:", event.action
    between = state.look()
    again = send(client, call)
    known = seen | {event.pk for event in made}
    # A refused job is written down although nothing changes.
    more = len([event for event in events() if event.pk not in known and not event.action.endswith(".refuse")])
    touched = state.changed(between, state.look())
    assert bool(touched) == (more > 0), (touched, again.status_code, again.content)


@written
def test_a_change_falls_with_its_event(
    acme: Tenant, api: Callable[..., Client], monkeypatch: pytest.MonkeyPatch, route: str
) -> None:
    _, call, client = perform(Stage(acme, api), route)
    before = state.look()

    def broken(*args: Any, **kwargs: Any) -> None:
        raise DatabaseError("the log can not be written")

    monkeypatch.setattr(AuditQuerySet, "create", broken)
    client.raise_request_exception = False
    assert send(client, call).status_code >= 500
    monkeypatch.undo()
    assert state.changed(before, state.look()) == []


@written
def test_a_refused_call_changes_and_records_nothing(acme: Tenant, api: Callable[..., Client], route: str) -> None:
    case, call, _ = perform(Stage(acme, api), route)
    host = f"{acme.slug}.localhost"
    unknown = Client(headers={"host": host})
    client = unknown if case.role in ("", "viewer") else api(acme, "viewer")
    before, seen = state.look(), len(events())
    body = call.body if case.role else {"token": "x", "username": "x", "password": "x"}
    answer = send(client, Call(call.method, call.path, body, call.headers, call.content_type))
    assert answer.status_code in ({401, 403} if case.role else {400, 401, 403}), answer.content
    assert state.changed(before, state.look()) == []
    assert len(events()) == seen


@pytest.mark.parametrize("route", READS)
def test_what_is_declared_to_read_changes_and_records_nothing(
    acme: Tenant, api: Callable[..., Client], route: str
) -> None:
    method, _, pattern = route.partition(" ")
    client = api(acme, "admin")
    before, seen = state.look(), len(events())
    answer = send(client, Call(method, address(pattern.lstrip("/")), {}))
    assert answer.status_code < 500 or answer.status_code == 501, answer.content
    assert state.changed(before, state.look()) == []
    assert len(events()) == seen
