"""Limits: counted together in Valkey, alone without it, and cheap."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
from django.test import Client

from apps.tenants.models import Tenant
from config.routes import all_routes
from maestro.errors import TooMany
from maestro.http.throttling import Limiter, limiter, verifies

WHOAMI = "/api/v1/auth/whoami/"
# A window that hardly ever ends while a test counts.
HOUR = 3600


@pytest.fixture(autouse=True)
def fresh(db: None, settings: Any) -> Iterator[None]:
    redis.Redis.from_url(settings.REDIS_URL).flushdb()
    limiter.clear()
    yield
    limiter.clear()


def taken(one: Limiter, limit: int, tries: int) -> int:
    for number in range(tries):
        try:
            one.take("somebody", limit, seconds=HOUR)
        except TooMany:
            return number
    return tries


def test_the_limit_is_the_limit() -> None:
    assert taken(Limiter(), 7, 20) == 7


def test_two_processes_share_a_small_limit() -> None:
    one, two = Limiter(), Limiter()
    assert taken(one, 10, 6) == 6
    assert taken(two, 10, 20) == 4


def test_two_processes_share_a_large_limit_within_two_percent() -> None:
    one, two = Limiter(), Limiter()
    assert taken(one, 1_000, 600) == 600
    assert 400 <= taken(two, 1_000, 2_000) <= 420


def test_without_valkey_each_process_counts_alone_and_nothing_waits(settings: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    alone = Limiter()
    begin = time.perf_counter()
    assert taken(alone, 50, 200) == 50
    assert time.perf_counter() - begin < 10


def test_threads_that_begin_together_share_one_connection_pool() -> None:
    one, gate, clients = Limiter(), threading.Barrier(32), []

    def begin() -> None:
        gate.wait()
        clients.append(one._connection())

    threads = [threading.Thread(target=begin) for _ in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(clients) == 32
    assert len({id(client) for client in clients}) == 1


def test_no_limit_counts_nothing() -> None:
    assert taken(Limiter(), 0, 1_000) == 1_000


def test_taking_costs_less_than_a_tenth_of_a_millisecond() -> None:
    one = Limiter()
    begin = time.process_time()
    for _ in range(20_000):
        one.take("somebody", 1_000_000)
    assert (time.process_time() - begin) / 20_000 < 0.0001


def test_a_key_beyond_its_limit_is_429_and_another_is_not(
    acme: Tenant, api: Callable[..., Client], settings: Any
) -> None:
    settings.RATE_LIMITS = settings.RATE_LIMITS | {"key": 3}
    one, other = api(acme), api(acme)
    assert [one.get(WHOAMI).status_code for _ in range(5)] == [200, 200, 200, 429, 429]
    assert other.get(WHOAMI).status_code == 200
    refused = one.get("/api/2.0/mlflow/runs/get?run_id=x")
    assert refused.status_code == 429
    assert refused.json()["error_code"] == "REQUEST_LIMIT_EXCEEDED"
    assert 1 <= int(refused["Retry-After"]) <= 61


def test_wrong_keys_from_one_address_are_429_before_they_are_looked_at(acme: Tenant, settings: Any) -> None:
    settings.RATE_LIMITS = settings.RATE_LIMITS | {"refused": 3}
    client = Client(headers={"host": "acme.localhost", "authorization": "Bearer wrong", "x-forwarded-for": "10.1.1.1"})
    statuses = [client.get(WHOAMI, headers={"x-forwarded-for": f"10.0.0.{n}"}).status_code for n in range(5)]
    assert statuses == [401, 401, 401, 429, 429]


def test_requests_without_a_credential_are_counted_by_address(acme: Tenant, settings: Any) -> None:
    settings.RATE_LIMITS = settings.RATE_LIMITS | {"address": 2}
    settings.TRUSTED_PROXIES = ()
    client = Client(headers={"host": "acme.localhost"})
    assert [client.get("/admin/login/").status_code for _ in range(3)] == [200, 200, 429]
    assert Client(REMOTE_ADDR="10.0.0.9", headers={"host": "acme.localhost"}).get("/admin/login/").status_code == 200


OPEN = (
    ("POST", "/api/v1/auth/token/"),
    ("GET", "/admin/login/"),
    ("GET", "/api/docs/errors"),
    ("GET", "/ci/maestro"),
    ("GET", "/api/2.0/mlflow/nothing-of-this-kind"),
    ("GET", "/api/3.0/mlflow/server-info"),
    ("GET", "/nothing-here"),
    ("GET", "/api/nothing-here"),
)
MADE_UP = ("Bearer wrong", "Bearer mst_acme_aaaaaaaaaaaa_bbbbbbbbbbbbbbbbbbbbbbbbbbbb", "Basic eDp5", "nonsense")


@pytest.mark.parametrize("credential", MADE_UP)
@pytest.mark.parametrize(("method", "path"), OPEN, ids=[path for _, path in OPEN])
def test_a_made_up_credential_takes_no_request_out_of_the_limits(
    acme: Tenant, settings: Any, method: str, path: str, credential: str
) -> None:
    settings.RATE_LIMITS = settings.RATE_LIMITS | {"address": 3}
    plain = Client(headers={"host": "acme.localhost"})
    dressed = Client(headers={"host": "acme.localhost", "authorization": credential})

    def ask(client: Client) -> int:
        return int(client.generic(method, path, b"{}", content_type="application/json").status_code)

    assert ask(plain) != 429
    # A minute may end in the middle: then three more are let through.
    assert [ask(dressed) for _ in range(8)].count(429) >= 2
    assert ask(plain) == 429


def test_every_open_route_counts_by_address_whatever_it_carries() -> None:
    views = [(route.pattern, route.view) for route in all_routes()]
    guarded = [pattern for pattern, view in views if verifies(view)]
    assert len(guarded) > 60
    assert not [p for p, view in views if verifies(view) and getattr(view, "required_role", None) is None]


def test_wrong_keys_on_the_base_host_are_counted_before_their_tenant_is_looked_up(db: None, settings: Any) -> None:
    settings.RATE_LIMITS = settings.RATE_LIMITS | {"refused": 3}
    key = "Bearer mst_nobody-here_aaaaaaaaaaaa_bbbbbbbbbbbbbbbbbbbbbbbbbbbb"
    client = Client(headers={"host": "localhost", "authorization": key})
    assert [client.get(WHOAMI).status_code for _ in range(5)] == [401, 401, 401, 429, 429]


def test_a_right_key_is_not_counted_by_its_address(acme: Tenant, api: Callable[..., Client], settings: Any) -> None:
    settings.RATE_LIMITS = settings.RATE_LIMITS | {"address": 2}
    client = api(acme)
    assert {client.get(WHOAMI).status_code for _ in range(9)} == {200}
    assert client.get("/api/2.0/mlflow/experiments/get?experiment_id=0").status_code == 200
