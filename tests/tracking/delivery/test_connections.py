"""Connections: made in the browser and by program, with a secret that is shown once, for those who rule the project."""

from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import call_command
from django.db import DatabaseError
from django.test import Client
from django.utils import timezone

from apps.tenants.access.models import AuditEvent
from apps.tenants.access.models.audit import AuditQuerySet
from apps.tenants.access.sign_in.sealing import seal, unseal
from apps.tenants.models import Tenant
from apps.tracking.models import Connection, ConnectionSecret, Delivery, Project
from maestro import limits
from maestro.http.throttling import limiter
from tests.auditing import state
from tests.factories.forges import Forge, connect
from tests.factories.two_projects import person_in, speaking_as

Api = Callable[..., Client]
V1 = "/api/v1/connections/"
JSON = "application/json"


@pytest.fixture
def project(acme: Tenant) -> Project:
    limiter.clear()
    return Project.objects.create(slug="churn", name="Churn")


def pages(person: Callable[[str], Client], project: Project, name: str) -> tuple[Client, Any]:
    """Connect a repository by the form."""
    browser = person("admin")
    fields = {"project": str(project.pk), "kind": "gitlab", "name": name}
    return browser, browser.post("/admin/connections/", fields)


def test_a_connection_is_made_in_the_browser_and_its_secret_is_shown_once(
    acme: Tenant, project: Project, person: Callable[[str], Client]
) -> None:
    browser, page = pages(person, project, "group/churn")
    issued = page.context["issued"]
    assert issued.secret in page.content.decode()
    url = page.context["url"]
    assert url in page.content.decode()
    assert unseal(bytes(ConnectionSecret.objects.get().sealed_secret)) == issued.secret
    assert issued.secret.encode() not in bytes(ConnectionSecret.objects.get().sealed_secret)
    sender = Forge("gitlab", "/hooks/" + url.partition("/hooks/")[2], issued.secret, Client())
    assert Client(headers={"host": "acme.localhost"}).post(sender.path).status_code == 415
    for address in ("/admin/connections/", f"/admin/connections/{issued.connection.pk}/"):
        assert issued.secret not in browser.get(address).content.decode()
    event = AuditEvent.objects.get(action="connection.make")
    assert (event.actor, event.after["name"]) == ("person:a-admin", "group/churn")
    assert issued.secret not in str(event.after)


def test_the_log_shows_deliveries_and_reads_one_again(
    acme: Tenant, api: Api, project: Project, person: Callable[[str], Client]
) -> None:
    sender = connect(api(acme, "admin"), "churn")
    for number in range(60):
        sender.send("push", {}, name=f"n-{number}")
    row, browser = Connection.objects.get(), person("admin")
    page = browser.get(f"/admin/connections/{row.pk}/")
    assert "n-59" in page.content.decode()
    assert "n-9<" not in page.content.decode()
    older = browser.get(f"/admin/connections/{row.pk}/?before={page.context['older']}")
    assert [one.name for one in older.context["deliveries"]] == [f"n-{number}" for number in range(9, -1, -1)]
    failed = Delivery.objects.get(name="n-3")
    Delivery.objects.filter(pk=failed.pk).update(state="failed", reason="no", tries=3, read_at=timezone.now())
    answer = browser.post(f"/admin/connections/{row.pk}/", {"do": "replay", "delivery": str(failed.pk)})
    assert answer.status_code == 302
    failed.refresh_from_db()
    assert (failed.state, failed.reason, failed.tries) == ("waiting", "", 0)
    assert AuditEvent.objects.filter(action="delivery.replay").count() == 1


def test_a_new_secret_and_an_end_by_buttons(
    acme: Tenant, api: Api, project: Project, person: Callable[[str], Client]
) -> None:
    sender, browser = connect(api(acme, "admin"), "churn"), person("admin")
    row = Connection.objects.get()
    page = browser.post(f"/admin/connections/{row.pk}/", {"do": "rotate"})
    fresh = page.context["issued"].secret
    assert fresh in page.content.decode()
    assert Forge("github", sender.path, fresh, sender.client).send("push", {}).status_code == 202
    assert browser.post(f"/admin/connections/{row.pk}/", {"do": "close"}).status_code == 302
    assert sender.send("push", {}).status_code == 404
    assert not ConnectionSecret.objects.exists()
    again = browser.post(f"/admin/connections/{row.pk}/", {"do": "rotate"}, follow=True)
    assert "This connection is closed" in again.content.decode()
    actions = AuditEvent.objects.filter(action__startswith="connection.").values_list("action", flat=True)
    assert sorted(actions) == ["connection.close", "connection.make", "connection.rotate"]


