"""What operators do is written down in the change's own transaction, by command and page, and nobody changes it."""

import json
from collections.abc import Iterator
from io import StringIO
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import DatabaseError, ProgrammingError, transaction
from django.test import Client

from apps.tenants import ending, provisioning
from apps.tenants.actions import Act
from apps.tenants.models import OperatorEvent, Tenant
from apps.tenants.models.events import EventQuerySet
from maestro.database.session import connection

PASSWORD = "a long and silly password"


@pytest.fixture
def public(db: None) -> Iterator[None]:
    connection.set_schema_to_public()
    yield
    connection.set_schema_to_public()


def run(name: str, *args: str, **options: Any) -> dict[str, Any]:
    out = StringIO()
    call_command(name, *args, output="json", stdout=out, stderr=StringIO(), **options)
    answer: dict[str, Any] = json.loads(out.getvalue())
    return answer


@pytest.fixture
def browser(public: None) -> Client:
    client = Client(headers={"host": "localhost", "x-request-id": "the-request"})
    client.force_login(
        User.objects.create_superuser("root", password="x"),
        backend="apps.tenants.access.sign_in.passwords.PasswordBackend",
    )
    return client


def told(**wanted: Any) -> list[str]:
    connection.set_schema_to_public()
    return list(OperatorEvent.objects.filter(**wanted).order_by("at", "id").values_list("action", flat=True))


def test_a_tenants_whole_life_stays_in_the_log_when_it_is_gone(
    committed: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ending, "SETTLE_SECONDS", 0)
    run("create_tenant", "short-lived")
    run("suspend_tenant", "short-lived", yes=True)
    run("resume_tenant", "short-lived")
    ending.suspend("short-lived", by="ops")
    ending.erase("short-lived", by="ops", settle_seconds=0)
    acts = ["create", "suspend", "resume", "suspend", "begin_erasing", "erase"]
    assert told(object_id="short-lived")[-6:] == [f"tenant.{act}" for act in acts]
    last = OperatorEvent.objects.filter(object_id="short-lived").order_by("at", "id").last()
    assert (last.actor, last.object_type) == ("operator:ops", "Tenant")
    assert last.before["tables"] > 40


def test_a_change_falls_with_its_event(acme: Tenant, public: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: Any, **kwargs: Any) -> None:
        raise DatabaseError("the log can not be written")

    monkeypatch.setattr(EventQuerySet, "create", broken)
    for act in (lambda: ending.suspend("acme", by="ops"), lambda: run("add_operator", username="eve")):
        with pytest.raises(Exception, match="can not be written"), transaction.atomic():
            act()
    with pytest.raises(DatabaseError, match="can not be written"):
        provisioning.create("never-made")
    monkeypatch.undo()
    connection.set_schema_to_public()
    assert Tenant.objects.get(slug="acme").is_active
    assert not User.objects.filter(username="eve").exists()
    assert not Tenant.objects.filter(slug="never-made").exists()


def test_operators_are_told_of_by_command_and_page(browser: Client) -> None:
    run("add_operator", username="ada")
    run("add_operator", username="ada")
    assert told(object_type="User") == ["operator.add", "operator.new_password"]
    fields = {"username": "bea", "password1": PASSWORD, "password2": PASSWORD, "usable_password": "true"}
    assert browser.post("/admin/auth/user/add/", fields).status_code == 302
    connection.set_schema_to_public()
    event = OperatorEvent.objects.get(action="user.add")
    assert (event.actor, event.role, event.request_id) == ("person:root", "admin", "the-request")
    assert event.after["password"] == "[not recorded]"
    person = User.objects.get(username="bea")
    page = f"/admin/auth/user/{person.pk}/password/"
    assert browser.post(page, {k: v for k, v in fields.items() if k != "username"}).status_code == 302
    assert told(object_id=str(person.pk)) == ["user.add", "user.change"]


def test_an_operators_sign_in_and_new_password_are_told(browser: Client) -> None:
    connection.set_schema_to_public()
    User.objects.create_superuser("ada", password=PASSWORD)
    client = Client(headers={"host": "localhost"})
    assert client.post("/admin/login/", {"username": "ada", "password": PASSWORD}).status_code == 302
    fields = {"old_password": PASSWORD, "new_password1": f"{PASSWORD} 2", "new_password2": f"{PASSWORD} 2"}
    assert client.post("/admin/password_change/", fields).status_code == 302
    assert told(actor="person:ada") == ["person.password", "person.new_password"]


def test_the_log_is_shown_to_operators_and_changed_by_nobody(browser: Client) -> None:
    connection.set_schema_to_public()
    OperatorEvent.objects.record(Act.TENANT_CREATE, actor="operator:ops", object_type="Tenant", object_id="shown-here")
    assert b"shown-here" in browser.get("/admin/tenants/operatorevent/").content
    connection.set_schema_to_public()
    event = OperatorEvent.objects.get(object_id="shown-here")
    for page in ("add/", f"{event.pk}/delete/"):
        assert browser.get(f"/admin/tenants/operatorevent/{page}").status_code == 403


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE public.tenants_operatorevent SET actor = 'nobody'",
        "DELETE FROM public.tenants_operatorevent",
        "TRUNCATE public.tenants_operatorevent",
    ],
)
def test_the_application_can_not_touch_what_was_recorded(public: None, statement: str) -> None:
    # The owner goes first: TRUNCATE would wait for the event that this test's transaction holds.
    with psycopg.connect(settings.OWNER_DATABASE_URL) as owner:
        owner.execute(
            "INSERT INTO public.tenants_operatorevent (id, at, action, actor, role, object_type, object_id,"
            " request_id) VALUES (gen_random_uuid(), now(), 'x', 'x', '', '', '', '')"
        )
        with pytest.raises(psycopg.Error, match="can not be changed"), owner.transaction():
            owner.execute(statement)
        owner.rollback()
    OperatorEvent.objects.record(Act.TENANT_CREATE, actor="operator:ops")
    with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
        connection.cursor().execute(statement)
