"""Hostile tokens and answers of an identity provider open no session."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.contrib.auth.models import User

from apps.tenants.access.models import OidcProvider
from tests.issuer import Issuer
from tests.tenants.access.sign_in.browsers import CALLBACK, SECRET, Browser

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
