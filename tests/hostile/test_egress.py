"""The server can't be sent anywhere that is not a public https address."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from maestro import egress
from maestro.egress import AddressRefused, NoAnswer, fetch
from maestro.errors import MaestroError


@pytest.fixture(autouse=True)
def nothing_known() -> None:
    egress.failures.clear()


class Canary(BaseHTTPRequestHandler):
    hits: list[str] = []

    def do_GET(self) -> None:
        Canary.hits.append(self.path)
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/here")
            self.end_headers()
            return
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"x" * (100_000 if self.path == "/large" else 10))

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def canary() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Canary)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


SPELLINGS = [
    "http://127.0.0.1:{p}/",
    "https://127.0.0.1:{p}/",
    "http://localhost:{p}/",
    "http://127.1:{p}/",
    "http://0x7f000001:{p}/",
    "http://2130706433:{p}/",
    "http://0177.0.0.1:{p}/",
    "http://0.0.0.0:{p}/",
    "http://[::1]:{p}/",
    "http://[::]:{p}/",
    "http://[::ffff:127.0.0.1]:{p}/",
    "http://[::ffff:7f00:1]:{p}/",
    "http://①②⑦.⓪.⓪.①:{p}/",
    "http://127.0.0.1.:{p}/",
    "http://a@127.0.0.1:{p}/",
    "http://example.com@127.0.0.1:{p}/",
    "http://127.0.0.1:{p}#@example.com/",
    "http://127.0.0.1\\@example.com:{p}/",
    "https://169.254.169.254/latest/meta-data/",
    "https://10.0.0.1/",
    "https://[fd00::1]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[2002:7f00:1::]/",
    "https://224.0.0.1/",
    "https://100.64.0.1/",
    "file:///etc/passwd",
    "ftp://127.0.0.1:{p}/",
    "gopher://127.0.0.1:{p}/",
    "//127.0.0.1:{p}/",
    "http://",
    "",
    "http://127.0.0.1:99999/",
    "http://[::1",
    "https://exa mple.com/",
    "https://example.com/\r\nX: y",
]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_no_spelling_of_a_private_address_is_called(canary: int, spelling: str) -> None:
    Canary.hits.clear()
    with pytest.raises(MaestroError) as refused:
        fetch(spelling.format(p=canary))
    assert isinstance(refused.value, AddressRefused | NoAnswer)
    assert Canary.hits == []


def test_an_operator_may_open_a_private_address(canary: int, settings: Any) -> None:
    settings.EGRESS_ALLOW = (ip_network("127.0.0.1/32"),)
    assert fetch(f"http://127.0.0.1:{canary}/here").body == b"x" * 10


def test_a_redirect_is_not_followed(canary: int, settings: Any) -> None:
    settings.EGRESS_ALLOW = (ip_network("127.0.0.1/32"),)
    Canary.hits.clear()
    with pytest.raises(NoAnswer, match="redirects"):
        fetch(f"http://127.0.0.1:{canary}/moved")
    assert Canary.hits == ["/moved"]


def test_a_large_answer_is_cut(canary: int, settings: Any) -> None:
    settings.EGRESS_ALLOW = (ip_network("127.0.0.1/32"),)
    with pytest.raises(NoAnswer, match="larger"):
        fetch(f"http://127.0.0.1:{canary}/large")


class Drip(threading.Thread):
    """A server that sends what it is given a byte at a time, for longer than anybody should wait."""

    def __init__(self, words: bytes) -> None:
        super().__init__(daemon=True)
        self.words, self.asked, self.done = words, 0, threading.Event()
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]

    def run(self) -> None:
        """Serve one after the other."""
        with suppress(OSError):
            while True:
                link, _ = self.socket.accept()
                self.asked += 1
                with link, suppress(OSError):
                    for number in range(len(self.words)):
                        link.sendall(self.words[number : number + 1])
                        if self.done.wait(0.05):
                            return

    def stop(self) -> None:
        """End it."""
        self.done.set()
        self.socket.close()


SLOW = {
    "headers": b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 400,
    "body": b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 400,
    "chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 80,
    "greeting": b"\x16\x03\x03\x3f\xff\x02" + b"x" * 400,
}


@pytest.mark.parametrize("part", SLOW)
def test_the_time_out_is_for_the_whole_exchange_and_a_failure_is_remembered(part: str, settings: Any) -> None:
    settings.EGRESS_ALLOW = (ip_network("127.0.0.1/32"),)
    settings.PATIENCE = settings.PATIENCE | {"egress": 0.6}
    server = Drip(SLOW[part])
    server.start()
    try:
        url = f"{'https' if part == 'greeting' else 'http'}://127.0.0.1:{server.port}/keys"
        begin = time.monotonic()
        with pytest.raises(NoAnswer):
            fetch(url)
        assert time.monotonic() - begin < 5
        begin = time.monotonic()
        for query in ("", "?again"):
            with pytest.raises(NoAnswer, match="a moment ago"):
                fetch(url + query)
        assert time.monotonic() - begin < 0.3
        assert server.asked == 1
    finally:
        server.stop()


def test_a_name_server_that_does_not_answer_is_left(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    waits = threading.Event()
    settings.PATIENCE = settings.PATIENCE | {"egress": 0.2}
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: waits.wait(20) and [])
    begin = time.monotonic()
    with pytest.raises(NoAnswer):
        fetch("https://slow.example/")
    assert time.monotonic() - begin < 5
    waits.set()


def test_a_failure_is_forgotten_after_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    known = egress.Failures()
    known.note("https://idp.example/keys")
    with pytest.raises(NoAnswer):
        known.check("https://idp.example/keys")
    known.check("https://idp.example/other")
    later = time.monotonic() + egress.REST_SECONDS + 1
    monkeypatch.setattr(time, "monotonic", lambda: later)
    known.check("https://idp.example/keys")


def test_a_server_that_never_answers_is_left(settings: Any) -> None:
    settings.EGRESS_ALLOW = (ip_network("127.0.0.1/32"),)
    settings.PATIENCE = settings.PATIENCE | {"egress": 0.2}
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(NoAnswer):
        fetch(f"http://127.0.0.1:{silent.getsockname()[1]}/")


@pytest.mark.parametrize("text", ["8.8.8.8", "2606:4700::1111", "1.1.1.1"])
def test_a_public_address_is_public(text: str) -> None:
    assert egress.is_public(ip_address(text))
