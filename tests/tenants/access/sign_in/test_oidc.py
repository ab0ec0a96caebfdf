"""People sign in by their identity provider; fourteen hostile tokens and their kin do not."""

import uuid
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client

from apps.tenants.access.models import AuditEvent, OidcLink, OidcProvider, role_of_person
from apps.tenants.access.sign_in.sealing import unseal
from apps.tenants.models import Tenant
from tests.issuer import Issuer
from tests.tenants.access.sign_in.browsers import CALLBACK, SECRET, Browser


def test_a_person_is_made_with_the_role_of_their_group(provider: OidcProvider, issuer: Issuer) -> None:
    browser = Browser(issuer)
    asked = browser.begin("/admin/settings/")
    assert asked["code_challenge_method"] == "S256"
    assert asked["redirect_uri"] == "http://acme.localhost/sign-in/callback/"
    answer = browser.come_back()
    assert (answer.status_code, answer["Location"]) == (302, "/admin/settings/")
    assert browser.is_in()
    ada = User.objects.get(username="ada")
    assert role_of_person(ada) == "contributor"
    assert not ada.has_usable_password()
    assert OidcLink.objects.get(user=ada).subject == "u-1"
    assert AuditEvent.objects.filter(action="person.sign_in", object_id=str(ada.pk)).exists()
    (post,) = issuer.posts
    assert post["authorization"].startswith("Basic ")
    assert "client_secret" not in post


def test_the_next_sign_in_follows_the_groups(provider: OidcProvider, issuer: Issuer) -> None:
    for groups, role in ((["ml"], "contributor"), (["ml", "ml-leads"], "approver"), (["ml"], "contributor")):
        browser = Browser(issuer)
        browser.begin()
        assert browser.come_back(groups=groups).status_code == 302
        assert role_of_person(User.objects.get(username="ada")) == role
    assert User.objects.count() == 1


def test_without_a_group_nobody_enters_and_an_old_role_is_gone(provider: OidcProvider, issuer: Issuer) -> None:
    browser = Browser(issuer)
    browser.begin()
    browser.come_back()
    again = Browser(issuer)
    again.begin()
    assert again.come_back(groups=["tennis"]).status_code == 403
    assert not again.is_in()


@pytest.mark.parametrize("verified", [False, "true", 1, None])
def test_an_unverified_address_joins_nobody(provider: OidcProvider, issuer: Issuer, verified: Any) -> None:
    OidcProvider.objects.update(links_by_email=True)
    boss = User.objects.create_user("boss", email="ada@acme.example")
    browser = Browser(issuer)
    browser.begin()
    assert browser.come_back(email_verified=verified).status_code == 302
    assert not boss.oidc_links.exists()
    assert User.objects.get(username="ada").email == ""


def test_a_verified_address_joins_only_where_allowed_and_never_a_superuser(
    provider: OidcProvider, issuer: Issuer
) -> None:
    boss = User.objects.create_user("boss", email="ADA@acme.example", is_superuser=True)
    for allowed, expected in ((False, False), (True, False)):
        OidcProvider.objects.update(links_by_email=allowed)
        browser = Browser(issuer)
        browser.begin()
        browser.come_back(sub=uuid.uuid4().hex)
        assert boss.oidc_links.exists() is expected
        User.objects.exclude(pk=boss.pk).delete()
    User.objects.filter(pk=boss.pk).update(is_superuser=False)
    browser = Browser(issuer)
    browser.begin()
    browser.come_back(sub="third")
    assert boss.oidc_links.exists()
    late = Browser(issuer)
    late.begin()
    late.come_back(sub="fourth")
    assert boss.oidc_links.count() == 1


def test_information_about_somebody_else_is_refused(provider: OidcProvider, issuer: Issuer) -> None:
    issuer.userinfo = {"sub": "u-2", "groups": ["bosses"]}
    browser = Browser(issuer)
    browser.begin()
    assert browser.come_back().status_code == 403
    assert not browser.is_in()


def test_an_inactive_person_stays_out(provider: OidcProvider, issuer: Issuer) -> None:
    browser = Browser(issuer)
    browser.begin()
    browser.come_back()
    User.objects.update(is_active=False)
    again = Browser(issuer)
    again.begin()
    assert again.come_back().status_code == 403
    assert not browser.is_in()


