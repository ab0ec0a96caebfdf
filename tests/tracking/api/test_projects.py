"""Projects over REST: made once, shown to their tenant alone, changed with care."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django_tenants.utils import tenant_context

from apps.tenants.access.models import AuditEvent
from apps.tenants.models import Tenant
from apps.tracking.models import Project

ApiFor = Callable[..., Client]
FACTS = {
    "name": "Churn",
    "problem_class": "classification",
    "complexity": 40,
    "dataset_facts": {"rows": 1200, "share": 0.25, "source": "crm", "clean": True, "none": None},
    "team": "growth",
    "team_size": 3,
    "starts_at": "2026-01-05T09:00:00Z",
    "planned_cost": 1000.5,
    "goal_metric": "auc",
    "goal_worst": 0.5,
    "goal_best": 0.9,
    "labels": {"area": "sales"},
}


def send(client: Client, method: str, path: str, body: Any, **headers: str) -> Any:
    return getattr(client, method)(
        path,
        json.dumps(body),
        content_type="application/json",
        headers={k.replace("_", "-"): v for k, v in headers.items()},
    )


def test_a_project_keeps_every_fact_it_was_made_with(acme: Tenant, api: ApiFor) -> None:
    made = send(api(acme), "put", "/api/v1/projects/churn/", FACTS)
    assert made.status_code == 201, made.content
    shown = api(acme, "viewer").get("/api/v1/projects/churn/").json()
    assert {name: shown[name] for name in FACTS} == FACTS
    assert shown["slug"] == "churn"
    assert shown["outcome"] is None
    assert api(acme).get(f"/api/v1/projects/{shown['id']}/").json() == shown


def test_putting_a_project_again_is_harmless_and_putting_another_in_its_place_is_refused(
    acme: Tenant, api: ApiFor
) -> None:
    client = api(acme)
    assert send(client, "put", "/api/v1/projects/churn/", FACTS).status_code == 201
    assert send(client, "put", "/api/v1/projects/churn/", FACTS).status_code == 200
    refused = send(client, "put", "/api/v1/projects/churn/", FACTS | {"team_size": 4})
    assert (refused.status_code, refused.json()["code"]) == (409, "already_exists")
    assert Project.objects.get(slug="churn").team_size == 3


def test_a_taken_slug_is_a_conflict(acme: Tenant, api: ApiFor) -> None:
    client = api(acme)
    assert send(client, "post", "/api/v1/projects/", {"slug": "churn"}).status_code == 201
    assert send(client, "post", "/api/v1/projects/", {"slug": "churn"}).status_code == 409


def test_a_post_with_one_idempotency_key_is_done_once(acme: Tenant, api: ApiFor) -> None:
    client = api(acme)
    first = send(client, "post", "/api/v1/projects/", {"slug": "churn"}, Idempotency_Key="k-1")
    again = send(client, "post", "/api/v1/projects/", {"slug": "churn"}, Idempotency_Key="k-1")
    other = send(client, "post", "/api/v1/projects/", {"slug": "other"}, Idempotency_Key="k-1")
    assert (first.status_code, again.status_code, other.status_code) == (201, 201, 422)
    assert first.json() == again.json()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("complexity", 0),
        ("complexity", 101),
        ("complexity", "40"),
        ("complexity", 1.5),
        ("complexity", True),
        ("team_size", -1),
        ("team_size", 2**63 - 1),
        ("planned_cost", -1),
        ("planned_cost", "many"),
        ("problem_class", "magic"),
        ("name", ""),
        ("name", 5),
        ("name", "x" * 251),
        ("name", "nul\x00"),
        ("team", "\ud800"),
        ("starts_at", "yesterday"),
        ("starts_at", "99999-01-01T00:00:00Z"),
        ("starts_at", "0001-01-01T00:00:00+14:00"),
        ("dataset_facts", {"rows": [1]}),
        ("dataset_facts", {"rows": {"deep": 1}}),
        ("dataset_facts", {"k" * 251: 1}),
        ("dataset_facts", []),
        ("labels", {"a": 1}),
        ("goal_maximize", "yes"),
        ("success", 50),
        ("id", "00000000-0000-7000-8000-000000000001"),
        ("wormhole", 1),
    ],
)
def test_a_bad_field_is_named_and_nothing_is_stored(acme: Tenant, api: ApiFor, field: str, value: Any) -> None:
    answer = send(api(acme), "post", "/api/v1/projects/", {"slug": "bad", field: value})
    assert answer.status_code == 400, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    assert field in answer.content.decode()
    assert not Project.objects.filter(slug="bad").exists()


@pytest.mark.parametrize("slug", ["", "UPPER", "-a", "a-", "a b", "../x", "ü", "a" * 101, 7, None])
def test_a_bad_slug_is_refused(acme: Tenant, api: ApiFor, slug: Any) -> None:
    assert send(api(acme), "post", "/api/v1/projects/", {"slug": slug}).status_code == 400


def test_a_change_based_on_an_old_state_is_refused(acme: Tenant, api: ApiFor) -> None:
    client = api(acme)
    tag = send(client, "put", "/api/v1/projects/churn/", FACTS)["ETag"]
    assert send(client, "patch", "/api/v1/projects/churn/", {"team_size": 5}, If_Match=tag).status_code == 200
    stale = send(client, "patch", "/api/v1/projects/churn/", {"team_size": 6}, If_Match=tag)
    assert (stale.status_code, stale.json()["code"]) == (412, "precondition_failed")
    assert Project.objects.get(slug="churn").team_size == 5


def test_an_unchanged_project_is_not_sent_again(acme: Tenant, api: ApiFor) -> None:
    client = api(acme)
    tag = send(client, "put", "/api/v1/projects/churn/", FACTS)["ETag"]
    assert client.get("/api/v1/projects/churn/", headers={"if-none-match": tag}).status_code == 304


def test_a_change_that_would_end_a_project_before_it_starts_is_refused(acme: Tenant, api: ApiFor) -> None:
    client = api(acme)
    send(client, "put", "/api/v1/projects/churn/", FACTS)
    answer = send(client, "patch", "/api/v1/projects/churn/", {"ends_at": "2025-01-01T00:00:00Z"})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == "/ends_at"


def test_an_outcome_says_who_set_it_and_the_same_again_changes_nothing(acme: Tenant, api: ApiFor) -> None:
    client = api(acme)
    send(client, "put", "/api/v1/projects/churn/", FACTS)
    assert client.get("/api/v1/projects/churn/outcome/").status_code == 404
    outcome = {"success": 72.5, "business_value": -3.5, "rule": "auc between worst and best"}
    first = send(client, "put", "/api/v1/projects/churn/outcome/", outcome).json()["outcome"]
    again = send(client, "put", "/api/v1/projects/churn/outcome/", outcome).json()["outcome"]
    assert first == again
    assert (first["success"], first["source"], first["set_by"]) == (72.5, "person", "key:contributor")
    assert AuditEvent.objects.filter(action="project.outcome").count() == 1


@pytest.mark.parametrize("success", [-1, 100.5, None, "90", True, 1e400])
def test_an_outcome_outside_0_to_100_is_refused(acme: Tenant, api: ApiFor, success: Any) -> None:
    client = api(acme)
    send(client, "put", "/api/v1/projects/churn/", FACTS)
    answer = send(client, "put", "/api/v1/projects/churn/outcome/", {"success": success})
    assert answer.status_code == 400
    assert Project.objects.get(slug="churn").success is None


def test_pages_follow_one_another_without_gap_or_repeat(acme: Tenant, api: ApiFor) -> None:
    client = api(acme)
    for number in range(5):
        send(client, "put", f"/api/v1/projects/p{number}/", {"team": "pages"})
    seen, url = [], "/api/v1/projects/?team=pages&limit=2"
    while url:
        page = client.get(url).json()
        seen += [row["slug"] for row in page["results"]]
        url = page["next"]
    assert seen == ["p4", "p3", "p2", "p1", "p0"]


@pytest.mark.parametrize("query", ["limit=0", "limit=501", "limit=x", "limit=99999999999", "cursor=zz", "cursor=a:b"])
def test_a_bad_page_is_refused(acme: Tenant, api: ApiFor, query: str) -> None:
    assert api(acme).get(f"/api/v1/projects/?{query}").status_code == 400


def test_a_viewer_may_not_write(acme: Tenant, api: ApiFor) -> None:
    viewer = api(acme, "viewer")
    assert send(viewer, "put", "/api/v1/projects/churn/", FACTS).status_code == 403
    assert send(viewer, "patch", "/api/v1/projects/default/", {"team": "x"}).status_code == 403
    assert send(viewer, "put", "/api/v1/projects/default/outcome/", {"success": 1}).status_code == 403


def test_a_project_of_acme_is_unknown_in_globex(acme: Tenant, globex: Tenant, api: ApiFor) -> None:
    with tenant_context(acme):
        theirs = Project.objects.create(slug="secret", name="secret")
    client = api(globex)
    for path in (f"/api/v1/projects/{theirs.pk}/", "/api/v1/projects/secret/"):
        assert client.get(path).status_code == 404
        assert send(client, "patch", path, {"team": "x"}).status_code == 404
    assert "secret" not in client.get("/api/v1/projects/").content.decode()


def test_a_key_of_one_project_sees_only_that_project(acme: Tenant, api: ApiFor) -> None:
    own = Project.objects.create(slug="own", name="own")
    Project.objects.create(slug="other", name="other")
    client = api(acme, project_id=own.pk)
    assert [row["slug"] for row in client.get("/api/v1/projects/").json()["results"]] == ["own"]
    assert client.get("/api/v1/projects/other/").status_code == 404
    assert send(client, "patch", "/api/v1/projects/other/", {"team": "x"}).status_code == 404
    assert send(client, "put", "/api/v1/projects/third/", {}).status_code == 403
    assert send(client, "patch", "/api/v1/projects/own/", {"team": "x"}).status_code == 200


def test_each_change_is_in_the_audit_log(acme: Tenant, api: ApiFor) -> None:
    client = api(acme)
    send(client, "put", "/api/v1/projects/churn/", FACTS)
    send(client, "patch", "/api/v1/projects/churn/", {"team_size": 9})
    events = list(AuditEvent.objects.filter(object_type="Project").order_by("id"))
    assert [event.action for event in events] == ["project.create", "project.change"]
    assert (events[1].before, events[1].after, events[1].actor) == (
        {"team_size": 3},
        {"team_size": 9},
        "key:contributor",
    )
