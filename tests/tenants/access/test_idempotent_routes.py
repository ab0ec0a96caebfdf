"""Every native POST takes an Idempotency-Key, or stands below with the reason why not."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.test import Client

from apps.tenants.access.idempotency import IdempotentPosts
from apps.tenants.access.models import AuditEvent
from apps.tenants.models import Tenant
from config.routes import all_routes
from tests.auditing import state
from tests.auditing.rest_writes import WRITES
from tests.factories.stage import Stage, send

SECRET = "its answer is a secret, which is shown once and never kept"
REASONS = {
    "/api/v1/keys/": SECRET,
    "/api/v1/keys/<str:key>/rotate/": SECRET,
    "/api/v1/keys/self/rotate/": SECRET,
    "/api/v1/connections/": SECRET,
    "/api/v1/connections/<uuid:connection>/rotate/": SECRET,
    "/api/v1/connections/<uuid:connection>/deliveries/<uuid:delivery>/replay/": "while it waits a second time is refused",
    "/api/v1/projects/<str:project>/commits/": "a second time changes nothing",
    "/api/v1/webhooks/": SECRET,
    "/api/v1/webhooks/<uuid:webhook>/rotate/": SECRET,
    "/api/v1/webhooks/<uuid:webhook>/test/": "each sends a test, and changes nothing here",
    "/api/v1/webhooks/<uuid:webhook>/deliveries/<uuid:telling>/replay/": "while it waits a second time is refused",
    "/api/v1/auth/token/": SECRET,
    "/api/v1/auth/token/refresh/": SECRET,
    "/api/v1/auth/exchange/": SECRET,
    "/api/v1/people/<str:username>/close/": "a second time changes nothing",
    "/api/v1/auth/token/revoke/": "a second time changes nothing",
    "/api/v1/artifacts/<str:artifact>/versions/<str:version>/signatures/": "a signature is kept once, and shown again",
    "/api/v1/trash/artifacts/<uuid:trashed>/restore/": "a second time changes nothing",
    "/api/v1/trash/versions/<uuid:trashed_version>/restore/": "a second time changes nothing",
    "/api/v1/blobs/missing/": "it asks, and changes nothing",
    "/api/v1/uploads/": "what is never committed is seen by nobody and expires",
    "/api/v1/uploads/<uuid:upload>/parts/": "addresses of parts are signed anew, which changes nothing",
    "/api/v1/uploads/<uuid:upload>/commit/": "a second commit finds the first's bytes and says the same",
}


def posts() -> dict[str, Any]:
    """Every address of ours below /api/v1/ that takes a POST, and its view."""
    found = {f"/{route.pattern}": route.view for route in all_routes() if hasattr(route.view, "post")}
    return {pattern: view for pattern, view in found.items() if pattern.startswith("/api/v1/")}


def test_every_native_post_takes_a_key_or_has_a_reason() -> None:
    taking = {pattern for pattern, view in posts().items() if issubclass(view, IdempotentPosts)}
    assert sorted(set(posts()) - taking) == sorted(REASONS)
    assert sorted(f"POST {pattern}" for pattern in taking - {route.partition(" ")[2] for route in WRITES}) == []
    assert len(taking) > 10


@pytest.mark.parametrize("pattern", sorted(set(posts()) - set(REASONS)))
def test_a_repeated_post_is_answered_again_and_done_once(
    acme: Tenant, api: Callable[..., Client], pattern: str
) -> None:
    case, stage = WRITES[f"POST {pattern}"], Stage(acme, api)
    call = case.prepare(stage)
    client = call.client or api(acme, case.role)
    once = replace(call, headers=call.headers | {"idempotency-key": "the-same"})
    first = send(client, once)
    assert first.status_code < 300, first.content
    between, seen = state.look(), AuditEvent.objects.count()
    again = send(client, once)
    assert (again.status_code, again.json()) == (first.status_code, first.json())
    assert again["Idempotency-Replayed"] == "true"
    assert state.changed(between, state.look()) == []
    assert AuditEvent.objects.count() == seen
    other = {"something": "else"} if isinstance(call.body, dict) else call.body
    assert send(client, replace(once, body=(call.body or {}) | other)).status_code == 422
