"""People sign in by their identity provider; fourteen hostile tokens and their kin do not."""

import time
import uuid
from collections.abc import Callable, Iterator
from ipaddress import ip_network
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client

from apps.tenants.access.models import AuditEvent, OidcLink, OidcProvider, role_of_person
from apps.tenants.access.sign_in.sealing import seal, unseal
from apps.tenants.models import Tenant
from maestro.oidc import documents
from tests.issuer import Issuer, running_issuer

CALLBACK = "/sign-in/callback/"
SECRET = "the-clients-own-secret-0123456789"


@pytest.fixture(scope="module")
def running() -> Iterator[Issuer]:
    with running_issuer() as issuer:
        yield issuer


@pytest.fixture
def issuer(running: Issuer, settings: Any) -> Issuer:
    settings.EGRESS_ALLOW = (ip_network("127.0.0.1/32"),)
    documents.clear()
    running.broken, running.says_issuer, running.userinfo = False, "", None
    running.turn_key(keep=False)
    running.posts.clear()
    return running


@pytest.fixture
def provider(acme: Tenant, issuer: Issuer) -> OidcProvider:
    return OidcProvider.objects.create(
        slug="work",
        name="Work",
        issuer=issuer.url,
        client_id="maestro",
        sealed_secret=seal(SECRET),
        group_roles={"ml-leads": "approver", "ml": "contributor", "bosses": "admin"},
    )


class Browser:
    """One browser on acme's host, on its way through a sign-in."""

    def __init__(self, issuer: Issuer, host: str = "acme.localhost") -> None:
        self.issuer, self.client = issuer, Client(headers={"host": host})
        self.asked: dict[str, str] = {}

    def begin(self, following: str = "") -> dict[str, str]:
        """Ask to sign in; return what the provider is asked."""
        answer = self.client.get("/sign-in/work/", {"next": following} if following else {})
        assert answer.status_code == 302, answer.content
        self.asked = dict(parse_qsl(urlsplit(answer["Location"]).query))
        return self.asked

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Write the claims of an honest provider."""
        honest = {"aud": "maestro", "sub": "u-1", "nonce": self.asked["nonce"], "groups": ["ml", "tennis"]}
        return honest | {"preferred_username": "ada", "email": "ada@acme.example", "email_verified": True} | changes

    def come_back(self, token: str | None = None, **changes: Any) -> Any:
        """Return with a code that is worth a token."""
        code = uuid.uuid4().hex
        id_token = token if token is not None else self.issuer.token(**self.claims(**changes))
        self.issuer.grants[code] = {"id_token": id_token, "challenge": self.asked["code_challenge"]}
        return self.client.get(CALLBACK, {"code": code, "state": self.asked["state"]})

    def is_in(self) -> bool:
        """Say whether the admin opens."""
        return self.client.get("/admin/").status_code == 200


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


Hostile = Callable[[Browser], str]


def pem(issuer: Issuer) -> bytes:
    key = issuer.keys[issuer.current].public_key()
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def with_claims(**changes: Any) -> Hostile:
    return lambda b: b.issuer.token(**b.claims(**changes))


def symmetric(b: Browser) -> str:
    """Sign with the public key as a shared secret; PyJWT itself refuses to, so it is disguised."""
    return b.issuer.token(**b.claims(), algorithm="HS256", key=pem(b.issuer).replace(b"-----", b"=====").decode())


HOSTILE: dict[str, Hostile] = {
    "another audience": with_claims(aud="other"),
    "audiences without ours": with_claims(aud=["a", "b"]),
    "two audiences, no authorised party": with_claims(aud=["maestro", "other"]),
    "another authorised party": with_claims(azp="other"),
    "another issuer": with_claims(iss="https://evil.example"),
    "alg none": lambda b: b.issuer.token(**b.claims(), algorithm="none", key=""),
    "HS256 with the client's secret": lambda b: b.issuer.token(**b.claims(), algorithm="HS256", key=SECRET),
    "HS256 with the public key": symmetric,
    "another key under the known id": lambda b: b.issuer.token(**b.claims(), key=rsa.generate_private_key(65537, 2048)),
    "an unknown key id": lambda b: b.issuer.token(**b.claims(), kid="nobody"),
    "expired": with_claims(exp=int(time.time()) - 60),
    "issued tomorrow": with_claims(iat=int(time.time()) + 86_400, exp=int(time.time()) + 90_000),
    "the nonce of another sign-in": with_claims(nonce="x" * 32),
    "no nonce": with_claims(nonce=None),
    "no subject": with_claims(sub=None),
    "a subject that is no text": with_claims(sub=["u-1"]),
    "no expiry": with_claims(exp=None),
    "no token at all": lambda b: "",
    "rubbish": lambda b: "a.b.c",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_token_opens_no_session(provider: OidcProvider, issuer: Issuer, name: str) -> None:
    browser = Browser(issuer)
    browser.begin()
    answer = browser.come_back(HOSTILE[name](browser))
    assert answer.status_code == 403
    assert not browser.is_in()
    assert not User.objects.exists()
    assert b"sign-in did not work" in answer.content


def test_a_token_with_an_empty_key_id_fits_no_key(provider: OidcProvider, issuer: Issuer) -> None:
    browser = Browser(issuer)
    browser.begin()
    token = issuer.token(**browser.claims(), kid="")
    assert browser.come_back(token).status_code == 403
    assert not browser.is_in()


@pytest.mark.parametrize(
    "query", ["state=x&code=y", "code=y", "error=access_denied", "error=access_denied&state=x", ""]
)
def test_a_return_that_was_not_begun_here_is_400_and_ends_no_session(
    provider: OidcProvider, issuer: Issuer, query: str
) -> None:
    browser = Browser(issuer)
    browser.begin()
    browser.come_back()
    assert browser.client.get(f"{CALLBACK}?{query}").status_code == 400
    assert browser.is_in()


def test_a_state_works_once(provider: OidcProvider, issuer: Issuer) -> None:
    browser = Browser(issuer)
    browser.begin()
    assert browser.come_back().status_code == 302
    assert browser.come_back().status_code == 400


def test_a_code_of_another_browser_is_worth_nothing(provider: OidcProvider, issuer: Issuer) -> None:
    """The attacker's code is bound to the attacker's PKCE challenge."""
    victim, attacker = Browser(issuer), Browser(issuer)
    victim.begin(), attacker.begin()
    issuer.grants["stolen"] = {
        "id_token": issuer.token(**attacker.claims()),
        "challenge": attacker.asked["code_challenge"],
    }
    answer = victim.client.get(CALLBACK, {"code": "stolen", "state": victim.asked["state"]})
    assert answer.status_code == 403
    assert not victim.is_in()


def test_an_answer_of_another_issuer_is_refused(provider: OidcProvider, issuer: Issuer) -> None:
    browser = Browser(issuer)
    browser.begin()
    answer = browser.client.get(CALLBACK, {"code": "x", "state": browser.asked["state"], "iss": "https://evil.example"})
    assert answer.status_code == 403
    assert issuer.posts == []


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
