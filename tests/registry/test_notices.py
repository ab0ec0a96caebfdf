"""What is told of artifacts, versions, aliases and gates: with the act or not at all, and a refusal though its act is undone."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from apps.registry.models import Alias
from apps.tenants.models import Tenant
from apps.tracking.models import Notice, Project, Webhook
from apps.tracking.notices.events import Happening
from tests.factories.gates import ask, make_gate, path_of, say, two_versions
from tests.factories.receiving import listen

Api = Callable[..., Client]
MLFLOW = "/api/2.0/mlflow/"


@pytest.fixture
def hook(acme: Tenant) -> Webhook:
    return listen("https://receiver.invalid/", *Happening).webhook


def told(*fields: str) -> list[tuple[Any, ...]]:
    """What was written down, the first first: events and some of their data."""
    rows = Notice.objects.order_by("id")
    return [(row.event, *(row.data.get(name) for name in fields)) for row in rows]


def test_versions_aliases_and_notes_are_told(acme: Tenant, api: Api, hook: Webhook) -> None:
    client = api(acme, "approver")
    two_versions(client)
    alias = {"name": "churn", "alias": "next"}
    for version in ("1", "2", "2"):
        client.post(f"{MLFLOW}registered-models/alias", alias | {"version": version}, content_type="application/json")
    client.delete(f"{MLFLOW}registered-models/alias", alias, content_type="application/json")
    tag = {"name": "churn", "version": "2", "key": "k", "value": "v"}
    client.post(f"{MLFLOW}model-versions/set-tag", tag, content_type="application/json")
    client.delete(f"{MLFLOW}model-versions/delete-tag", tag, content_type="application/json")
    assert told("artifact", "version", "alias", "before", "key", "value") == [
        ("artifact.created", "churn", None, None, None, None, None),
        ("version.registered", "churn", "1", None, None, None, None),
        ("version.registered", "churn", "2", None, None, None, None),
        ("alias.moved", "churn", "1", "next", None, None, None),
        ("alias.moved", "churn", "2", "next", "1", None, None),
        ("alias.deleted", "churn", None, "next", None, None, None),
        ("version.tagged", "churn", "2", None, None, "k", "v"),
        ("version.untagged", "churn", "2", None, None, "k", None),
    ]


def test_a_gate_s_refusal_is_told_once_with_its_reason_whichever_door_it_comes_by(
    acme: Tenant, api: Api, hook: Webhook
) -> None:
    client = api(acme, "approver")
    make_gate(api(acme, "admin"), metrics=[{"metric": "auc", "operator": ">=", "value": 0.9}])
    two_versions(client)
    Notice.objects.all().delete()
    put = client.put("/api/v1/artifacts/churn/aliases/gated/", {"version": "1"}, content_type="application/json")
    assert (put.status_code, ask(client).status_code) == (409, 409)
    body = {"name": "churn", "alias": "gated", "version": "1"}
    assert client.post(f"{MLFLOW}registered-models/alias", body, content_type="application/json").status_code >= 400
    assert told("artifact", "version", "alias") == [("gate.refused", "churn", "1", "gated")] * 3
    assert all("auc" in row.data["reason"] for row in Notice.objects.all())
    assert not Alias.objects.exists()


def test_what_waits_before_a_gate_and_what_passes_it_are_told(acme: Tenant, api: Api, hook: Webhook) -> None:
    make_gate(api(acme, "admin"))
    two_versions(api(acme))
    Notice.objects.all().delete()
    waits = ask(api(acme))
    assert waits.status_code == 202, waits.content
    ask(api(acme))
    assert told("target") == [("gate.waiting", "the alias gated")]
    assert say(api(acme, "approver"), path_of(waits)).status_code < 300
    assert [one[0] for one in told()] == ["gate.waiting", "gate.passed", "alias.moved"]


def test_where_a_version_came_from_is_told_only_to_who_may_see_it(acme: Tenant, api: Api) -> None:
    home, other = (Project.objects.create(slug=name, name=name) for name in ("home", "other"))
    listen("https://receiver.invalid/", "version.registered", project=home)
    listen("https://receiver.invalid/", "version.registered")
    boss = api(acme, "admin")
    for project in (home, other):
        inside = api(acme, project_id=project.pk)
        made = inside.post(f"{MLFLOW}experiments/create", {"name": project.slug}, content_type="application/json")
        fields = {"experiment_id": made.json()["experiment_id"]}
        run = inside.post(f"{MLFLOW}runs/create", fields, content_type="application/json").json()["run"]["info"]
        name = {"name": f"of-{project.slug}", "source": run["artifact_uri"], "run_id": run["run_id"]}
        boss.put(
            f"/api/v1/artifacts/of-{project.slug}/",
            {"kind": "model", "project": "home"},
            content_type="application/json",
        )
        answer = boss.post(f"{MLFLOW}model-versions/create", name, content_type="application/json")
        assert answer.status_code == 200, answer.content
    near, far = Notice.objects.order_by("id")
    assert near.data["run_id"] == near.wide["run_id"] == near.data["mlflow"]["run_id"]
    assert (far.data["run_id"], far.data["mlflow"]["source"], bool(far.wide["run_id"])) == (None, "", True)


def test_nothing_is_written_of_what_nobody_listens_for(acme: Tenant, api: Api) -> None:
    listen("https://receiver.invalid/", "run.lost")
    two_versions(api(acme))
    assert not Notice.objects.exists()
