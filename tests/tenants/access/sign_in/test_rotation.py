"""The server's secret and the pepper are rotated while people, programs, services and their second factors go on."""

import base64
import http.client
import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.core.management import CommandError, call_command
from django.test import Client, override_settings
from django.utils import timezone
from django_otp.oath import hotp
from django_tenants.utils import schema_context, tenant_context

from apps.tenants.access.factors.models import Authenticator, RecoveryCode
from apps.tenants.access.keys import tokens
from apps.tenants.access.keys.authentication import forget_keys
from apps.tenants.access.models import ApiKey, AuditEvent, OidcProvider
from apps.tenants.access.sign_in import second_factor
from apps.tenants.access.sign_in.sealing import seal, unseal
from apps.tenants.models import Tenant
from config import env
from maestro import peppers
from maestro.errors import Unavailable
from tests.web import WebServer, start_web

BACKEND, WHOAMI = "apps.tenants.access.sign_in.passwords.PasswordBackend", "/api/v1/auth/whoami/"
PASSWORD = "a long and silly password"
NEXT_SECRET, NEXT_PEPPER = "zK4wQ8rT1yU6iO3pA9sD2fG7hJ5kL0xC", "mN8bV3cX6zL1kJ4hG7fD2sA9pO5iU0yT"


def ada() -> User:
    made = User.objects.create_user("ada", password=PASSWORD, is_staff=True)
    made.groups.add(Group.objects.get(name="admin"))
    return made


def with_app(who: User) -> tuple[str, list[str]]:
    """Give a person an authenticator app; returns its secret and the recovery codes."""
    secret = second_factor.begin(who)
    codes = second_factor.confirm(who, code_of(secret), timezone.now())
    assert codes is not None
    Authenticator.objects.filter(user=who).update(last_step=0)
    return secret, codes


def code_of(secret: str) -> str:
    return f"{hotp(base64.b32decode(secret), int(time.time()) // 30):06d}"


def bearer(text: str) -> Client:
    return Client(headers={"host": "acme.localhost", "authorization": f"Bearer {text}"})


@contextmanager
def rotated(settings: Any, *, keeping: bool = True) -> Iterator[None]:
    """Stand after the rotation, with or without knowing what was before."""
    changed: dict[str, Any] = {"SECRET_KEY": NEXT_SECRET, "KEY_PEPPER": NEXT_PEPPER}
    for name in list(changed):
        changed[f"{name}_FALLBACKS"] = [getattr(settings, name)] if keeping else []
    with override_settings(**changed):
        forget_keys()
        yield
    forget_keys()


def test_a_key_moves_to_the_new_pepper_when_it_is_used(acme: Tenant, settings: Any, key_for: Any) -> None:
    used, unused = key_for(acme, "viewer"), key_for(acme, "viewer")
    row = ApiKey.objects.get(pk=used.split("_")[2])
    with rotated(settings):
        assert ApiKey.objects.waiting_for_old_pepper(timezone.now()).count() == 2
        assert bearer(used).get(WHOAMI).status_code == 200
        assert bearer(used[:-9] + ("A" if used[-9] != "A" else "B") + used[-8:]).get(WHOAMI).status_code == 401
        assert ApiKey.objects.get(pk=row.pk).pepper == peppers.today() != row.pepper
        assert ApiKey.objects.waiting_for_old_pepper(timezone.now()).count() == 1
    with rotated(settings, keeping=False):
        assert [bearer(text).get(WHOAMI).status_code for text in (used, unused)] == [200, 401]


def test_a_key_from_before_the_marks_moves_too(acme: Tenant, settings: Any, key_for: Any) -> None:
    text = key_for(acme, "viewer")
    ApiKey.objects.update(pepper="")
    with rotated(settings):
        assert bearer(text).get(WHOAMI).status_code == 200
    with rotated(settings, keeping=False):
        assert bearer(text).get(WHOAMI).status_code == 200


def test_a_recovery_code_of_the_old_pepper_works_once(acme: Tenant, settings: Any) -> None:
    who = ada()
    _, codes = with_app(who)
    with rotated(settings):
        assert RecoveryCode.objects.waiting_for_old_pepper().count() == 10
        taken = [second_factor.check(None, who, code, timezone.now()) for code in (codes[0], codes[0], codes[1])]
    assert taken == ["recovery", None, "recovery"]


