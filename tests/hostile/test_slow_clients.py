"""Clients that send or read a few bytes a second, or nothing, hold no worker: others are answered meanwhile (R27).

Idle connections and slow headers wait in the web server itself. A slow body would hold one of its threads, so it waits
in the proxy before it, as config/deploy/Caddyfile has it.
"""

import http.client
import json
import socket
import ssl
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from apps.tenants.models import Tenant
from tests import servers
from tests.patience import ANSWER_SECONDS
from tests.web import WebServer, start_web

HEAD = "POST /api/v1/projects/ HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n"
SLOW, ANSWERS, BOUND = 60, 40, 2.0


@pytest.fixture(scope="module")
def two_workers(test_environment: dict[str, str], django_db_setup: None) -> Iterator[WebServer]:
    server = start_web(test_environment, workers=2, threads=4)
    yield server
    server.stop()


def begin(server: WebServer, text: str, authority: str) -> socket.socket:
    """Open a connection, with TLS if an authority is given, and send the beginning of a request."""
    link = socket.create_connection(("127.0.0.1", server.port), timeout=ANSWER_SECONDS)
    if authority:
        link = ssl.create_default_context(cafile=authority).wrap_socket(link, server_hostname="localhost")
    link.sendall(text.encode())
    return link


def trickle(links: list[socket.socket]) -> None:
    """Send a byte on each, as far as the server still listens."""
    for link in links:
        try:
            link.send(b"x")
        except OSError:
            continue


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["idle", "in the headers", "in the body"])
def test_slow_clients_hold_nobody_up(
    two_workers: WebServer, committed: Tenant, key_for: Callable[..., str], kind: str
) -> None:
    key, authority, server = key_for(committed), "", two_workers
    if kind == "in the body":
        proxy = servers.start_caddy(two_workers.port)
        server, authority = replace(two_workers, port=proxy.port), proxy.authority
    head = HEAD.format(key)
    text = {"idle": "", "in the headers": head + "X-Slow: ", "in the body": head + "Content-Length: 1000\r\n\r\n{"}[
        kind
    ]
    links = [begin(server, text, authority) for _ in range(SLOW)]
    times: list[float] = []
    for _ in range(ANSWERS):
        if kind != "idle":
            trickle(links)
        times.append(ask(server, key, authority))
    for link in links:
        link.close()
    told = f"{statistics.median(times) * 1000:.1f} ms in the middle, {max(times) * 1000:.0f} ms at most"
    print(f"{kind}: {len(times)} answers, {told}")
    assert statistics.median(times) < BOUND


def ask(server: WebServer, key: str, authority: str) -> float:
    """Be an honest client. Returns the seconds until the whole answer was there."""
    began = time.monotonic()
    if authority:
        context = ssl.create_default_context(cafile=authority)
        honest: http.client.HTTPConnection = http.client.HTTPSConnection(
            "localhost", server.port, timeout=ANSWER_SECONDS, context=context
        )
    else:
        honest = http.client.HTTPConnection("127.0.0.1", server.port, timeout=ANSWER_SECONDS)
    host = {} if authority else {"Host": "localhost"}
    honest.request("GET", "/api/v1/projects/", headers={"Authorization": f"Bearer {key}"} | host)
    answer = honest.getresponse()
    text = answer.read()
    honest.close()
    assert answer.status == 200, text
    return time.monotonic() - began


READERS, FILE_BYTES = 20, 20_000_000


@pytest.mark.slow
def test_readers_that_do_not_read_hold_nobody_up(
    test_environment: dict[str, str], committed: Tenant, key_for: Callable[..., str]
) -> None:
    """Who is sent a large file holds a thread until it is read, so there are fewer of those than threads."""
    key, server = key_for(committed), start_web(test_environment, workers=2, threads=4)
    try:
        place = brought(server, key)
        links = [begin(server, links_text(place, key), "") for _ in range(READERS)]
        statuses = [link.recv(12)[9:12].decode() for link in links]
        assert {"200", "503"} == set(statuses), statuses
        times = [ask(server, key, "") for _ in range(ANSWERS)]
        assert statistics.median(times) < BOUND
        for link in links:
            link.close()
        deadline = time.monotonic() + ANSWER_SECONDS
        while downloaded(server, key, place) != FILE_BYTES and time.monotonic() < deadline:
            time.sleep(0.2)
        assert [downloaded(server, key, place) for _ in range(READERS)] == [FILE_BYTES] * READERS
    finally:
        server.stop()


def links_text(place: str, key: str) -> str:
    return f"GET {place} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\n\r\n"


def call(
    server: WebServer, key: str, method: str, path: str, body: bytes = b"", kind: str = "application/json"
) -> bytes:
    """Ask; an answer that is a refusal is as short as its words."""
    link = http.client.HTTPConnection("127.0.0.1", server.port, timeout=ANSWER_SECONDS)
    headers = {"Host": "localhost", "Authorization": f"Bearer {key}", "Content-Type": kind}
    link.request(method, path, body=body, headers=headers)
    read = link.getresponse().read()
    link.close()
    return read


def downloaded(server: WebServer, key: str, place: str) -> int:
    """How much of the file comes."""
    return len(call(server, key, "GET", place))


def brought(server: WebServer, key: str) -> str:
    """Bring a large file, and tell where it is."""
    made = json.loads(call(server, key, "POST", "/api/2.0/mlflow/runs/create", b'{"experiment_id": "0"}'))
    folder = made["run"]["info"]["artifact_uri"].partition(":/")[2].lstrip("/")
    place = f"/api/2.0/mlflow-artifacts/artifacts/{folder}/a.bin"
    assert call(server, key, "PUT", place, b"x" * FILE_BYTES, "application/octet-stream") in (b"{}", b"")
    return place