def test_an_unknown_person_stays_out_where_people_are_not_made(provider: OidcProvider, issuer: Issuer) -> None:
    OidcProvider.objects.update(makes_people=False)
    browser = Browser(issuer)
    browser.begin()
    assert browser.come_back().status_code == 403
    assert not User.objects.exists()


def test_a_taken_name_is_not_taken_over(provider: OidcProvider, issuer: Issuer) -> None:
    boss = User.objects.create_user("Ada", password="x")
    boss.groups.add(Group.objects.get(name="admin"))
    browser = Browser(issuer)
    browser.begin()
    browser.come_back()
    assert User.objects.count() == 2
    assert not boss.oidc_links.exists()


def test_the_key_may_be_rotated(provider: OidcProvider, issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    first = Browser(issuer)
    first.begin()
    assert first.come_back().status_code == 302
    monkeypatch.setattr("maestro.oidc.COOL_SECONDS", 0.0)
    issuer.turn_key()
    second = Browser(issuer)
    second.begin()
    assert second.come_back().status_code == 302


def test_a_provider_that_is_down_is_503_and_a_missing_one_400(provider: OidcProvider, issuer: Issuer) -> None:
    issuer.broken = True
    assert Browser(issuer).client.get("/sign-in/work/").status_code == 503
    assert Browser(issuer).client.get("/sign-in/other/").status_code == 400


@pytest.mark.parametrize(
    "following", ["https://evil.example/", "//evil.example", "javascript:alert(1)", "/\\evil.example"]
)
def test_nobody_is_sent_away_after_sign_in(provider: OidcProvider, issuer: Issuer, following: str) -> None:
    browser = Browser(issuer)
    browser.begin(following)
    assert browser.come_back()["Location"] == "/admin/"


def test_signing_out_ends_the_session_and_links_to_the_provider(provider: OidcProvider, issuer: Issuer) -> None:
    browser = Browser(issuer)
    browser.begin()
    browser.come_back()
    page = browser.client.post("/sign-out/")
    assert page.status_code == 200
    assert f"{issuer.url}/end?client_id=maestro".encode() in page.content
    assert not browser.is_in()
    assert browser.client.get("/sign-out/").status_code == 405


def test_the_secret_goes_in_and_never_comes_out(provider: OidcProvider, issuer: Issuer) -> None:
    boss = User.objects.create_user("boss", is_staff=True)
    boss.groups.add(Group.objects.get(name="admin"))
    client = Client(headers={"host": "acme.localhost"})
    client.force_login(boss, backend="apps.tenants.access.sign_in.passwords.PasswordBackend")
    url = f"/admin/access/oidcprovider/{provider.pk}/change/"
    page = client.get(url)
    assert page.status_code == 200
    assert SECRET.encode() not in page.content
    form = {
        "slug": "work",
        "name": "Work",
        "issuer": issuer.url.replace("127.0.0.1", "idp.example"),
        "client_id": "maestro",
        "scopes": "openid",
        "group_roles": '{"a": "viewer"}',
        "client_secret": "a-new-secret",
    }
    assert client.post(url, form).status_code == 302
    provider.refresh_from_db()
    assert unseal(bytes(provider.sealed_secret)) == "a-new-secret"
    assert client.post(url, form | {"client_secret": ""}).status_code == 302
    provider.refresh_from_db()
    assert unseal(bytes(provider.sealed_secret)) == "a-new-secret"
    assert client.post(url, form | {"group_roles": '{"a": "root"}'}).status_code == 200
    assert "a-new-secret" not in str(list(AuditEvent.objects.values()))
    with connection.cursor() as cursor:
        cursor.execute("SELECT p::text FROM access_oidcprovider p")
        assert "a-new-secret" not in str(cursor.fetchall())


def test_a_provider_of_acme_signs_nobody_in_to_globex(provider: OidcProvider, issuer: Issuer, globex: Tenant) -> None:
    there = Browser(issuer, "globex.localhost")
    assert there.client.get("/sign-in/work/").status_code == 400
    here = Browser(issuer)
    here.begin()
    answer = there.client.get(CALLBACK, {"code": "x", "state": here.asked["state"]})
    assert answer.status_code == 400