def test_sessions_and_tokens_of_the_old_secret_go_on_and_move(acme: Tenant, settings: Any) -> None:
    who, browser = ada(), Client(headers={"host": "acme.localhost"})
    browser.force_login(who, backend=BACKEND)
    cookie, pair = browser.cookies["maestro_session"].value, tokens.issue(who, timezone.now())
    with rotated(settings):
        assert browser.get("/admin/").status_code == 200
        assert browser.cookies["maestro_session"].value == cookie, "whoever asks for two things at once keeps both"
        assert bearer(pair.access).get(WHOAMI).status_code == 200
        renewed = Client(headers={"host": "acme.localhost"}).post(
            "/api/v1/auth/token/refresh/", {"refresh": pair.refresh}, content_type="application/json"
        )
        assert renewed.status_code == 200
    with rotated(settings, keeping=False):
        assert browser.get("/admin/").status_code == 200
        assert bearer(renewed.json()["access"]).get(WHOAMI).status_code == 200
        assert bearer(pair.access).get(WHOAMI).status_code == 401


def test_a_new_password_ends_sessions_of_any_secret(acme: Tenant, settings: Any) -> None:
    who, browser = ada(), Client(headers={"host": "acme.localhost"})
    browser.force_login(who, backend=BACKEND)
    with rotated(settings):
        who.set_password("another silly password")
        who.save()
        assert browser.get("/admin/").status_code == 302


def reseal(**options: Any) -> dict[str, Any]:
    out = StringIO()
    call_command("reseal_secrets", output="json", stdout=out, stderr=StringIO(), **options)
    answer: dict[str, Any] = json.loads(out.getvalue())
    return answer


def test_sealed_secrets_are_sealed_anew_in_every_schema(acme: Tenant, globex: Tenant, settings: Any) -> None:
    with schema_context("public"):
        root = User.objects.create_superuser("root")
        with_app(root)
    with tenant_context(acme):
        secret, _ = with_app(ada())
        provider = {"slug": "idp", "name": "I", "issuer": "https://i.example", "client_id": "c"}
        OidcProvider.objects.create(**provider, sealed_secret=seal("a client's secret"))
        OidcProvider.objects.create(**provider | {"slug": "open"})
    with rotated(settings):
        told = reseal(dry_run=True)
        assert (told["secrets"], told["unreadable"], told["codes_waiting"]) == (3, 0, 20)
        assert reseal(dry_run=True)["secrets"] == 3, "a dry run changes nothing"
        assert reseal()["secrets"] == 3
        assert reseal()["secrets"] == 0
    with rotated(settings, keeping=False), tenant_context(acme):
        assert second_factor.check(None, User.objects.get(username="ada"), code_of(secret), timezone.now()) == "app"
        assert unseal(bytes(OidcProvider.objects.get(slug="idp").sealed_secret)) == "a client's secret"
        events = AuditEvent.objects.filter(action="secrets.reseal")
        assert sorted(events.values_list("object_type", flat=True)) == ["Authenticator", "OidcProvider"]
    with rotated(settings, keeping=False), schema_context("public"):
        unseal(bytes(Authenticator.objects.get(user=root).sealed_secret))


def test_what_no_secret_opens_is_said_and_left_alone(acme: Tenant, settings: Any) -> None:
    with_app(ada())
    before = bytes(Authenticator.objects.get().sealed_secret)
    with rotated(settings, keeping=False):
        with pytest.raises(CommandError) as refusal:
            reseal()
        assert refusal.value.returncode == 7
        with tenant_context(acme), pytest.raises(Unavailable):
            unseal(bytes(Authenticator.objects.get().sealed_secret))
    with tenant_context(acme):
        assert bytes(Authenticator.objects.get().sealed_secret) == before


def test_older_secrets_are_read_from_the_environment_or_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    assert env.secrets("MAESTRO_SOME_FALLBACKS") == []
    monkeypatch.setenv("MAESTRO_SOME_FALLBACKS", "one two")
    assert env.secrets("MAESTRO_SOME_FALLBACKS") == ["one", "two"]
    (tmp_path / "older").write_text("three\nfour\n")
    monkeypatch.setenv("MAESTRO_SOME_FALLBACKS_FILE", str(tmp_path / "older"))
    assert env.secrets("MAESTRO_SOME_FALLBACKS") == ["three", "four"]


