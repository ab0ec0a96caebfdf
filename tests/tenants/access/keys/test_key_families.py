"""Whoever holds a key may not lengthen it, and what came from it ends with it."""

import threading
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.core.management import call_command
from django.db import connections
from django.test import Client
from django.utils import timezone
from django_tenants.utils import tenant_context

from apps.tenants.access.keys import keyring, tokens
from apps.tenants.access.keys.authentication import principal_for
from apps.tenants.access.models import ApiKey, AuditEvent
from apps.tenants.models import Tenant
from apps.tracking.models import Project
from maestro.errors import Conflict, Unauthenticated
from maestro.principals import Actor

KEYS, WHOAMI = "/api/v1/keys/", "/api/v1/auth/whoami/"
Door = Callable[..., Client]


def holder(text: str, tenant: Tenant) -> Client:
    return Client(headers={"authorization": f"Bearer {text}", "host": f"{tenant.slug}.localhost"})


def post(client: Client, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = client.post(path, body, content_type="application/json")
    assert answer.status_code == 201, answer.content
    made: dict[str, Any] = answer.json()
    return made


def rotated(client: Client, key: str = "self", **wish: Any) -> dict[str, Any]:
    return post(client, f"{KEYS}{key}/rotate/", wish)


def row(made: dict[str, Any]) -> ApiKey:
    return ApiKey.objects.get(pk=made["id"])


def test_a_key_can_not_lengthen_itself_by_rotation(acme: Tenant, key_for: Callable[..., str]) -> None:
    text = key_for(acme, "viewer", days=1, scopes=["read"])
    first = ApiKey.objects.get(pk=text.split("_")[2])
    made = rotated(holder(text, acme), days=366)
    second = row(made)
    assert second.expires_at == first.expires_at
    assert (second.role, second.scopes, second.project_id, second.family) == ("viewer", ["read"], None, first.family)
    third = row(rotated(holder(made["key"], acme), days=366))
    assert third.expires_at == first.expires_at


def test_no_admin_lengthens_a_key_by_rotation_either(acme: Tenant, api: Door, key_for: Callable[..., str]) -> None:
    project = Project.objects.create(slug="p", name="P")
    old = key_for(acme, "contributor", days=2, scopes=["tracking"], project_id=project.pk).split("_")[2]
    made = row(rotated(api(acme, "admin", days=300), old, days=366))
    before = ApiKey.objects.get(pk=old)
    kept = ("role", "scopes", "project_id", "expires_at", "family")
    assert [getattr(made, name) for name in kept] == [getattr(before, name) for name in kept]


def test_a_key_makes_no_key_that_outlives_it(acme: Tenant, api: Door) -> None:
    admin = api(acme, "admin", days=1)
    made = row(post(admin, KEYS, {"name": "s", "role": "viewer", "days": 366}))
    assert made.expires_at == ApiKey.objects.get(name="admin").expires_at
    assert made.parent_id == ApiKey.objects.get(name="admin").pk


def test_rotating_anothers_key_gives_no_life_beyond_ones_own(acme: Tenant, api: Door, key_for: Any) -> None:
    other = key_for(acme, "admin", days=300).split("_")[2]
    short = api(acme, "admin", days=1)
    made = rotated(short, other)
    mine = ApiKey.objects.get(pk=row(made).parent_id)
    assert row(made).expires_at == mine.expires_at < ApiKey.objects.get(pk=other).expires_at
    assert short.delete(f"{KEYS}self/").status_code == 204
    assert holder(made["key"], acme).get(WHOAMI).status_code == 401


def test_ending_a_key_ends_its_family_and_all_that_came_of_it(acme: Tenant, api: Door, key_for: Any) -> None:
    first = key_for(acme, "admin", days=30)
    second = rotated(holder(first, acme), overlap_hours=0)
    third = rotated(holder(second["key"], acme))
    child = post(holder(third["key"], acme), KEYS, {"name": "child", "role": "admin"})
    successor = rotated(holder(child["key"], acme))
    grandchild = post(holder(successor["key"], acme), KEYS, {"name": "grandchild", "role": "viewer"})
    bystander = key_for(acme, "viewer")
    texts = [made["key"] for made in (second, third, child, successor, grandchild)]
    assert [holder(text, acme).get(WHOAMI).status_code for text in (first, *texts)] == [401, *[200] * 5]
    root = api(acme, "admin")
    assert root.delete(f"{KEYS}{first.split('_')[2]}/").status_code == 204
    assert [holder(text, acme).get(WHOAMI).status_code for text in texts] == [401] * 5
    assert [client.get(WHOAMI).status_code for client in (root, holder(bystander, acme))] == [200, 200]
    told = set(AuditEvent.objects.filter(action="key.revoke").values_list("object_id", flat=True))
    assert {third["id"], child["id"], successor["id"], grandchild["id"]} <= told


def test_a_successor_that_a_person_asked_for_is_of_the_family_too(acme: Tenant, key_for: Callable[..., str]) -> None:
    ada = User.objects.create_user("ada", is_staff=True)
    ada.groups.add(Group.objects.get(name="admin"))
    hers, old = holder(tokens.issue(ada, timezone.now()).access, acme), key_for(acme, "viewer")
    made = rotated(hers, old.split("_")[2])
    assert row(made).parent_id is None
    assert hers.delete(f"{KEYS}{old.split('_')[2]}/").status_code == 204
    assert holder(made["key"], acme).get(WHOAMI).status_code == 401


def test_ending_a_key_leaves_the_one_that_made_it(acme: Tenant, api: Door) -> None:
    admin = api(acme, "admin")
    made = [post(admin, KEYS, {"name": name, "role": "admin"}) for name in ("one", "two")]
    assert admin.delete(f"{KEYS}{made[0]['id']}/").status_code == 204
    codes = [client.get(WHOAMI).status_code for client in (admin, holder(made[0]["key"], acme))]
    assert [*codes, holder(made[1]["key"], acme).get(WHOAMI).status_code] == [200, 401, 200]


def test_the_command_ends_the_family_too(acme: Tenant, key_for: Callable[..., str]) -> None:
    first = key_for(acme, "admin")
    second = rotated(holder(first, acme))
    out = StringIO()
    call_command("revoke_key", tenant="acme", id=first.split("_")[2], stdout=out)
    with tenant_context(acme):
        assert "ended" in out.getvalue()
        assert row(second).revoked_at is not None


def test_who_was_ended_a_moment_ago_makes_no_key(acme: Tenant, key_for: Callable[..., str]) -> None:
    remembered = principal_for(key_for(acme, "admin"))
    ApiKey.objects.filter(pk=remembered.id).update(revoked_at=timezone.now())
    before = ApiKey.objects.count()
    with pytest.raises(Unauthenticated):
        keyring.issue(Actor("test", who=remembered), keyring.Wish("late", "viewer"), timezone.now())
    assert ApiKey.objects.count() == before


def test_a_closed_person_makes_no_key(acme: Tenant) -> None:
    ada = User.objects.create_user("ada", is_staff=True)
    ada.groups.add(Group.objects.get(name="admin"))
    known = principal_for(tokens.issue(ada, timezone.now()).access)
    made, _ = keyring.issue(Actor("test", who=known), keyring.Wish("hers", "viewer"), timezone.now())
    assert made.person_id == ada.pk
    User.objects.filter(pk=ada.pk).update(is_active=False)
    with pytest.raises(Unauthenticated):
        keyring.issue(Actor("test", who=known), keyring.Wish("late", "viewer"), timezone.now())


def test_a_family_that_grows_while_it_is_ended_ends_all_the_same(committed: Tenant, key_for: Any) -> None:
    first = principal_for(key_for(committed, "admin"))
    everybody = threading.Barrier(9)

    def make(number: int) -> None:
        with tenant_context(committed):
            everybody.wait(timeout=20)
            try:
                keyring.issue(Actor("test", who=first), keyring.Wish(f"child-{number}", "viewer"), timezone.now())
                keyring.rotate(Actor("test", who=first), "self", days=9, overlap_hours=1, at=timezone.now())
            except (Unauthenticated, Conflict):
                pass
        connections.close_all()

    def stop() -> None:
        with tenant_context(committed):
            everybody.wait(timeout=20)
            keyring.revoke(Actor("test"), ApiKey.objects.get(pk=first.id), timezone.now())
        connections.close_all()

    threads = [threading.Thread(target=make, args=(number,)) for number in range(8)] + [threading.Thread(target=stop)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    with tenant_context(committed):
        assert not ApiKey.objects.not_ended(timezone.now()).exists()
        assert ApiKey.objects.filter(expires_at__gt=timezone.now() + timedelta(days=91)).count() == 0
