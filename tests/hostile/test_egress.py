"""The server can't be sent anywhere that is not a public https address."""

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from maestro import egress
from maestro.egress import AddressRefused, NoAnswer, fetch
from maestro.errors import MaestroError


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


def test_a_server_that_never_answers_is_left(settings: Any) -> None:
    settings.EGRESS_ALLOW = (ip_network("127.0.0.1/32"),)
    settings.PATIENCE = settings.PATIENCE | {"egress": 0.2}
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(NoAnswer):
        fetch(f"http://127.0.0.1:{silent.getsockname()[1]}/")


@pytest.mark.parametrize("text", ["8.8.8.8", "2606:4700::1111", "1.1.1.1"])
def test_a_public_address_is_public(text: str) -> None:
    assert egress.is_public(ip_address(text))
