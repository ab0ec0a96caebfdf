"""The second factor: set up, asked for, used once, locked, recovered, demanded, reset; on both sites and for tokens."""

import base64
import re
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.core.management import call_command
from django.test import Client
from django.utils import timezone
from django_otp.oath import hotp
from django_tenants.utils import schema_context, tenant_context

from apps.tenants.access.factors.models import Authenticator, FactorRule, RecoveryCode
from apps.tenants.access.models import AuditEvent, RefreshToken
from apps.tenants.access.sign_in import second_factor
from apps.tenants.models import Tenant
from maestro.http.throttling import limiter
from maestro.principals import Actor

PASSWORD, TOKEN = "a long enough password", "/api/v1/auth/token/"
PAGE, ENTER, LOGIN = "/admin/second-factor/", "/admin/second-factor/enter/", "/admin/login/"


@pytest.fixture(autouse=True)
def unlocked() -> None:
    limiter.clear()


def code_of(secret: str, later: int = 0) -> str:
    """What an authenticator app shows now, or some steps later."""
    step = int(timezone.now().timestamp()) // second_factor.STEP_SECONDS + later
    return f"{hotp(base64.b32decode(secret.replace(' ', '')), step):06d}"


def person(name: str = "ada", role: str = "admin") -> User:
    made = User.objects.create_user(name, password=PASSWORD, is_staff=True)
    made.groups.add(Group.objects.get(name=role))
    return made


def browser(host: str = "acme.localhost") -> Client:
    return Client(headers={"host": host})


def sign_in(client: Client, name: str = "ada", password: str = PASSWORD) -> Any:
    return client.post(LOGIN, {"username": name, "password": password, "next": "/admin/settings/"})


def set_up(client: Client) -> tuple[str, list[str]]:
    """Go the whole way on the pages; returns the secret and the recovery codes."""
    page = client.post(PAGE, {"action": "begin"}).content.decode()
    found = re.search(r'id="secret">([A-Z2-7 ]+)<', page)
    assert found is not None
    assert "data:image/svg+xml;base64," in page
    done = client.post(PAGE, {"action": "confirm", "code": code_of(found[1])}).content.decode()
    codes = re.findall(r"<code>([a-z2-7]{5}-[a-z2-7]{5})</code>", done)
    assert len(codes) == second_factor.CODES
    return found[1].replace(" ", ""), codes


def test_after_the_password_comes_the_code(acme: Tenant) -> None:
    ada, first = person(), browser()
    sign_in(first)
    secret, _ = set_up(first)
    assert first.get("/admin/").status_code == 200
    client = browser()
    answer = sign_in(client)
    assert answer.status_code == 302
    held = client.get("/admin/settings/")
    assert (held.status_code, held["Location"]) == (302, "/admin/login/?next=/admin/settings/")
    asked = client.get(held["Location"])
    assert asked["Location"].startswith(ENTER)
    for page in ("/admin/", "/admin/auth/user/", "/admin/password_change/", "/admin/tracking/run/", PAGE):
        assert client.get(page).status_code == 302
    done = client.post(ENTER, {"code": code_of(secret, 1), "next": "/admin/settings/"})
    assert (done.status_code, done["Location"]) == (302, "/admin/settings/")
    assert client.get("/admin/settings/").status_code == 200
    actions = set(AuditEvent.objects.filter(actor="person:ada").values_list("action", flat=True))
    assert {"second_factor.begin", "person.code_app"} <= actions
    stored = Authenticator.objects.get(user=ada)
    assert secret.encode() not in bytes(stored.sealed_secret)


def test_a_code_is_used_once_and_an_old_one_not_at_all(acme: Tenant) -> None:
    ada, client = person(), browser()
    sign_in(client)
    secret, _ = set_up(client)
    used = code_of(secret, 1)
    first, second = browser(), browser()
    sign_in(first)
    sign_in(second)
    assert first.post(ENTER, {"code": used}).status_code == 302
    assert second.post(ENTER, {"code": used}).status_code == 200
    assert second.post(ENTER, {"code": code_of(secret, -1)}).status_code == 200
    assert second.post(ENTER, {"code": code_of(secret, 5)}).status_code == 200
    assert second.get("/admin/").status_code == 302
    at = timezone.now()
    assert second_factor.step_of(Authenticator.objects.get(user=ada), code_of(secret, 1), at) is None


