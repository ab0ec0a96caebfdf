"""The server's secret and the pepper are rotated while people, programs, services and their second factors go on."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError
from django.test import Client
from django.utils import timezone
from django_tenants.utils import schema_context, tenant_context

from apps.tenants.access.factors.models import Authenticator, RecoveryCode
from apps.tenants.access.keys import tokens
from apps.tenants.access.models import ApiKey, AuditEvent, OidcProvider
from apps.tenants.access.sign_in import second_factor
from apps.tenants.access.sign_in.sealing import seal, unseal
from apps.tenants.models import Tenant
from config import env
from maestro import peppers
from maestro.errors import Unavailable
from maestro.principals import Actor
from tests.tenants.access.sign_in.rotating import BACKEND, WHOAMI, ada, code_of, reseal, rotated, with_app


def bearer(text: str) -> Client:
    return Client(headers={"host": "acme.localhost", "authorization": f"Bearer {text}"})


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
        taken = [
            second_factor.check(who, code, by=Actor("test"), at=timezone.now())
            for code in (codes[0], codes[0], codes[1])
        ]
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
        assert (
            second_factor.check(User.objects.get(username="ada"), code_of(secret), by=Actor("test"), at=timezone.now())
            == "app"
        )
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
