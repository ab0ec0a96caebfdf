"""Keys over REST: issued within the issuer's rights, shown once, replaced with overlap, revoked."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from apps.tenants.access.keys.authentication import forget_keys
from apps.tenants.access.models import ApiKey, AuditEvent
from apps.tenants.models import Tenant
from apps.tracking.models import Project

KEYS = "/api/v1/keys/"
WHOAMI = "/api/v1/auth/whoami/"
Door = Callable[..., Client]


def issue(client: Client, **wish: Any) -> Any:
    return client.post(KEYS, {"name": "ci", "role": "viewer"} | wish, content_type="application/json")


def holder(text: str, tenant: Tenant) -> Client:
    return Client(headers={"authorization": f"Bearer {text}", "host": f"{tenant.slug}.localhost"})


def test_a_key_is_shown_once_and_opens_the_door(acme: Tenant, api: Door) -> None:
    admin = api(acme, "admin")
    made = issue(admin, role="contributor")
    assert made.status_code == 201, made.content
    text = made.json()["key"]
    assert text.startswith(f"mst_acme_{made.json()['id']}_")
    me = holder(text, acme).get(WHOAMI).json()
    assert (me["kind"], me["role"], me["tenant"]) == ("key", "contributor", "acme")
    listed = admin.get(KEYS).content.decode()
    assert text not in listed
    assert "digest" not in listed
    event = AuditEvent.objects.get(action="key.issue", object_id=made.json()["id"])
    assert event.actor == "key:admin"
    assert event.address == "127.0.0.1"
    assert event.request_id == made.headers["X-Request-Id"]


@pytest.mark.parametrize("role", ["viewer", "contributor", "approver"])
def test_only_admins_see_and_make_keys(acme: Tenant, api: Door, role: str) -> None:
    client = api(acme, role)
    assert client.get(KEYS).status_code == 403
    assert issue(client).status_code == 403


@pytest.mark.parametrize(
    "wish",
    [
        {"role": "root"},
        {"days": 0},
        {"days": 367},
        {"days": 2**63},
        {"days": "9"},
        {"name": ""},
        {"name": "x" * 251},
        {"name": "a\x00b"},
        {"scopes": ["everything"]},
        {"scopes": ["read"] * 6},
        {"scopes": "read"},
        {"digest": "x"},
        {"id": "mine"},
        {"created_by": "somebody else"},
    ],
)
def test_a_bad_wish_is_400_and_makes_nothing(acme: Tenant, api: Door, wish: dict[str, Any]) -> None:
    admin = api(acme, "admin")
    before = ApiKey.objects.count()
    assert issue(admin, **wish).status_code == 400
    assert ApiKey.objects.count() == before


def test_a_narrowed_key_can_not_widen_itself(acme: Tenant, api: Door) -> None:
    narrow = api(acme, "admin", scopes=["access"])
    assert issue(narrow).status_code == 403
    assert issue(narrow, scopes=["access", "tracking"]).status_code == 403
    assert issue(narrow, scopes=["access"]).status_code == 201


def test_a_scope_closes_the_other_rooms(acme: Tenant, api: Door) -> None:
    looks = api(acme, "contributor", scopes=["read"])
    assert looks.get("/api/v1/projects/").status_code == 200
    body = {"slug": "mine"}
    assert looks.post("/api/v1/projects/", body, content_type="application/json").status_code == 403
    run = {"experiment_id": "0"}
    assert looks.post("/api/2.0/mlflow/runs/create", run, content_type="application/json").status_code == 403
    found = looks.post("/api/2.0/mlflow/runs/search", {"experiment_ids": ["0"]}, content_type="application/json")
    assert found.status_code == 200
    tracks = api(acme, "contributor", scopes=["tracking"])
    assert tracks.post("/api/2.0/mlflow/runs/create", run, content_type="application/json").status_code == 200
    assert tracks.post("/api/v1/projects/", body, content_type="application/json").status_code == 201


def test_a_projects_key_makes_and_sees_keys_of_its_project_only(acme: Tenant, api: Door) -> None:
    mine, other = Project.objects.create(slug="mine", name="m"), Project.objects.create(slug="other", name="o")
    bound = api(acme, "admin", project_id=mine.id)
    assert issue(bound).status_code == 403
    assert issue(bound, project="other").status_code == issue(bound, project="never").status_code == 404
    made = issue(bound, project="mine")
    assert made.json()["project"] == str(mine.id)
    theirs = issue(api(acme, "admin"), project=str(other.id)).json()["id"]
    assert bound.get(f"{KEYS}{theirs}/").status_code == 404
    assert theirs not in bound.get(KEYS).content.decode()
    assert bound.get("/api/v1/audit/").status_code == 403


def test_a_job_can_not_make_keys(acme: Tenant, api: Door) -> None:
    job = api(acme, "admin", kind="job", lasts=timedelta(minutes=15))
    assert issue(job).status_code == 403
    assert job.post(f"{KEYS}self/rotate/", {}, content_type="application/json").status_code == 404


def test_revoking_closes_the_door(acme: Tenant, api: Door) -> None:
    admin = api(acme, "admin")
    made = issue(admin).json()
    user = holder(made["key"], acme)
    assert user.get(WHOAMI).status_code == 200
    assert admin.delete(f"{KEYS}{made['id']}/").status_code == 204
    assert user.get(WHOAMI).status_code == 401
    assert admin.delete(f"{KEYS}{made['id']}/").status_code == 204
    assert AuditEvent.objects.filter(action="key.revoke", object_id=made["id"]).count() == 1


def test_a_key_may_end_itself(acme: Tenant, api: Door) -> None:
    viewer = api(acme, "viewer")
    assert viewer.delete(f"{KEYS}self/").status_code == 204
    assert viewer.get(WHOAMI).status_code == 401


def test_a_rotated_key_works_for_the_overlap(acme: Tenant, api: Door) -> None:
    old = api(acme, "contributor", scopes=["tracking", "access"])
    made = old.post(f"{KEYS}self/rotate/", {"overlap_hours": 1}, content_type="application/json")
    assert made.status_code == 201
    new = holder(made.json()["key"], acme)
    assert new.get(WHOAMI).json()["scopes"] == ["access", "tracking"]
    assert old.get(WHOAMI).status_code == 200
    ending = ApiKey.objects.exclude(pk=made.json()["id"]).get(name="contributor")
    assert timedelta(minutes=59) < ending.revoked_at - timezone.now() <= timedelta(hours=1)
    assert old.post(f"{KEYS}self/rotate/", {}, content_type="application/json").status_code == 409
    ending.revoke(timezone.now())
    forget_keys()
    assert old.get(WHOAMI).status_code == 401


def test_an_expired_key_is_refused(acme: Tenant, api: Door) -> None:
    client = api(acme, "viewer")
    ApiKey.objects.update(expires_at=timezone.now())
    assert client.get(WHOAMI).status_code == 401


def test_a_key_of_the_other_tenant_is_not_found(acme: Tenant, globex: Tenant, api: Door, key_for: Any) -> None:
    theirs = key_for(acme, "viewer").split("_")[2]
    admin = api(globex, "admin")
    assert admin.get(f"{KEYS}{theirs}/").status_code == 404
    assert admin.delete(f"{KEYS}{theirs}/").status_code == 404
