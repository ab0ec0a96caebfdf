"""No secret in logs, pages, errors or metrics; strict headers on every kind of answer."""

import logging
import sys
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from apps.tenants.access.keys import tokens
from apps.tenants.models import Tenant
from maestro.logs import MASKED, SecretFilter, scrub
from tests.web import basic

Door = Callable[..., Client]
PASSWORD = "a-password-nobody-logs-77"


@pytest.fixture
def heard() -> Any:
    """Everything that the console handler would have written."""
    lines: list[str] = []

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(self.format(record))

    ear = Ear(logging.DEBUG)
    ear.addFilter(SecretFilter())
    ear.setFormatter(logging.Formatter("%(levelname)s %(name)s %(message)s"))
    root = logging.getLogger()
    before = root.level
    root.addHandler(ear)
    root.setLevel(logging.DEBUG)
    yield lines
    root.removeHandler(ear)
    root.setLevel(before)


def test_no_secret_of_a_days_work_is_logged_or_shown(
    acme: Tenant, key_for: Callable[..., str], heard: list[str]
) -> None:
    key = key_for(acme, "admin")
    boss = User.objects.create_user("boss", password=PASSWORD, is_staff=True)
    boss.groups.add(Group.objects.get(name="admin"))
    client = Client(headers={"host": "acme.localhost"}, raise_request_exception=False)
    pages = [client.get("/api/v1/projects/", headers={"authorization": f"Bearer {key}"})]
    pages.append(client.get("/api/v1/keys/", headers={"authorization": basic(key)}))
    pages.append(client.get(f"/api/v1/projects/{key}/", headers={"authorization": f"Bearer {key}"}))
    wrong = {"username": "boss", "password": PASSWORD + "x"}
    pages.append(client.post("/api/v1/auth/token/", wrong, content_type="application/json"))
    pair = client.post(
        "/api/v1/auth/token/", {"username": "boss", "password": PASSWORD}, content_type="application/json"
    ).json()
    pages.append(client.get("/api/v1/auth/whoami/", headers={"authorization": f"Bearer {pair['access']}"}))
    pages.append(client.post("/admin/login/", {"username": "boss", "password": PASSWORD}))
    session = client.cookies["maestro_session"].value
    pages += [client.get(path) for path in ("/admin/", "/admin/access/apikey/", "/admin/auth/user/", "/metrics")]
    pages.append(client.get(f"/admin/auth/user/{boss.pk}/change/"))
    logging.getLogger("maestro.test").warning("Authorization: Bearer %s cookie session=%s", key, session)
    body = key.split("_", 3)[3]
    shown = b" ".join(page.content for page in pages[:2] + pages[3:]).decode()
    for secret in (key, body, pair["access"], pair["refresh"], PASSWORD, session):
        assert secret not in "\n".join(heard)
        assert secret not in shown
    assert "argon2$" not in shown
    assert heard


@pytest.mark.parametrize(
    "text",
    [
        "key mst_acme_0123456789ab_" + "A" * 50,
        "Authorization: Bearer " + "abcDEF123456",
        "authorization: basic a2V5OnNlY3JldA==",
        "postgresql://maestro_app:hunter2hunter2@db/x",
        "redis://:hunter2hunter2@cache/0",
        "?password=hunter2hunter2&x=1",
        "token=hunter2hunter2",
        "refresh msr_" + "A" * 43,
        "cookie maestro_session=abcdefabcdef; x",
        '{"password": "hunter2hunter2"}',
        "{'client_secret': 'hunter2hunter2'}",
        "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
    ],
)
def test_what_looks_like_a_secret_is_masked(text: str) -> None:
    masked = scrub(text)
    assert MASKED in masked
    for secret in ("hunter2hunter2", "A" * 20, "abcDEF123456", "a2V5OnNlY3JldA", "c2lnbmF0dXJl", "abcdefabcdef"):
        assert secret not in masked


def test_a_traceback_is_scrubbed_too() -> None:
    try:
        raise ValueError("mst_acme_0123456789ab_" + "A" * 50)
    except ValueError:
        record = logging.LogRecord("x", logging.ERROR, "f", 1, "boom %s", ("token=hunter2hunter2",), sys.exc_info())
    SecretFilter().filter(record)
    written = logging.Formatter().format(record)
    assert "A" * 20 not in written
    assert "hunter2" not in written
    assert "ValueError" in written


def policy(answer: Any) -> str:
    return answer["Content-Security-Policy"]


