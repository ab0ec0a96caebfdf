"""Rules for runs' lives over REST: shapes, rights, races."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django_tenants.utils import tenant_context

from apps.tenants.access.models import AuditEvent
from apps.tenants.models import Tenant
from apps.tracking.models import LifeRule, Project

ApiFor = Callable[..., Client]
OURS = {"trash_days": 30, "keep_runs_days": None, "lost_after_hours": 24.0}
NOTHING = dict.fromkeys(OURS)


def put(client: Client, path: str, body: Any, **headers: str) -> Any:
    return client.put(path, json.dumps(body), content_type="application/json", headers=headers)


def test_rules_are_shown_set_and_left_to_the_wider_rule_again(acme: Tenant, api: ApiFor) -> None:
    Project.objects.create(slug="churn", name="churn")
    own, whole = "/api/v1/projects/churn/retention/", "/api/v1/retention/"
    viewer, admin = api(acme, "viewer"), api(acme, "admin")
    assert viewer.get(own).json() == NOTHING | {"set_by": None, "set_at": None, "in_force": OURS}
    assert put(admin, whole, {"trash_days": 7, "lost_after_hours": 0.5}).status_code == 200
    answer = put(admin, own, {"trash_days": 0, "keep_runs_days": 365})
    assert answer.json()["in_force"] == {"trash_days": 0, "keep_runs_days": 365, "lost_after_hours": 0.5}
    assert answer.json()["set_by"] == "key:admin"
    assert put(admin, own, {}).json()["in_force"] == OURS | {"trash_days": 7, "lost_after_hours": 0.5}
    assert AuditEvent.objects.filter(action="retention.change").count() == 3


def test_only_admins_set_rules_and_a_stale_tag_is_refused(acme: Tenant, api: ApiFor) -> None:
    path = "/api/v1/projects/default/retention/"
    for role in ("viewer", "contributor", "approver"):
        assert put(api(acme, role), path, {"trash_days": 0}).status_code == 403
    admin = api(acme, "admin")
    tag = admin.get(path)["ETag"]
    assert put(admin, path, {"trash_days": 1}, if_match=tag).status_code == 200
    assert put(admin, path, {"trash_days": 2}, if_match=tag).status_code == 412
    bound = api(acme, "admin", project_id=Project.objects.get(slug="default").pk)
    assert put(bound, path, {"trash_days": 3}).status_code == 200
    assert put(bound, "/api/v1/retention/", {"trash_days": 3}).status_code == 403
    assert LifeRule.objects.get().trash_days == 3


@pytest.mark.parametrize(
    "body",
    [
        [],
        {"trash_days": -1},
        {"trash_days": 1.5},
        {"trash_days": "7"},
        {"trash_days": 36_501},
        {"keep_runs_days": 0},
        {"keep_runs_days": 2**70},
        {"lost_after_hours": 0},
        {"lost_after_hours": 9_000},
        {"lost_after_hours": True},
        {"project": "x"},
    ],
)
def test_a_bad_rule_is_refused(acme: Tenant, api: ApiFor, body: Any) -> None:
    assert put(api(acme, "admin"), "/api/v1/retention/", body).status_code == 400
    assert not LifeRule.objects.exists()


def test_a_rule_of_acme_does_not_hold_in_globex(acme: Tenant, globex: Tenant, api: ApiFor) -> None:
    with tenant_context(acme):
        LifeRule.objects.create(trash_days=0)
        Project.objects.create(slug="theirs", name="theirs")
    client = api(globex, "admin")
    assert client.get("/api/v1/retention/").json()["in_force"] == OURS
    assert put(client, "/api/v1/projects/theirs/retention/", {}).status_code == 404
