"""CI jobs without a stored secret: a local issuer signs real tokens, and every way to cheat is refused."""

import json
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.test import Client

from apps.tenants.access.models import ApiKey, AuditEvent
from apps.tenants.models import Tenant
from apps.tracking.models import Project
from maestro.egress import failures
from maestro.oidc import documents
from tests.issuer import Issuer
from tests.tenants.access.keys.jobs import EXCHANGE, JOB, exchange


def test_a_job_gets_a_key_for_fifteen_minutes_and_one_project(acme: Tenant, trust: Any, issuer: Issuer) -> None:
    made = trust()
    assert made.status_code == 201, made.content
    assert "id-token: write" in made.json()["snippet"]
    answer = exchange(issuer.token(**JOB))
    assert answer.status_code == 201, answer.content
    text = answer.json()["key"]
    me = (
        Client(headers={"host": "acme.localhost", "authorization": f"Bearer {text}"}).get("/api/v1/auth/whoami/").json()
    )
    assert (me["kind"], me["role"], me["name"]) == ("job", "contributor", "github: acme/churn")
    assert me["project"] == answer.json()["project"] == str(Project.objects.get(slug="churn").id)
    key = ApiKey.objects.get(pk=me["id"])
    assert 0 < (key.expires_at - key.created_at).total_seconds() <= 900
    event = AuditEvent.objects.get(action="job.admit")
    assert event.after["subject"] == JOB["sub"]
    assert text not in str(event.after)


def test_the_base_host_works_by_the_tenants_name(acme: Tenant, trust: Any, issuer: Issuer) -> None:
    trust()
    body = {"token": issuer.token(**JOB)}
    client = Client(headers={"host": "localhost"})
    assert client.post(EXCHANGE, body, content_type="application/json").status_code == 404
    named = Client(headers={"host": "localhost", "x-maestro-tenant": "acme"})
    assert named.post(EXCHANGE, body, content_type="application/json").status_code == 201


def test_a_token_is_used_once(acme: Tenant, trust: Any, issuer: Issuer) -> None:
    trust()
    token = issuer.token(**JOB)
    assert [exchange(token).status_code for _ in range(3)] == [201, 403, 403]
    assert "used before" in AuditEvent.objects.filter(action="job.refuse").first().after["why"]


def test_the_same_jti_in_another_token_is_refused(acme: Tenant, trust: Any, issuer: Issuer) -> None:
    trust()
    assert exchange(issuer.token(**JOB, jti="one")).status_code == 201
    assert exchange(issuer.token(**JOB, jti="one", extra="x")).status_code == 403


REFUSED: dict[str, dict[str, Any]] = {
    "another repository of the same name": {"repository_id": "4712"},
    "another owner of the same name": {"repository_owner_id": "13"},
    "a number for a text that differs": {"repository_id": 4712},
    "another branch": {"ref": "refs/heads/evil"},
    "a pull request": {"event_name": "pull_request"},
    "a pull request of a fork, with secrets": {"event_name": "pull_request_target"},
    "no event named": {"event_name": None},
    "an audience list with ours": {"aud": ["maestro:acme", "other"]},
    "an audience list of ours alone": {"aud": ["maestro:acme"]},
    "another audience": {"aud": "maestro:globex"},
    "no audience": {"aud": None},
    "no jti": {"jti": None},
    "no subject": {"sub": None},
    "no expiry": {"exp": None},
    "no issue time": {"iat": None},
    "expired a minute ago": {"exp": int(time.time()) - 60},
    "not before tomorrow": {"nbf": int(time.time()) + 86_400},
    "issued tomorrow": {"iat": int(time.time()) + 86_400},
    "an endless expiry": {"exp": 10**30},
    "a life of two days": {"exp": int(time.time()) + 172_800},
    "an expiry before its issue": {"iat": int(time.time()) + 20, "exp": int(time.time()) + 10},
    "another issuer": {"iss": "https://token.actions.githubusercontent.com"},
    "the issuer with a slash": {"iss": "http://127.0.0.1/"},
    "a list as subject": {"sub": ["a"]},
    "an object as repository": {"repository_id": {"$ne": 1}},
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_job_that_is_not_the_trusted_one_is_refused(acme: Tenant, trust: Any, issuer: Issuer, name: str) -> None:
    trust()
    answer = exchange(issuer.token(**JOB | REFUSED[name]))
    assert answer.status_code == 403, answer.content
    assert not ApiKey.objects.filter(kind="job").exists()


def public_pem(issuer: Issuer) -> str:
    key = issuer.keys[issuer.current].public_key()
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def hmac_with(secret: str, issuer: Issuer) -> str:
    claims = JOB | {"iss": issuer.url, "iat": int(time.time()), "exp": int(time.time()) + 60, "jti": "x"}
    header = {"alg": "HS256", "kid": issuer.current}
    signed = ".".join(jwt.utils.base64url_encode(json.dumps(part).encode()).decode() for part in (header, claims))
    mac = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256).sign(signed.encode(), secret.encode())
    return f"{signed}.{jwt.utils.base64url_encode(mac).decode()}"