@pytest.mark.parametrize("path", ["/admin/login/", "/admin/nothing/"])
def test_a_page_has_strict_headers(acme: Tenant, path: str) -> None:
    page = Client(headers={"host": "acme.localhost"}).get(path)
    assert "default-src 'self'" in policy(page)
    assert "unsafe" not in policy(page)
    assert "frame-ancestors 'none'" in policy(page)
    assert page["X-Content-Type-Options"] == "nosniff"
    assert page["Referrer-Policy"] == "same-origin"
    assert page["X-Frame-Options"] == "DENY"
    assert page["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "http://" not in page.content.decode().replace("http://www.w3.org", "")


@pytest.mark.parametrize(
    "path", ["/api/v1/projects/", "/api/v1/nothing/", "/api/2.0/mlflow/runs/get", "/api/2.0/nothing"]
)
@pytest.mark.parametrize("signed_in", [True, False])
def test_an_answer_of_an_api_is_kept_and_run_by_nobody(acme: Tenant, api: Door, path: str, signed_in: bool) -> None:
    client = api(acme) if signed_in else Client(headers={"host": "acme.localhost"})
    answer = client.get(path)
    assert answer["Cache-Control"] == "no-store"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert "default-src" in policy(answer)
    assert "unsafe" not in policy(answer)
    assert answer["X-Request-Id"]
    assert "Access-Control-Allow-Origin" not in answer
    assert "Set-Cookie" not in answer


def test_cookies_are_for_this_host_and_not_for_scripts(acme: Tenant) -> None:
    User.objects.create_user("boss", password=PASSWORD, is_staff=True, is_superuser=True)
    client = Client(headers={"host": "acme.localhost"})
    client.post("/admin/login/", {"username": "boss", "password": PASSWORD})
    cookie = client.cookies["maestro_session"]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    assert not cookie["domain"]


def test_a_request_id_comes_back_and_a_forged_one_does_not(acme: Tenant) -> None:
    client = Client(headers={"host": "acme.localhost"})
    good = client.get("/api/v1/projects/", headers={"x-request-id": "build-12345678"})
    assert good["X-Request-Id"] == good.json()["request_id"] == "build-12345678"
    bad = client.get("/api/v1/projects/", headers={"x-request-id": "a b<script>"})
    assert uuid.UUID(bad["X-Request-Id"])


def test_the_admin_takes_no_look_up_through_a_password(acme: Tenant) -> None:
    boss = User.objects.create_user("boss", password=PASSWORD, is_staff=True)
    boss.groups.add(Group.objects.get(name="admin"))
    client = Client(headers={"host": "acme.localhost"})
    client.force_login(boss, backend="apps.tenants.access.sign_in.passwords.PasswordBackend")
    for query in ("password__startswith=p", "groups__user__password__startswith=p"):
        answer = client.get(f"/admin/auth/user/?{query}")
        assert answer.status_code in {302, 400}


def test_an_admin_who_is_no_superuser_can_not_become_one(acme: Tenant) -> None:
    boss = User.objects.create_user("boss", password=PASSWORD, is_staff=True)
    boss.groups.add(Group.objects.get(name="admin"))
    root = User.objects.create_superuser("root", password=PASSWORD)
    client = Client(headers={"host": "acme.localhost"})
    client.force_login(boss, backend="apps.tenants.access.sign_in.passwords.PasswordBackend")
    form = {"username": "boss", "is_superuser": "on", "is_staff": "on", "is_active": "on"}
    client.post(f"/admin/auth/user/{boss.pk}/change/", form)
    boss.refresh_from_db()
    assert not boss.is_superuser
    new = {"password1": "another long password 1", "password2": "another long password 1"}
    client.post(f"/admin/auth/user/{root.pk}/password/", new)
    root.refresh_from_db()
    assert root.check_password(PASSWORD)


def test_a_person_token_is_not_a_session(acme: Tenant) -> None:
    boss = User.objects.create_user("boss", password=PASSWORD, is_staff=True)
    boss.groups.add(Group.objects.get(name="admin"))
    pair = tokens.issue(boss, __import__("django.utils.timezone", fromlist=["now"]).now())
    client = Client(headers={"host": "acme.localhost", "authorization": f"Bearer {pair.access}"})
    assert client.get("/admin/").status_code == 302


@pytest.mark.parametrize("by", ["its page", "the list's action"])
def test_an_admin_can_not_delete_whom_they_may_not_change(acme: Tenant, by: str) -> None:
    boss = User.objects.create_user("boss", password=PASSWORD, is_staff=True)
    boss.groups.add(Group.objects.get(name="admin"))
    root, cy = User.objects.create_superuser("root", password=PASSWORD), User.objects.create_user("cy")
    client = Client(headers={"host": "acme.localhost"})
    client.force_login(boss, backend="apps.tenants.access.sign_in.passwords.PasswordBackend")
    for person in (root, cy):
        if by == "its page":
            client.post(f"/admin/auth/user/{person.pk}/delete/", {"post": "yes"})
        else:
            wish = {"action": "delete_selected", "_selected_action": person.pk, "post": "yes"}
            client.post("/admin/auth/user/", wish)
    assert list(User.objects.exclude(pk=boss.pk).values_list("username", flat=True)) == ["root"]
