"""Erasing a person: nothing but the audit log tells their name, nothing lets them in, and nobody else is touched."""

import json
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import Group, User
from django.contrib.contenttypes.models import ContentType
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from apps.tenants.access import erasing
from apps.tenants.access.keys import tokens
from apps.tenants.access.models import AuditEvent, ProjectRole, RefreshToken
from apps.tenants.access.sign_in import second_factor
from apps.tenants.models import Tenant
from apps.tracking.models import Member, Project, Run
from maestro.database.session import connection

NAME, PASSWORD = "ada.lovelace", "a long and silly password"
HOLDS = """SELECT count(*) FROM "{}" t WHERE t::text LIKE %s"""
TABLES = "SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'"


def run(name: str, **options: Any) -> dict[str, Any]:
    out, here = StringIO(), connection.tenant
    try:
        call_command(
            "erase_person", tenant="acme", username=name, output="json", stdout=out, stderr=StringIO(), **options
        )
    finally:
        connection.set_tenant(here)
    answer: dict[str, Any] = json.loads(out.getvalue())
    return answer


def tables_that_tell(text: str) -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(TABLES)
        names = [name for (name,) in cursor.fetchall()]
        found = set()
        for name in names:
            cursor.execute(HOLDS.format(name), [f"%{text}%"])
            found |= {name} if cursor.fetchone()[0] else set()
    return found


@pytest.fixture
def ada(acme: Tenant) -> User:
    """A person who did a bit of everything."""
    person = User.objects.create_user(NAME, email=f"{NAME}@example.org", password=PASSWORD, first_name=NAME)
    person.is_staff = True
    person.save()
    person.groups.add(Group.objects.get(name="admin"))
    second_factor.begin(person)
    LogEntry.objects.create(
        user=person,
        content_type=ContentType.objects.get_for_model(Project),
        action_flag=CHANGE,
        object_repr="p",
        change_message=json.dumps([{"added": {"name": "member", "object": f"{NAME} in p"}}]),
    )
    client = browser(person)
    assert client.get("/admin/").status_code == 200
    pair = tokens.issue(person, timezone.now())
    bearer = Client(headers={"host": "acme.localhost", "authorization": f"Bearer {pair.access}"})

    def post(path: str, body: dict[str, Any]) -> Any:
        answer = bearer.post(path, body, content_type="application/json", headers={"idempotency-key": path})
        assert answer.status_code < 300, answer.content
        return answer.json()

    post("/api/v1/projects/", {"slug": "p"})
    post("/api/v1/keys/", {"name": "k", "role": "viewer"})
    post("/api/v1/views/", {"name": "v", "state": {"experiments": [0]}})
    post("/api/2.0/mlflow/runs/create", {"experiment_id": "0", "user_id": NAME})
    project = Project.objects.get(slug="p")
    Member.objects.create(project=project, user=person)
    ProjectRole.objects.create(project_id=project.pk, user=person, role="approver")
    return person


def browser(person: User) -> Client:
    client = Client(headers={"host": "acme.localhost"})
    client.force_login(person, backend="apps.tenants.access.sign_in.passwords.PasswordBackend")
    return client


def test_without_execute_nothing_changes(acme: Tenant, ada: User) -> None:
    before = tables_that_tell(NAME)
    answer = run(NAME)
    assert answer["erased"] is False
    assert answer["rows"]["tracking_run.created_by"] == 1
    assert tables_that_tell(NAME) == before
    ada.refresh_from_db()
    assert ada.is_active


def test_only_the_audit_log_still_tells_the_name(acme: Tenant, ada: User, api: Callable[..., Client]) -> None:
    eve = User.objects.create_user(f"{NAME}2", email="eve@example.org", password=PASSWORD)
    Run.objects.update(created_by=f"person:{NAME}")
    here = browser(ada)
    answer = run(NAME, execute=True, yes=True)
    alias = answer["pseudonym"]
    eve.refresh_from_db()
    assert (eve.username, eve.email, eve.is_active) == (f"{NAME}2", "eve@example.org", True)
    eve.delete()
    left = tables_that_tell(NAME)
    assert "access_auditevent" in left
    assert left <= {"access_auditevent", "access_idempotentrequest", "tracking_tag"}, left
    assert Run.objects.filter(created_by=f"person:{alias}").exists()
    assert here.get("/admin/tracking/run/").status_code == 302
    assert not RefreshToken.objects.filter(user_id=ada.pk).exists()
    assert not ProjectRole.objects.filter(user_id=ada.pk).exists()
    assert Member.objects.filter(user_id=ada.pk).exists()
    ada.refresh_from_db()
    assert (ada.username, ada.email, ada.first_name, ada.is_active, ada.is_staff) == (alias, "", "", False, False)
    assert not ada.has_usable_password()
    event = AuditEvent.objects.get(action="person.erase")
    assert (event.object_id, event.after["username"]) == (str(ada.pk), alias)
    assert NAME not in json.dumps(event.after)
    assert run(alias, execute=True, yes=True)["rows"], "the pseudonym can be changed again"


def test_somebody_who_is_not_here_is_not_found(acme: Tenant) -> None:
    with pytest.raises(CommandError) as refusal:
        run("nobody", execute=True, yes=True)
    assert refusal.value.returncode == 4


def test_it_asks_first(acme: Tenant, ada: User) -> None:
    with pytest.raises(CommandError) as refusal:
        run(NAME, execute=True)
    assert refusal.value.returncode == 2
    ada.refresh_from_db()
    assert ada.is_active


def test_every_column_that_notes_who_did_something_is_known() -> None:
    known = {f"{model.__name__}.{name}" for model, name in erasing.naming_columns()}
    assert {"Run.created_by", "Run.user_name", "ApiKey.created_by", "SavedView.owner_name"} <= known
    assert "AuditEvent.actor" not in known