def test_wrong_codes_lock_and_a_right_password_does_not_unlock(acme: Tenant) -> None:
    person()
    client = browser()
    sign_in(client)
    secret, _ = set_up(client)
    other = browser()
    for _ in range(second_factor.TRIES_PAIR):
        sign_in(other)
        assert other.post(ENTER, {"code": "000000"}).status_code == 200
    sign_in(other)
    locked = other.post(ENTER, {"code": code_of(secret, 1)})
    assert locked.status_code == 200
    assert "Too many wrong codes" in locked.content.decode()
    assert other.get("/admin/").status_code == 302


@pytest.mark.parametrize("code", ["", "abc", "١٢٣٤٥٦", "12345", "1234567", "0" * 40, "\x00" * 6, "aaaaa-aaaaa"])
def test_what_is_no_code_is_refused(acme: Tenant, code: str) -> None:
    ada, client = person(), browser()
    sign_in(client)
    set_up(client)
    assert second_factor.check(ada, code, by=Actor("test"), at=timezone.now()) is None


def test_a_recovery_code_works_once_without_dash_or_case(acme: Tenant) -> None:
    ada, client = person(), browser()
    sign_in(client)
    _, codes = set_up(client)
    for typed, status in ((codes[0].upper().replace("-", ""), 302), (codes[0], 200)):
        other = browser()
        sign_in(other)
        assert other.post(ENTER, {"code": typed}).status_code == status
    assert RecoveryCode.objects.filter(user=ada).left().count() == second_factor.CODES - 1
    stored = {bytes(digest) for digest in RecoveryCode.objects.values_list("digest", flat=True)}
    assert codes[1].encode() not in stored
    stranger = person("eve")
    assert second_factor.check(stranger, codes[1], by=Actor("test"), at=timezone.now()) is None


def test_a_demanded_factor_is_set_up_before_anything_else(acme: Tenant) -> None:
    person()
    FactorRule.objects.create(is_required=True)
    client = browser()
    sign_in(client)
    held = client.get("/admin/")
    assert client.get(held["Location"])["Location"].startswith(PAGE)
    assert "required" in client.get(PAGE).content.decode()
    set_up(client)
    assert client.get("/admin/").status_code == 200


def test_the_secret_waits_and_a_wrong_first_code_turns_nothing_on(acme: Tenant) -> None:
    ada, client = person(), browser()
    sign_in(client)
    client.post(PAGE, {"action": "begin"})
    assert "not right" in client.post(PAGE, {"action": "confirm", "code": "000000"}).content.decode()
    assert second_factor.standing_of(ada) == (None, False)
    assert client.get("/admin/").status_code == 200


def test_turning_it_off_and_new_recovery_codes_ask_for_a_code(acme: Tenant) -> None:
    ada, client = person(), browser()
    sign_in(client)
    secret, codes = set_up(client)
    assert client.post(PAGE, {"action": "remove", "code": "000000"}).status_code == 200
    assert Authenticator.objects.filter(user=ada).exists()
    renewed = client.post(PAGE, {"action": "renew", "code": codes[0]}).content.decode()
    assert codes[1] not in renewed
    assert second_factor.check(ada, codes[1], by=Actor("test"), at=timezone.now()) is None
    assert client.post(PAGE, {"action": "begin"}).status_code == 302
    assert client.post(PAGE, {"action": "remove", "code": code_of(secret, 1)}).status_code == 302
    assert not Authenticator.objects.filter(user=ada).exists()


