"""Bad addresses, hosts, headers and bodies, before any room is asked."""

import time
from collections.abc import Callable

import pytest
from django.test import Client

from apps.tenants.models import Tenant
from maestro.api import json
from maestro.errors import MaestroError
from tests.web import basic

PROJECTS = "/api/v1/projects/"


def ask(path: str, host: str = "acme.localhost", **headers: str) -> tuple[int, dict[str, str], bytes]:
    answer = Client(headers={"host": host, **headers}).get(path)
    return answer.status_code, dict(answer.headers), answer.content


@pytest.mark.parametrize(
    "host",
    [
        "rebind.evil",
        "ACME.localhost.",
        "acme.localhost.",
        "www.acme.localhost",
        "acme.localhost@evil",
        "x y",
        "[::1",
        "%00",
    ],
)
def test_a_host_that_is_not_ours_is_refused(acme: Tenant, api: Callable[..., Client], host: str) -> None:
    answer = api(acme).get(PROJECTS, headers={"host": host})
    assert answer.status_code in {400, 404}


@pytest.mark.parametrize("header", ["x-forwarded-host", "forwarded", "x-host", "x-original-host"])
def test_a_forwarded_host_chooses_nothing(
    acme: Tenant, globex: Tenant, key_for: Callable[..., str], header: str
) -> None:
    value = "host=acme.localhost" if header == "forwarded" else "acme.localhost"
    client = Client(headers={"host": "globex.localhost", "authorization": f"Bearer {key_for(acme)}", header: value})
    assert client.get(PROJECTS).status_code == 401


@pytest.mark.parametrize(
    "query", ["a=%00", "a=\x01", "a=" + "x" * 20_000, "limit=-1", "limit=9e9", "cursor=abc", "limit=%00"]
)
def test_a_bad_query_string_is_400(acme: Tenant, api: Callable[..., Client], query: str) -> None:
    answer = api(acme).get(f"{PROJECTS}?{query}")
    assert answer.status_code == 400
    assert answer["content-type"].startswith("application/problem+json")


@pytest.mark.parametrize("path", ["/api/v1/%00/", "/api/v1/a%0ab/", "/api/2.0/mlflow/%00"])
def test_controls_in_a_path_are_400_in_the_doors_own_words(acme: Tenant, path: str) -> None:
    status, headers, body = ask(path)
    assert status == 400
    assert (b"error_code" in body) == path.startswith("/api/2.0/")
    assert headers["Content-Type"].startswith("application/")


@pytest.mark.parametrize(
    "value",
    [
        "",
        "Bearer",
        "Bearer ",
        "Basic",
        "Basic !!!",
        "Basic " + "A" * 9,
        "Basic gICA",
        "Bearer mst_acme_abc",
        "Bearer mst_acme_aaaaaaaaaaaa_" + "A" * 50,
        "Bearer " + "m" * 30_000,
        "Bearer mst_nobody_aaaaaaaaaaaa_" + "A" * 50,
        "Bearer eyJhbGciOiJub25lIn0.eyJhdWQiOiJhY21lIn0.",
        "Bearer eyJhbGciOiJub25lIn0.eyJhdWQiOiJhY21lIn0.AAAA",
        "Digest x",
        "Bearer \u00e9\u00e9",
    ],
)
def test_a_credential_that_is_none_is_401(acme: Tenant, value: str) -> None:
    for host in ("acme.localhost", "localhost"):
        status, headers, _ = ask(PROJECTS, host=host, authorization=value)
        assert status == 401
        assert headers["WWW-Authenticate"].startswith("Bearer")


def test_every_character_of_a_key_counts(acme: Tenant, key_for: Callable[..., str]) -> None:
    key = key_for(acme)
    for index in range(len("mst_acme_"), len(key)):
        wrong = key[:index] + ("0" if key[index] != "0" else "1") + key[index + 1 :]
        assert ask(PROJECTS, authorization=f"Bearer {wrong}")[0] == 401
    assert ask(PROJECTS, authorization=f"Bearer {key}")[0] == 200
    assert ask(PROJECTS, authorization=basic(key))[0] == 200


def test_a_text_body_of_a_strangers_page_is_refused(acme: Tenant, api: Callable[..., Client]) -> None:
    answer = api(acme).post(
        PROJECTS, data='{"slug": "x"}', content_type="text/plain", headers={"origin": "https://evil"}
    )
    assert answer.status_code == 415
    assert "access-control-allow-origin" not in answer


def test_an_unclosed_string_costs_no_quadratic_time() -> None:
    body = b"[" * 70 + b'"' + b'\\"' * 400_000
    begin = time.process_time()
    with pytest.raises(MaestroError):
        json.loads(body)
    assert time.process_time() - begin < 2


@pytest.mark.parametrize("tail", [b"\\", b'"', b'\\"', b"", b"\\\\", b'"]]'])
def test_the_shape_is_counted_outside_strings_only(tail: bytes) -> None:
    with pytest.raises(MaestroError):
        json.loads(b'["' + b"[" * 100 + tail)
    assert json.loads(b'["' + b"[" * 100 + b'"]') == ["[" * 100]


def test_an_unknown_address_of_an_api_is_answered_in_json(acme: Tenant) -> None:
    status, headers, body = ask("/api/v1/nothing-here/")
    assert status == 404
    assert headers["Content-Type"].startswith("application/problem+json")
    assert b"request_id" in body


def test_refusals_of_the_first_middleware_carry_the_headers_too(acme: Tenant) -> None:
    _, headers, _ = ask(PROJECTS, host="rebind.evil")
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "same-origin"
    assert "Content-Security-Policy" in headers
