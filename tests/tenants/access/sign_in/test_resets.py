"""A forgotten password, from the page by the letter to the new one; and what ends when a person's standing changes."""

import re
import secrets
import uuid
from collections.abc import Iterator
from ipaddress import IPv4Address
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import Group, User
from django.core import mail
from django.test import Client
from django.utils import timezone
from django_tenants.utils import tenant_context

from apps.tenants.access.keys import tokens
from apps.tenants.access.models import AuditEvent, ProjectRole, RefreshToken
from apps.tenants.models import Tenant
from config.celery import app

PASSWORD, NEW = "a long enough password", "quite another long one"
ASK, LOGIN = "/password-reset/", "/admin/login/"
# Limits count by address, and the count outlives a test.
address_of_this_test = ["10.0.0.1"]


@pytest.fixture(autouse=True)
def letters(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A mail server that keeps what it is given, and a worker that works at once."""
    address_of_this_test[0] = str(IPv4Address(0x0A000000 + secrets.randbelow(2**24)))
    monkeypatch.setattr(settings, "EMAIL_HOST", "mail.example")
    app.conf.task_always_eager = True
    yield
    app.conf.task_always_eager = False


@pytest.fixture
def ada(acme: Tenant) -> User:
    person = User.objects.create_user("ada", email="ada@example.org", password=PASSWORD, is_staff=True)
    person.groups.add(Group.objects.get(name="viewer"))
    return person


def browser(host: str = "acme.localhost") -> Client:
    return Client(headers={"host": host}, REMOTE_ADDR=address_of_this_test[0])


def sign_in(password: str) -> Client:
    client = browser()
    client.post(LOGIN, {"username": "ada", "password": password})
    return client


def asked(email: str, host: str = "acme.localhost") -> tuple[int, str]:
    answer = browser(host).post(ASK, {"email": email})
    return answer.status_code, answer.get("Location", "")


def link() -> str:
    found = re.search(r"http://acme\.localhost(/password-reset/\S+)", str(mail.outbox[-1].body))
    assert found is not None
    return found[1]


def choose(address: str, password: str = NEW) -> Any:
    client = browser()
    form = client.get(address)
    if form.status_code != 302:
        return form
    return client.post(form["Location"], {"new_password1": password, "new_password2": password})


def test_the_letters_link_sets_a_new_password_once_and_ends_what_the_old_one_opened(acme: Tenant, ada: User) -> None:
    old = sign_in(PASSWORD)
    assert old.get("/admin/").status_code == 200
    pair = tokens.issue(ada, timezone.now())
    assert asked("Ada@Example.org") == (302, "/password-reset/sent/")
    assert mail.outbox[-1].to == ["ada@example.org"]
    assert PASSWORD not in mail.outbox[-1].body
    address = link()
    with tenant_context(acme):
        assert choose(address)["Location"] == "/password-reset/done/"
        assert sign_in(PASSWORD).get("/admin/").status_code == 302
        assert sign_in(NEW).get("/admin/").status_code == 200
        assert old.get("/admin/").status_code == 302
        assert not RefreshToken.objects.filter(user=ada, revoked_at=None).exists()
        bearer = Client(headers={"host": "acme.localhost", "authorization": f"Bearer {pair.access}"})
        assert bearer.get("/api/v1/auth/whoami/").status_code == 401
        assert "does not work" in choose(address).content.decode()
        actions = set(AuditEvent.objects.values_list("action", flat=True))
        assert {"person.reset_mail", "person.new_password"} <= actions


def test_every_address_is_answered_alike(acme: Tenant, ada: User) -> None:
    known, unknown = asked("ada@example.org"), asked("nobody@example.org")
    assert known == unknown
    assert len(mail.outbox) == 1
    pages = []
    for email in ("ada@example.org", "nobody@example.org"):
        with tenant_context(acme):
            client = browser()
            pages.append(client.post(ASK, {"email": email}, follow=True).content)
    assert pages[0] == pages[1]


@pytest.mark.parametrize("kind", ["closed", "of a provider", "of another tenant"])
def test_who_has_no_password_here_gets_no_letter(acme: Tenant, ada: User, kind: str) -> None:
    if kind == "closed":
        User.objects.filter(pk=ada.pk).update(is_active=False)
    if kind == "of a provider":
        ada.set_unusable_password()
        ada.save()
    assert asked("ada@example.org", "globex.localhost" if kind == "of another tenant" else "acme.localhost")[0] == 302
    assert mail.outbox == []


@pytest.mark.parametrize("spoil", ["token", "person", "weak"])
def test_a_spoilt_link_and_a_weak_password_set_nothing(acme: Tenant, ada: User, spoil: str) -> None:
    asked("ada@example.org")
    address, word = link(), "123" if spoil == "weak" else NEW
    if spoil == "token":
        address = address[:-5] + "aaaa/"
    if spoil == "person":
        address = re.sub(r"reset/[^/]+/", "reset/OTk5OTk5/", address)
    with tenant_context(acme):
        assert choose(address, word).status_code == 200
        ada.refresh_from_db()
        assert ada.check_password(PASSWORD)


def test_a_link_of_acme_opens_nothing_in_globex(acme: Tenant, ada: User, globex: Tenant) -> None:
    with tenant_context(globex):
        User.objects.create(pk=ada.pk, username="twin", email="ada@example.org", password="argon2$other")
    with tenant_context(acme):
        asked("ada@example.org")
    assert "does not work" in browser("globex.localhost").get(link()).content.decode()


def test_many_letters_are_not_sent(acme: Tenant, ada: User) -> None:
    for _ in range(5):
        with tenant_context(acme):
            asked("ada@example.org")
    assert len(mail.outbox) == 3
    statuses = set()
    for _ in range(20):
        with tenant_context(acme):
            statuses.add(asked(f"{uuid.uuid4().hex}@example.org")[0])
    assert statuses == {302, 429}


def test_without_a_mail_server_the_page_says_so(acme: Tenant, ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "EMAIL_HOST", "")
    assert "sends no mail" in browser().get(ASK).content.decode()
    assert browser().post(ASK, {"email": "ada@example.org"}).status_code == 200
    assert mail.outbox == []


@pytest.mark.parametrize("change", ["closed", "no role", "not staff", "other password", "project role taken back"])
def test_a_session_ends_with_what_it_stood_on(acme: Tenant, ada: User, change: str) -> None:
    client = sign_in(PASSWORD)
    if change == "project role taken back":
        ada.groups.clear()
        ProjectRole.objects.create(user=ada, project_id=uuid.uuid4(), role="viewer")
    assert client.get("/admin/tracking/run/").status_code == 200
    if change == "closed":
        User.objects.filter(pk=ada.pk).update(is_active=False)
    if change == "no role":
        ada.groups.clear()
    if change == "not staff":
        User.objects.filter(pk=ada.pk).update(is_staff=False)
    if change == "other password":
        ada.set_password(NEW)
        ada.save()
    ProjectRole.objects.filter(user=ada).delete()
    assert client.get("/admin/tracking/run/").status_code in {302, 403}


def test_a_closed_person_of_a_provider_has_no_session_either(acme: Tenant, ada: User) -> None:
    client = browser()
    client.force_login(ada, backend="apps.tenants.access.sign_in.oidc.OidcBackend")
    assert client.get("/admin/").status_code == 200
    User.objects.filter(pk=ada.pk).update(is_active=False)
    assert client.get("/admin/").status_code == 302