def surroundings(values: dict[str, str], settings: Any) -> list[dict[str, str]]:
    """Write the four steps of docs/operators.md: the next is known, then it rules, then the old is forgotten."""
    old = {"SECRET_KEY": settings.SECRET_KEY, "KEY_PEPPER": settings.KEY_PEPPER}
    new = {"SECRET_KEY": NEXT_SECRET, "KEY_PEPPER": NEXT_PEPPER}
    steps: tuple[tuple[dict[str, str], dict[str, str]], ...] = ((old, {}), (old, new), (new, old), (new, {}))
    return [
        values
        | {f"MAESTRO_{name}": value for name, value in rules.items()}
        | {f"MAESTRO_{name}_FALLBACKS": value for name, value in known.items()}
        for rules, known in steps
    ]


class Traffic:
    """A service, a person's browser and a program, each asking one server after another; what fails is kept."""

    def __init__(self, tenant: Tenant, key: str, session: str, pair: tokens.Pair) -> None:
        self.host, self.servers = f"{tenant.slug}.localhost", [0]
        self.failures: list[str] = []
        self.asked, self.over = itertools.count(), threading.Event()
        self.refresh = pair.refresh
        bearing = {"Authorization": f"Bearer {key}"}
        paths = {"service": (WHOAMI, bearing), "browser": ("/admin/", {"Cookie": f"maestro_session={session}"})}
        self.threads = [threading.Thread(target=self.go_on, args=(name, *what)) for name, what in paths.items()]
        self.threads.append(threading.Thread(target=self.go_on_renewing))

    def ask(self, port: int, method: str, path: str, headers: dict[str, str], body: str = "") -> tuple[int, bytes]:
        link = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            link.request(method, path, body or None, headers | {"Host": f"{self.host}:{port}"})
            answer = link.getresponse()
            next(self.asked)
            return answer.status, answer.read()
        finally:
            link.close()

    def go_on(self, name: str, path: str, headers: dict[str, str]) -> None:
        for turn in itertools.count():
            if self.over.wait(0.05):
                return
            port = self.servers[turn % len(self.servers)]
            status, _ = self.ask(port, "GET", path, headers)
            if status != 200:
                self.failures.append(f"{name} was answered {status} by {port} of {self.servers}")

    def go_on_renewing(self) -> None:
        for turn in itertools.count():
            if self.over.wait(0.3):
                return
            port = self.servers[turn % len(self.servers)]
            body = json.dumps({"refresh": self.refresh})
            kind = {"Content-Type": "application/json"}
            status, text = self.ask(port, "POST", "/api/v1/auth/token/refresh/", kind, body)
            if status != 200:
                self.failures.append(f"the program was answered {status} by {port}")
                return
            pair = json.loads(text)
            self.refresh = pair["refresh"]
            seen, _ = self.ask(
                self.servers[-1 - turn % len(self.servers)],
                "GET",
                WHOAMI,
                {"Authorization": f"Bearer {pair['access']}"},
            )
            if seen != 200:
                self.failures.append(f"the program's new token was answered {seen}")


def test_both_are_rotated_while_requests_go_on(
    committed: Tenant, test_environment: dict[str, str], settings: Any, key_for: Callable[..., str]
) -> None:
    who = ada()
    secret, _ = with_app(who)
    browser = Client(headers={"host": f"{committed.slug}.localhost"})
    browser.force_login(who, backend=BACKEND)
    session = browser.session
    session[second_factor.MARK] = Authenticator.objects.get(user=who).pk
    session.save()
    traffic = Traffic(committed, key_for(committed, "viewer"), session.session_key, tokens.issue(who, timezone.now()))
    steps, running = surroundings(test_environment, settings), list[WebServer]()
    try:
        running.append(start_web(steps[0]))
        traffic.servers = [running[0].port]
        for thread in traffic.threads:
            thread.start()
        for number, values in enumerate(steps[1:], 1):
            if number == 3:
                settle(traffic, settings)
            running.append(start_web(values))
            traffic.servers = [running[-2].port, running[-1].port]
            time.sleep(2)
            traffic.servers = [running[-1].port]
            time.sleep(1)
            running[-2].stop()
        body = json.dumps({"username": "ada", "password": PASSWORD, "code": code_of(secret)})
        kind = {"Content-Type": "application/json"}
        signed_in, _ = traffic.ask(running[-1].port, "POST", "/api/v1/auth/token/", kind, body)
    finally:
        traffic.over.set()
        for thread in traffic.threads:
            thread.join(30) if thread.ident else None
        for server in running:
            server.stop()
    assert traffic.failures == []
    assert signed_in == 200
    assert next(traffic.asked) > 100


def settle(traffic: Traffic, settings: Any) -> None:
    """Seal anew, as the command does, before the old ones are forgotten."""
    with rotated(settings):
        reseal()