FORGED: dict[str, Callable[[Issuer], str]] = {
    "alg none": lambda i: i.token(**JOB, algorithm="none", key=""),
    "HS256 with the public key": lambda i: hmac_with(public_pem(i), i),
    "a key of its own under a known id": lambda i: i.token(**JOB, key=rsa.generate_private_key(65537, 2048)),
    "a key of its own under an unknown id": lambda i: i.token(
        **JOB, key=rsa.generate_private_key(65537, 2048), kid="x"
    ),
    "PS256": lambda i: i.token(**JOB, algorithm="PS256"),
    "RS512": lambda i: i.token(**JOB, algorithm="RS512"),
    "a changed payload": lambda i: change_payload(i.token(**JOB)),
    "a cut signature": lambda i: i.token(**JOB)[:-8],
    "no token": lambda i: "hello",
    "three dots": lambda i: "a.b.c",
    "a megabyte of nothing": lambda i: "a" * 16_000,
    "deep JSON": lambda i: ".".join(jwt.utils.base64url_encode(("[" * 5_000).encode()).decode() for _ in range(3)),
    "NUL": lambda i: "a\u0000b",
}


def change_payload(token: str) -> str:
    head, body, signature = token.split(".")
    changed = jwt.utils.base64url_decode(body).replace(b"4711", b"4712")
    return f"{head}.{jwt.utils.base64url_encode(changed).decode()}.{signature}"


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_token_is_refused(acme: Tenant, trust: Any, issuer: Issuer, name: str) -> None:
    trust()
    assert exchange(FORGED[name](issuer)).status_code in {400, 403}
    assert not ApiKey.objects.filter(kind="job").exists()


def test_a_trusted_job_of_acme_is_nobody_in_globex(acme: Tenant, trust: Any, issuer: Issuer, globex: Tenant) -> None:
    trust()
    assert exchange(issuer.token(**JOB), tenant="globex").status_code == 403


def test_a_small_clock_skew_is_forgiven_and_a_large_one_is_not(acme: Tenant, trust: Any, issuer: Issuer) -> None:
    trust()
    now = int(time.time())
    assert exchange(issuer.token(**JOB, iat=now - 300, exp=now - 15)).status_code == 201
    assert exchange(issuer.token(**JOB, exp=now - 45)).status_code == 403


def test_an_es256_token_works(acme: Tenant, trust: Any, issuer: Issuer) -> None:
    trust()
    issuer.turn_key(curve=True)
    assert exchange(issuer.token(**JOB)).status_code == 201


def test_a_weak_rsa_key_is_refused(acme: Tenant, trust: Any, issuer: Issuer) -> None:
    trust()
    issuer.turn_key(bits=1024, keep=False)
    assert exchange(issuer.token(**JOB)).status_code == 403


def test_keys_are_kept_and_an_unknown_one_is_asked_for_once_a_minute(
    acme: Tenant, trust: Any, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    trust()
    for _ in range(3):
        assert exchange(issuer.token(**JOB)).status_code == 201
    assert issuer.hits.count("/keys") == 1
    for number in range(5):
        assert exchange(issuer.token(**JOB, kid=f"unknown-{number}")).status_code == 403
    assert issuer.hits.count("/keys") == 1
    monkeypatch.setattr("maestro.oidc.COOL_SECONDS", 0.0)
    issuer.turn_key()
    assert exchange(issuer.token(**JOB)).status_code == 201
    assert issuer.hits.count("/keys") == 2


def test_an_issuer_that_is_down_is_503_and_known_keys_go_on(acme: Tenant, trust: Any, issuer: Issuer) -> None:
    trust()
    issuer.broken = True
    assert exchange(issuer.token(**JOB)).status_code == 503
    issuer.broken = False
    assert exchange(issuer.token(**JOB)).status_code == 503, "it is not asked again for a minute"
    failures.clear()
    assert exchange(issuer.token(**JOB)).status_code == 201
    issuer.broken = True
    for kept in documents.kept.values():
        kept.at -= 400
    assert exchange(issuer.token(**JOB)).status_code == 201


def test_a_configuration_of_another_issuer_is_not_believed(acme: Tenant, trust: Any, issuer: Issuer) -> None:
    trust()
    issuer.says_issuer = "https://evil.example"
    assert exchange(issuer.token(**JOB)).status_code == 403


def test_pasted_keys_need_no_request(acme: Tenant, trust: Any, issuer: Issuer) -> None:
    made = trust(kind="jenkins", issuer="https://jenkins.invalid/oidc", jwks=issuer.jwks(), claims={"sub": "job/churn"})
    assert made.status_code == 201, made.content
    claims = {"iss": "https://jenkins.invalid/oidc", "aud": "maestro:acme", "sub": "job/churn"}
    token = issuer.token(**claims, jti=None)
    assert [exchange(token).status_code for _ in range(2)] == [201, 403]
    assert issuer.hits == []
