"""A forgotten password leaves its events: the letter, by the worker that sends it, and the new password."""

import secrets
from collections.abc import Iterator
from ipaddress import IPv4Address
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.auth.tokens import default_token_generator
from django.core import mail
from django.db import DatabaseError
from django.test import Client
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode
from django_tenants.utils import tenant_context

from apps.tenants.access.models import AuditEvent
from apps.tenants.access.models.audit import AuditQuerySet
from apps.tenants.models import Tenant
from config.celery import app
from tests.auditing import state

NEW = "quite another long one"


@pytest.fixture(autouse=True)
def letters(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(settings, "EMAIL_HOST", "mail.example")
    app.conf.task_always_eager = True
    yield
    app.conf.task_always_eager = False


@pytest.fixture
def ada(acme: Tenant) -> User:
    return User.objects.create_user("ada", email="ada@example.org", password="a long enough password")


def browser() -> Client:
    address = str(IPv4Address(0x0A000000 + secrets.randbelow(2**24)))
    client = Client(headers={"host": "acme.localhost"}, REMOTE_ADDR=address)
    client.raise_request_exception = False
    return client


def set_password(person: User, token: str = "", word: str = NEW) -> Any:
    """Open the letter's link and choose a password."""
    client, uid = browser(), urlsafe_base64_encode(force_bytes(person.pk))
    opened = client.get(f"/password-reset/{uid}/{token or default_token_generator.make_token(person)}/")
    address = opened.get("Location", f"/password-reset/{uid}/set-password/")
    return client.post(address, {"new_password1": word, "new_password2": word})


def events() -> list[AuditEvent]:
    return list(AuditEvent.objects.order_by("at", "id"))


def broken(*args: Any, **kwargs: Any) -> None:
    raise DatabaseError("the log can not be written")


def test_a_letter_leaves_its_event_and_a_request_for_nobody_leaves_none(acme: Tenant, ada: User) -> None:
    before = state.look()
    for email in ("ada@example.org", "nobody@example.org"):
        with tenant_context(acme):
            assert browser().post("/password-reset/", {"email": email}).status_code == 302
    assert len(mail.outbox) == 1
    (event,) = events()
    assert (event.action, event.actor, event.object_id) == ("person.reset_mail", "anonymous", str(ada.pk))
    assert state.changed(before, state.look()) == []


def test_a_new_password_leaves_its_event(acme: Tenant, ada: User) -> None:
    before = state.look()
    assert set_password(ada)["Location"] == "/password-reset/done/"
    assert "auth_user" in state.changed(before, state.look())
    (event,) = events()
    assert (event.action, event.actor, event.object_type) == ("person.new_password", "person:ada", "User")
    assert (event.object_id, event.address is not None) == (str(ada.pk), True)


def test_a_new_password_falls_with_its_event(acme: Tenant, ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    before = state.look()
    monkeypatch.setattr(AuditQuerySet, "create", broken)
    assert set_password(ada).status_code >= 500
    monkeypatch.undo()
    assert state.changed(before, state.look()) == []


@pytest.mark.parametrize("wrong", [{"token": "aaa-bbb"}, {"word": "123"}], ids=["link", "weak"])
def test_a_refused_password_changes_and_records_nothing(acme: Tenant, ada: User, wrong: dict[str, str]) -> None:
    before = state.look()
    assert set_password(ada, **wrong).status_code == 200
    assert state.changed(before, state.look()) == []
    assert events() == []


def test_the_link_takes_no_put(acme: Tenant, ada: User) -> None:
    client, uid = browser(), urlsafe_base64_encode(force_bytes(ada.pk))
    opened = client.get(f"/password-reset/{uid}/{default_token_generator.make_token(ada)}/")
    assert client.put(opened["Location"], f"new_password1={NEW}&new_password2={NEW}").status_code == 405
