"""Deliveries at the door: signed or refused, kept once, whatever is in them."""

import zlib
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from django_tenants.utils import tenant_context

from apps.tenants.models import Tenant
from apps.tracking.delivery import intake
from apps.tracking.models import Connection, Delivery, Project
from maestro import limits
from maestro.http.throttling import limiter
from tests.factories.forges import Forge, connect, gitlab_signed

Api = Callable[..., Client]
KINDS = ("github", "gitlab", "gitea")


@pytest.fixture
def forge(acme: Tenant, api: Api) -> Callable[..., Forge]:
    """Connect a project of acme."""
    limiter.clear()
    Project.objects.create(slug="churn", name="Churn")

    def make(kind: str = "github", **options: Any) -> Forge:
        return connect(api(acme, "admin"), "churn", kind, **options)

    return make


def said(answer: Any) -> tuple[int, str]:
    """The status and the code of a refusal."""
    return answer.status_code, answer.json()["code"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("host", ["acme.localhost", "localhost"])
def test_a_signed_delivery_is_kept_as_it_came_and_a_second_time_absorbed(
    forge: Callable[..., Forge], kind: str, host: str
) -> None:
    sender, body = forge(kind, host=host), b'{"ref":  "refs/heads/main"}\n'
    first, again = (sender.send("push", body, name="the-one") for _ in range(2))
    assert (first.status_code, first.json()) == (202, {"delivery": "the-one", "state": "kept"})
    assert (again.status_code, again.json()["state"]) == (202, "known")
    row = Delivery.objects.get()
    assert (row.event, row.state, row.size_bytes) == ("push", "waiting", len(body))
    assert zlib.decompress(bytes(row.body)) == body


@pytest.mark.parametrize("kind", KINDS)
def test_a_wrong_signature_is_refused_and_nothing_is_kept(forge: Callable[..., Forge], kind: str) -> None:
    sender = forge(kind)
    other = Forge(kind, sender.path, "another-secret-of-some-length", sender.client)
    wrong: dict[str, dict[str, str]] = {
        "github": {"x-hub-signature-256": "é"},
        "gitlab": {"x-gitlab-token": "é"},
        "gitea": {"x-gitea-signature": ""},
    }
    assert said(other.send("push", {})) == (401, "bad_signature")
    assert said(sender.send("push", {}, **wrong[kind])) == (401, "bad_signature")
    assert not Delivery.objects.exists()


def test_a_signature_of_other_bytes_is_refused(forge: Callable[..., Forge]) -> None:
    sender = forge()
    signature = {"x-hub-signature-256": "sha256=" + "0" * 64}
    assert said(sender.send("push", b"{}", **signature)) == (401, "bad_signature")


def test_gitlab_s_signing_token_is_verified_with_its_time(forge: Callable[..., Forge]) -> None:
    sender, now = forge("gitlab"), timezone.now()
    body = b'{"object_kind": "push"}'

    def deliver(name: str, seconds: int, **changed: str) -> Any:
        headers = gitlab_signed(sender.secret, body, "Push Hook", name, now + timedelta(seconds=seconds)) | changed
        given = {key.lower(): value for key, value in headers.items()}
        return sender.client.post(sender.path, body, content_type="application/json", headers=given)

    assert deliver("a", 0).json() == {"delivery": "a", "state": "kept"}
    assert deliver("b", -200).status_code == 202
    for skew in (-400, 400):
        assert said(deliver("c", skew)) == (401, "stale_delivery")
    # An old delivery under a new id, or with a new time, is not what was signed.
    assert said(deliver("d", 0, **{"webhook-id": "e"})) == (401, "bad_signature")
    assert said(deliver("d", -400, **{"webhook-timestamp": str(int(now.timestamp()))})) == (401, "bad_signature")
    assert said(deliver("d", 0, **{"webhook-timestamp": "soon"})) == (401, "bad_signature")
    assert Delivery.objects.count() == 2


def test_both_secrets_sign_while_they_are_rotated_and_then_the_new_one(
    acme: Tenant, api: Api, forge: Callable[..., Forge]
) -> None:
    sender, admin = forge(), api(acme, "admin")
    path = f"/api/v1/connections/{Connection.objects.get().pk}/rotate/"
    fresh = admin.post(path, {"hours": 2}, content_type="application/json").json()["secret"]
    newer = Forge("github", sender.path, fresh, sender.client)
    assert [one.send("push", {}).status_code for one in (sender, newer)] == [202, 202]
    newest = admin.post(path, {"hours": 0}, content_type="application/json").json()["secret"]
    last = Forge("github", sender.path, newest, sender.client)
    assert [one.send("push", {}).status_code for one in (sender, newer, last)] == [401, 401, 202]


def test_an_address_that_nobody_has_sounds_like_a_closed_one_and_another_tenant_s(
    acme: Tenant, globex: Tenant, api: Api
) -> None:
    limiter.clear()
    Project.objects.create(slug="churn", name="Churn")
    theirs = connect(api(globex, "admin"), "churn", host="globex.localhost")
    elsewhere = Forge("github", theirs.path, theirs.secret, Client(headers={"host": "acme.localhost"}))
    never = [theirs.path[:-4] + "nil/", "/hooks/nothing/", f"/hooks/mhk_nobody_{'x' * 43}/"]
    answers = [elsewhere.send("push", {})]
    answers += [Forge("github", path, "x" * 20, theirs.client).send("push", {}) for path in never]
    base = Client(headers={"host": "localhost"})
    answers += [Forge("github", path, "x" * 20, base).send("push", {}) for path in never]
    with tenant_context(globex):
        pk = Connection.objects.get().pk
    assert api(globex, "admin").delete(f"/api/v1/connections/{pk}/").status_code == 204
    answers.append(theirs.send("push", {}))
    assert {said(answer) for answer in answers} == {(404, "not_found")}
    assert {answer.json()["detail"] for answer in answers} == {"there is no such connection"}
    with tenant_context(globex):
        assert not Delivery.objects.exists()


@pytest.mark.parametrize("kind", KINDS)
def test_a_delivery_that_is_too_large_is_refused_before_it_is_read(forge: Callable[..., Forge], kind: str) -> None:
    sender = forge(kind)
    assert said(sender.send("push", b" " * (limits.HOOK_BYTES + 1))) == (413, "body_too_large")
    assert sender.send("push", b" " * limits.HOOK_BYTES).status_code == 202


@pytest.mark.parametrize(
    "body", [b"\xff\xfe{", b'{"a":' * 100_000, b"[" * 100_000, b'"\\ud800"', b'{"a": 1e999}', b"[1,2"]
)
def test_what_is_no_document_is_kept_for_the_log(forge: Callable[..., Forge], body: bytes) -> None:
    assert forge().send("push", body).status_code == 202
    assert zlib.decompress(bytes(Delivery.objects.get().body)) == body


def test_bad_headers_and_types_are_refused_by_name(forge: Callable[..., Forge]) -> None:
    sender = forge()
    assert said(sender.send("", {})) == (400, "no_event")
    assert said(sender.send("e" * 201, {})) == (400, "bad_header")
    assert said(sender.send("push<script>", {})) == (400, "bad_header")
    assert said(sender.send("push", {}, **{"x-github-delivery": "a b"})) == (400, "bad_header")
    assert said(sender.send("push", {}, **{"x-github-delivery": "é"})) == (400, "bad_header")
    form = sender.client.post(sender.path, "payload={}", content_type="application/x-www-form-urlencoded")
    assert said(form) == (415, "unsupported_media_type")
    assert not Delivery.objects.exists()


def test_a_delivery_without_an_id_is_known_by_its_bytes(forge: Callable[..., Forge]) -> None:
    sender = forge("gitea")
    for payload, state in (({"a": 1}, "kept"), ({"a": 1}, "known"), ({"a": 2}, "kept")):
        assert sender.send("push", payload, **{"x-gitea-delivery": ""}).json()["state"] == state


def test_a_ping_is_answered(forge: Callable[..., Forge]) -> None:
    answer = forge().send("ping", {"zen": "Keep it logically awesome."})
    assert (answer.status_code, answer.json()["state"]) == (200, "pong")


def test_a_connection_delivers_so_often_and_large_ones_less(forge: Callable[..., Forge], settings: Any) -> None:
    sender, other = forge(), forge("gitea")
    settings.RATE_LIMITS = settings.RATE_LIMITS | {"hook": 3}
    assert [sender.send("push", {}).status_code for _ in range(4)] == [202, 202, 202, 429]
    assert other.send("push", {}).status_code == 202


def test_large_deliveries_have_a_limit_of_their_own(
    forge: Callable[..., Forge], monkeypatch: pytest.MonkeyPatch
) -> None:
    sender = forge()
    monkeypatch.setattr(limits, "HOOK_LARGE_MINUTE", 1)
    large = b" " * (2**20 + 1)
    answers = [sender.send("push", body).status_code for body in (large, large, b"{}")]
    assert answers == [202, 429, 202]


def test_old_deliveries_are_forgotten(forge: Callable[..., Forge]) -> None:
    sender, now = forge(), timezone.now()
    sender.send("push", {}, name="old")
    sender.send("push", {}, name="new")
    Delivery.objects.filter(name="old").update(received_at=now - timedelta(days=limits.DELIVERY_DAYS, seconds=1))
    assert intake.forget_old(now) == 1
    assert Delivery.objects.get().name == "new"