@pytest.mark.parametrize("role", ["nobody", "viewer", "contributor", "approver"])
def test_only_admins_meet_connections(
    acme: Tenant, api: Api, project: Project, person: Callable[[str], Client], role: str
) -> None:
    connect(api(acme, "admin"), "churn")
    browser, row = person(role), Connection.objects.get()
    for address in ("/admin/connections/", f"/admin/connections/{row.pk}/"):
        assert browser.get(address).status_code in {302, 403}
        assert browser.post(address, {"do": "rotate"}).status_code in {302, 403}
    assert ConnectionSecret.objects.count() == 1


def test_who_rules_one_project_connects_that_one(acme: Tenant, api: Api, project: Project) -> None:
    other = Project.objects.create(slug="other", name="Other")
    connect(api(acme, "admin"), "other")
    client = speaking_as(acme, person_in({project: "admin", other: "viewer"}))
    made = client.post(V1, {"project": "churn", "kind": "github", "name": "mine"}, content_type=JSON)
    assert made.status_code == 201, made.content
    refused = client.post(V1, {"project": "other", "kind": "github", "name": "theirs"}, content_type=JSON)
    assert refused.status_code == 404
    assert [row["name"] for row in client.get(V1).json()["results"]] == ["mine"]
    foreign = Connection.objects.get(project=other)
    for method, rest in (("get", ""), ("delete", ""), ("post", "rotate/"), ("get", "deliveries/")):
        answer = client.generic(method.upper(), f"{V1}{foreign.pk}/{rest}", b"{}", content_type=JSON)
        assert answer.status_code == 404, (method, rest, answer.content)


def test_a_page_without_its_event_changes_nothing(
    acme: Tenant, project: Project, person: Callable[[str], Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = state.look()

    def broken(*args: Any, **kwargs: Any) -> None:
        raise DatabaseError("the log can not be written")

    browser = person("admin")
    before = state.look()
    monkeypatch.setattr(AuditQuerySet, "create", broken)
    browser.raise_request_exception = False
    fields = {"project": str(project.pk), "kind": "gitlab", "name": "x"}
    assert browser.post("/admin/connections/", fields).status_code >= 500
    monkeypatch.undo()
    assert state.changed(before, state.look()) == []


def test_a_forge_s_own_secret_is_taken_within_bounds(acme: Tenant, api: Api, project: Project) -> None:
    admin = api(acme, "admin")

    def make(secret: str) -> Any:
        asked = {"project": "churn", "kind": "gitlab", "name": "x", "secret": secret}
        return admin.post(V1, asked, content_type=JSON)

    own = "whsec_" + "QUJD" * 8
    assert make(own).json()["secret"] == own
    for bad in ("short", "with a space in it", "ü" * 20, "tab\tin the middle"):
        assert (make(bad).status_code, make(bad).json()["code"]) == (400, "bad_secret")


def test_a_project_has_so_many_connections(
    acme: Tenant, api: Api, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin = api(acme, "admin")
    monkeypatch.setattr(limits, "CONNECTIONS", 1)
    connect(admin, "churn")
    full = admin.post(V1, {"project": "churn", "kind": "github", "name": "x"}, content_type=JSON)
    assert (full.status_code, full.json()["code"]) == (409, "too_many")


def test_secrets_follow_the_server_s_when_it_is_rotated(
    acme: Tenant, api: Api, project: Project, settings: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    sender = connect(api(acme, "admin"), "churn")
    old = settings.SECRET_KEY
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another-secret-of-the-server-0123456789", [old]
    assert sender.send("push", {}).status_code == 202
    call_command("reseal_secrets", output="json")
    settings.SECRET_KEY_FALLBACKS = []
    assert sender.send("push", {}).status_code == 202
    assert seal("x") != seal("x")
