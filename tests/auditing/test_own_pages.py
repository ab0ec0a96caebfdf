"""A person's own pages leave their events: the second factor in all its steps, and the list of sign-ins."""

import base64
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError
from django.test import Client
from django.utils import timezone
from django_otp.oath import hotp

from apps.tenants.access.keys import tokens
from apps.tenants.access.models import AuditEvent
from apps.tenants.access.models.audit import AuditQuerySet
from apps.tenants.access.sign_in import second_factor
from apps.tenants.models import Tenant
from maestro.http.throttling import limiter
from tests.auditing import state
from tests.factories.stage import REQUEST_ID, Call, send

FACTOR, ENTER, SIGN_INS = "/admin/second-factor/", "/admin/second-factor/enter/", "/admin/sign-ins/"


@pytest.fixture
def boss(acme: Tenant) -> User:
    limiter.clear()
    return User.objects.create_superuser("boss", password="x")


@pytest.fixture
def browser(boss: User) -> Client:
    client = Client(headers={"host": "acme.localhost"})
    client.force_login(boss, backend="apps.tenants.access.sign_in.passwords.PasswordBackend")
    return client


def code(secret: str, later: int = 0) -> str:
    step = int(timezone.now().timestamp()) // second_factor.STEP_SECONDS + later
    return f"{hotp(base64.b32decode(secret), step):06d}"


def waiting(browser: Client, boss: User) -> dict[str, str]:
    return {"action": "confirm", "code": code(second_factor.begin(boss))}


def confirmed(boss: User) -> str:
    """A second factor that was set up a minute ago, so that the code of now is unused."""
    secret = second_factor.begin(boss)
    before = timezone.now() - timedelta(minutes=1)
    assert second_factor.confirm(boss, code(secret, -2), before)
    return secret


def owed(browser: Client, boss: User) -> dict[str, str]:
    return {"code": code(confirmed(boss))}


def shown(action: str) -> Callable[[Client, User], dict[str, str]]:
    def prepare(browser: Client, boss: User) -> dict[str, str]:
        secret = confirmed(boss)
        assert send(browser, form(ENTER, {"code": code(secret)})).status_code == 302
        return {"action": action, "code": code(secret, 1)}

    return prepare


def program(browser: Client, boss: User) -> dict[str, str]:
    tokens.issue(boss, timezone.now())
    return {"end": "all"}


def form(path: str, fields: dict[str, str]) -> Call:
    return Call("POST", path, "&".join(f"{k}={v}" for k, v in fields.items()).encode(), content_type="form")


# Page, what is posted, the event, and what a form that is wrong holds.
CASES: dict[str, tuple[str, Callable[[Client, User], dict[str, str]], str, dict[str, str]]] = {
    "set up": (FACTOR, waiting, "second_factor.begin", {"code": "12345"}),
    "show at sign-in": (ENTER, owed, "person.code_app", {"code": "12345"}),
    "new recovery codes": (FACTOR, shown("renew"), "second_factor.renew", {"code": "12345"}),
    "take away": (FACTOR, shown("remove"), "second_factor.remove", {"code": "12345"}),
    "end sign-ins": (SIGN_INS, program, "person.sign_out", {"end": "nonsense"}),
}


@pytest.mark.parametrize("case", CASES)
def test_a_step_leaves_its_event(browser: Client, boss: User, case: str) -> None:
    path, prepare, action, _ = CASES[case]
    fields = prepare(browser, boss)
    before, seen = state.look(), set(AuditEvent.objects.values_list("pk", flat=True))
    assert send(browser, form(path, fields)).status_code in {200, 302}
    assert state.changed(before, state.look()), "nothing changed"
    (event,) = AuditEvent.objects.exclude(pk__in=seen)
    assert (event.action, event.actor, event.request_id) == (action, "person:boss", REQUEST_ID)
    assert (event.object_type, event.object_id) == ("User", str(boss.pk))
    assert event.before != event.after


@pytest.mark.parametrize("case", CASES)
def test_a_step_falls_with_its_event(browser: Client, boss: User, case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path, prepare, _, _ = CASES[case]
    fields = prepare(browser, boss)
    before = state.look()

    def broken(*args: Any, **kwargs: Any) -> None:
        raise DatabaseError("the log can not be written")

    monkeypatch.setattr(AuditQuerySet, "create", broken)
    browser.raise_request_exception = False
    assert send(browser, form(path, fields)).status_code >= 500
    monkeypatch.undo()
    assert state.changed(before, state.look()) == []


@pytest.mark.parametrize("case", CASES)
def test_a_wrong_step_changes_and_records_nothing(browser: Client, boss: User, case: str) -> None:
    path, prepare, _, wrong = CASES[case]
    fields = prepare(browser, boss) | wrong
    before, seen = state.look(), AuditEvent.objects.count()
    assert send(browser, form(path, fields)).status_code in {200, 302}
    assert state.changed(before, state.look()) == []
    assert AuditEvent.objects.count() == seen
