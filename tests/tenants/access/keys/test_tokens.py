"""People's tokens: ten minutes, one tenant, refresh once, and nothing after the person is gone."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.conf import settings
from django.contrib.auth.models import Group, User
from django.test import Client
from django.utils import timezone

from apps.tenants.access.keys import tokens
from apps.tenants.access.models import AuditEvent, ProjectRole
from apps.tenants.models import Tenant
from apps.tracking.models import Project
from maestro.http.throttling import limiter

TOKEN = "/api/v1/auth/token/"
WHOAMI = "/api/v1/auth/whoami/"
PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def fresh_limits() -> None:
    limiter.clear()


@pytest.fixture
def ada(acme: Tenant) -> User:
    person = User.objects.create_user(f"ada-{uuid.uuid4().hex[:6]}", password=PASSWORD)
    person.groups.add(Group.objects.get(name="approver"))
    return person


def post(tenant: Tenant, path: str, body: dict[str, Any], **headers: str) -> Any:
    client = Client(headers={"host": f"{tenant.slug}.localhost"} | headers)
    return client.post(path, body, content_type="application/json")


def sign_in(tenant: Tenant, person: User) -> dict[str, Any]:
    answer = post(tenant, TOKEN, {"username": person.username, "password": PASSWORD})
    assert answer.status_code == 200, answer.content
    return answer.json()


def whoami(tenant: Tenant, token: str, host: str = "") -> Any:
    return Client(headers={"host": host or f"{tenant.slug}.localhost", "authorization": f"Bearer {token}"}).get(WHOAMI)


def test_a_person_signs_in_and_is_known(acme: Tenant, ada: User) -> None:
    pair = sign_in(acme, ada)
    me = whoami(acme, pair["access"]).json()
    assert (me["kind"], me["name"], me["role"], me["id"]) == ("person", ada.username, "approver", str(ada.pk))
    assert whoami(acme, pair["access"], host="localhost").json()["tenant"] == "acme"
    assert AuditEvent.objects.filter(action="person.token", actor=f"person:{ada.username}").exists()


def test_the_base_host_lets_in_by_the_tenants_name(acme: Tenant, ada: User) -> None:
    body = {"username": ada.username, "password": PASSWORD}
    assert post(acme, TOKEN, body, host="localhost").status_code == 404
    client = Client(headers={"host": "localhost", "x-maestro-tenant": "acme"})
    assert client.post(TOKEN, body, content_type="application/json").status_code == 200


def test_a_token_of_acme_is_nothing_in_globex(acme: Tenant, ada: User, globex: Tenant) -> None:
    twin = User.objects.create_user(ada.username, password=PASSWORD)
    twin.groups.add(Group.objects.get(name="admin"))
    pair = sign_in(acme, ada)
    assert whoami(globex, pair["access"]).status_code == 401
    assert post(globex, f"{TOKEN}refresh/", {"refresh": pair["refresh"]}).status_code == 401


@pytest.mark.parametrize("change", ["inactive", "password", "no role", "deleted"])
def test_what_the_person_loses_the_token_loses_at_once(acme: Tenant, ada: User, change: str) -> None:
    pair = sign_in(acme, ada)
    if change == "inactive":
        User.objects.filter(pk=ada.pk).update(is_active=False)
    elif change == "password":
        ada.set_password("another long password")
        ada.save()
    elif change == "no role":
        ada.groups.clear()
    else:
        ada.delete()
    assert whoami(acme, pair["access"]).status_code == (403 if change == "no role" else 401)


def test_a_refresh_token_works_once_and_its_reuse_ends_the_family(acme: Tenant, ada: User) -> None:
    first = sign_in(acme, ada)
    other = sign_in(acme, ada)
    second = post(acme, f"{TOKEN}refresh/", {"refresh": first["refresh"]}).json()
    assert whoami(acme, second["access"]).status_code == 200
    assert post(acme, f"{TOKEN}refresh/", {"refresh": first["refresh"]}).status_code == 401
    assert post(acme, f"{TOKEN}refresh/", {"refresh": second["refresh"]}).status_code == 401
    assert whoami(acme, second["access"]).status_code == 401
    assert whoami(acme, other["access"]).status_code == 200


def test_signing_out_ends_access_too(acme: Tenant, ada: User) -> None:
    pair = sign_in(acme, ada)
    assert post(acme, f"{TOKEN}revoke/", {"refresh": pair["refresh"]}).status_code == 204
    assert whoami(acme, pair["access"]).status_code == 401
    assert post(acme, f"{TOKEN}refresh/", {"refresh": pair["refresh"]}).status_code == 401
    assert post(acme, f"{TOKEN}revoke/", {"refresh": "unknown"}).status_code == 204


def test_a_role_in_a_project_travels_with_the_token(acme: Tenant, ada: User) -> None:
    project = uuid.uuid4()
    ProjectRole.objects.create(user=ada, project_id=project, role="admin")
    who = tokens.principal_of(tokens.issue(ada, timezone.now()).access)
    assert who.has_role("admin", project)
    assert not who.has_role("admin")


def test_a_role_in_a_project_opens_its_routes_and_no_others(acme: Tenant) -> None:
    bob = User.objects.create_user("bob", password=PASSWORD)
    bob.groups.add(Group.objects.get(name="viewer"))
    mine, other = Project.objects.create(slug="mine", name="m"), Project.objects.create(slug="other", name="o")
    ProjectRole.objects.create(user=bob, project_id=mine.id, role="contributor")
    token = sign_in(acme, bob)["access"]
    client = Client(headers={"host": "acme.localhost", "authorization": f"Bearer {token}"})

    def rename(project: object) -> int:
        return client.patch(f"/api/v1/projects/{project}/", {"team": "x"}, content_type="application/json").status_code

    assert [rename(mine.slug), rename(mine.id)] == [200, 200]
    assert [rename(other.slug), rename(other.id)] == [403, 403]
    assert client.post("/api/v1/projects/", {"slug": "new"}, content_type="application/json").status_code == 403


def forge(tenant: Tenant, person: User, **changes: Any) -> str:
    """Sign claims with a key; a claim of None is left out."""
    key = changes.pop("key", tokens.signing_key(tenant.id, settings.SECRET_KEY))
    algorithm, header = changes.pop("algorithm", "EdDSA"), changes.pop("header", {})
    at = timezone.now()
    claims = {
        "iss": "maestro",
        "aud": tenant.slug,
        "sub": str(person.pk),
        "iat": at,
        "exp": at + timedelta(minutes=5),
        "jti": "x",
        "fam": uuid.uuid4().hex,
        "pwd": tokens.fingerprint(person),
    } | changes
    kid = tokens.key_id(tokens.signing_key(tenant.id, settings.SECRET_KEY))
    headers = {"kid": kid, "typ": "at+jwt"} | header
    return jwt.encode({k: v for k, v in claims.items() if v is not None}, key, algorithm=algorithm, headers=headers)


def test_the_forgers_tool_itself_makes_a_good_token(acme: Tenant, ada: User) -> None:
    assert whoami(acme, forge(acme, ada)).status_code == 200


def public_bytes(tenant: Tenant) -> bytes:
    return tokens.signing_key(tenant.id, settings.SECRET_KEY).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


FORGERIES: dict[str, Callable[[Tenant], dict[str, Any]]] = {
    "alg none": lambda t: {"algorithm": "none", "key": None},
    "HS256 with the public key": lambda t: {"algorithm": "HS256", "key": public_bytes(t).hex()},
    "HS256 with the server's secret": lambda t: {"algorithm": "HS256", "key": settings.SECRET_KEY},
    "another Ed25519 key": lambda t: {"key": ed25519.Ed25519PrivateKey.generate()},
    "another tenant's key": lambda t: {"key": tokens.signing_key(uuid.uuid4(), settings.SECRET_KEY)},
    "RS256": lambda t: {"algorithm": "RS256", "key": rsa.generate_private_key(public_exponent=65537, key_size=2048)},
    "expired": lambda t: {"exp": timezone.now() - timedelta(seconds=1)},
    "issued in the future": lambda t: {"iat": timezone.now() + timedelta(hours=1)},
    "other issuer": lambda t: {"iss": "someone"},
    "other audience": lambda t: {"aud": "globex"},
    "a list of audiences": lambda t: {"aud": [t.slug, "globex"]},
    "a list of one audience": lambda t: {"aud": [t.slug]},
    "no audience": lambda t: {"aud": None},
    "no expiry": lambda t: {"exp": None},
    "no family": lambda t: {"fam": None},
    "no fingerprint": lambda t: {"pwd": None},
    "other fingerprint": lambda t: {"pwd": "0" * 16},
    "a person who is not there": lambda t: {"sub": "999999999"},
    "a person beyond 64 bits": lambda t: {"sub": "9" * 30},
    "an injected person": lambda t: {"sub": "1 OR 1=1"},
    "unknown kid": lambda t: {"header": {"kid": "../../etc/passwd"}},
    "other typ": lambda t: {"header": {"typ": "JWT"}},
    "a family that is no id": lambda t: {"fam": "not-a-uuid"},
}


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forged_token_is_401(acme: Tenant, ada: User, name: str) -> None:
    assert whoami(acme, forge(acme, ada, **FORGERIES[name](acme))).status_code == 401


def test_five_wrong_passwords_lock_the_account_for_that_address(acme: Tenant, ada: User) -> None:
    wrong = {"username": ada.username, "password": "wrong"}
    right = {"username": ada.username, "password": PASSWORD}
    assert [post(acme, TOKEN, wrong).status_code for _ in range(5)] == [401] * 5
    locked = post(acme, TOKEN, right)
    assert locked.status_code == 429
    assert AuditEvent.objects.filter(action="person.lock_out", actor=f"person:{ada.username}").count() == 1
    assert 0 < int(locked["Retry-After"]) <= 901
    client = Client(REMOTE_ADDR="10.9.8.7", headers={"host": "acme.localhost"})
    assert client.post(TOKEN, right, content_type="application/json").status_code == 200


def test_a_forwarded_address_does_not_reset_the_lock(acme: Tenant, ada: User) -> None:
    wrong = {"username": ada.username, "password": "wrong"}
    statuses = []
    for number in range(7):
        client = Client(headers={"host": "acme.localhost", "x-forwarded-for": f"10.0.0.{number}"})
        statuses.append(client.post(TOKEN, wrong, content_type="application/json").status_code)
    assert statuses == [401] * 5 + [429] * 2


def test_an_unknown_person_sounds_like_a_wrong_password(acme: Tenant, ada: User) -> None:
    known = post(acme, TOKEN, {"username": ada.username, "password": "wrong"}).json()
    unknown = post(acme, TOKEN, {"username": "nobody-at-all", "password": "wrong"}).json()
    for name in ("request_id", "instance"):
        known.pop(name), unknown.pop(name)
    assert known == unknown