def test_an_admin_resets_a_lost_one_and_it_is_written_down(acme: Tenant) -> None:
    ada, client = person(), browser()
    sign_in(client)
    set_up(client)
    person("chief")
    chief = browser()
    sign_in(chief, "chief")
    asked = {"action": "reset_second_factor", "_selected_action": str(ada.pk)}
    assert chief.post("/admin/auth/user/", asked).status_code == 302
    event = AuditEvent.objects.get(action="second_factor.reset")
    assert (event.actor, event.object_id) == ("person:chief", str(ada.pk))
    again = browser()
    sign_in(again)
    assert again.get("/admin/").status_code == 200


def test_a_new_password_keeps_the_second_factor(acme: Tenant) -> None:
    ada, client = person(), browser()
    sign_in(client)
    set_up(client)
    call_command("add_person", tenant="acme", username="ada", role="admin", output="json", stdout=StringIO())
    with tenant_context(acme):
        assert Authenticator.objects.filter(user=ada).exists()
        ada.refresh_from_db()
        ada.set_password("another long password")
        ada.save()
    other = browser()
    sign_in(other, password="another long password")
    assert other.get("/admin/").status_code == 302


def test_tokens_ask_for_the_code_too(acme: Tenant) -> None:
    ada, client = person(), browser()
    before = client.post(TOKEN, {"username": "ada", "password": PASSWORD}, content_type="application/json")
    assert before.status_code == 200
    sign_in(client)
    secret, codes = set_up(client)
    assert not RefreshToken.objects.filter(user=ada, revoked_at=None).exists()

    def ask(**more: str) -> tuple[int, str]:
        body = {"username": "ada", "password": PASSWORD, **more}
        answer = client.post(TOKEN, body, content_type="application/json")
        return answer.status_code, answer.json().get("code", "")

    assert ask() == (401, "second_factor_required")
    assert ask(code="000000") == (401, "second_factor_wrong")
    assert ask(code=code_of(secret, 1)) == (200, "")
    assert ask(code=code_of(secret, 1)) == (401, "second_factor_wrong")
    assert ask(code=codes[0]) == (200, "")
    assert ask(password="wrong", code=codes[1])[1] == "unauthenticated"
    FactorRule.objects.create(is_required=True)
    person("eve")
    eve = {"username": "eve", "password": PASSWORD}
    assert client.post(TOKEN, eve, content_type="application/json").json()["code"] == "second_factor_missing"


def test_operators_have_one_as_well(db: None) -> None:
    with schema_context("public"):
        User.objects.create_superuser("root", password=PASSWORD)
        client = browser("localhost")
        sign_in(client, "root")
        secret, _ = set_up(client)
        other = browser("localhost")
        sign_in(other, "root")
        assert other.get("/admin/").status_code == 302
        assert other.post(ENTER, {"code": code_of(secret, 1)}).status_code == 302
        assert other.get("/admin/").status_code == 200


def test_nobody_meets_the_pages_without_a_session_or_a_token_of_the_form(acme: Tenant) -> None:
    for page in (PAGE, ENTER):
        assert browser().get(page)["Location"] == LOGIN
    person()
    strict = Client(headers={"host": "acme.localhost"}, enforce_csrf_checks=True)
    strict.force_login(
        User.objects.get(username="ada"), backend="apps.tenants.access.sign_in.passwords.PasswordBackend"
    )
    assert strict.post(PAGE, {"action": "begin"}).status_code == 403


def test_next_leads_to_pages_of_this_host_only(acme: Tenant) -> None:
    person()
    client = browser()
    sign_in(client)
    secret, _ = set_up(client)
    other = browser()
    sign_in(other)
    done = other.post(ENTER, {"code": code_of(secret, 1), "next": "https://evil.example/"})
    assert done["Location"] == "/admin/"


def test_who_comes_by_an_identity_provider_is_not_asked(acme: Tenant) -> None:
    ada = person()
    FactorRule.objects.create(is_required=True)
    client = browser()
    client.force_login(ada, backend="apps.tenants.access.sign_in.oidc.OidcBackend")
    assert client.get("/admin/").status_code == 200
