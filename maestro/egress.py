"""The floor: the only way out of the server: one request to a public https address, and nothing else.

The name is resolved once and the connection goes to that very address, so an answer of the name server can't
change in between. Private addresses need the operator's word: MAESTRO_EGRESS_ALLOW, networks by commas.

Source  SECURITY requirement R10, class P4
"""

import http.client
import io
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urlsplit

from django.conf import settings

from maestro.errors import Invalid, Unavailable
from maestro.http.addresses import IPAddress, parse

REST_SECONDS = 60.0
MOST_PLACES = 1_000
# A name server has no time-out of ours, so who waits for it is not the thread of a request.
RESOLVERS = ThreadPoolExecutor(max_workers=8, thread_name_prefix="resolver")
MOST_BYTES = 64 * 2**10
# Networks whose addresses carry an IPv4 address inside: NAT64, 6to4, Teredo.
CARRIERS = tuple(ipaddress.ip_network(net) for net in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32"))


class AddressRefused(Invalid):
    """The address is not one that this server may call."""

    code = "address_refused"


class NoAnswer(Unavailable):
    """The other server does not answer as it should."""

    code = "no_answer"


@dataclass(frozen=True)
class Fetched:
    """What the other server answered."""

    status: int
    body: bytes
    content_type: str


def is_allowed(address: IPAddress) -> bool:
    """Say whether the operator opened the way to an address that is not public."""
    return any(address in network for network in settings.EGRESS_ALLOW)


def is_public(address: IPAddress) -> bool:
    """Say whether an address is one of the open Internet, in no disguise."""
    if address.is_multicast or not address.is_global:
        return False
    return not any(address in network for network in CARRIERS if network.version == address.version)


def check_url(url: str) -> SplitResult:
    """Take a URL apart. Raises AddressRefused for anything but a plain http(s) address."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise AddressRefused("this is not an address") from error
    plain = parts.scheme in {"https", "http"} and parts.hostname and port != 0
    if not plain or parts.username is not None or parts.password is not None or parts.fragment:
        raise AddressRefused("an address must look like https://host/path, without user or fragment")
    if any(ord(char) <= 32 or ord(char) == 127 for char in url) or "\\" in url:
        raise AddressRefused("the address holds characters that are not allowed")
    return parts


class Failures:
    """Places that did not answer: for a minute nobody waits for them again."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}
        self._lock = threading.Lock()

    def check(self, place: str) -> None:
        """Raise NoAnswer for a place that failed less than a minute ago."""
        if time.monotonic() < self._until.get(place, 0.0):
            raise NoAnswer("it did not answer a moment ago, and is asked again in a minute")

    def note(self, place: str) -> None:
        """Remember that a place failed."""
        with self._lock:
            if len(self._until) >= MOST_PLACES:
                self._until.clear()
            self._until[place] = time.monotonic() + REST_SECONDS

    def clear(self) -> None:
        """Forget everything (tests)."""
        with self._lock:
            self._until.clear()


failures = Failures()


def place_of(url: str) -> str:
    """Name what fails or answers: an address without its query."""
    return url.partition("?")[0]


class Deadline:
    """The end of one exchange: of looking up, connecting, greeting, sending and reading together."""

    def __init__(self, seconds: float) -> None:
        self._at = time.monotonic() + seconds

    def left(self) -> float:
        """How many seconds are left. Raises TimeoutError when none are."""
        left = self._at - time.monotonic()
        if left <= 0:
            raise TimeoutError("the exchange took too long")
        return left


def look_up(host: str, port: int, deadline: Deadline) -> list[str]:
    """Ask the name server, no longer than there is time. Raises NoAnswer."""
    asked = RESOLVERS.submit(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    try:
        found = asked.result(deadline.left())
    except (UnicodeError, OSError, TimeoutError) as error:
        asked.cancel()
        raise NoAnswer("the host has no address") from error
    return [str(entry[4][0]).partition("%")[0] for entry in found]


def resolve(parts: SplitResult, deadline: Deadline) -> tuple[str, IPAddress]:
    """Resolve a host once. Raises AddressRefused if any of its addresses is not ours to call."""
    try:
        host = (parts.hostname or "").encode("idna").decode()
    except UnicodeError as error:
        raise NoAnswer("the host has no address") from error
    addresses = [parse(text) for text in look_up(host, port_of(parts), deadline)]
    usable = [a for a in addresses if a is not None and (is_public(a) or is_allowed(a))]
    if not usable or len(usable) < len(addresses):
        raise AddressRefused("the address is not public; an operator may open it by MAESTRO_EGRESS_ALLOW")
    if parts.scheme == "http" and not is_allowed(usable[0]):
        raise AddressRefused("the address must begin with https://")
    return host, usable[0]


def port_of(parts: SplitResult) -> int:
    """The port of an address, or its scheme's own."""
    return parts.port or (443 if parts.scheme == "https" else 80)


class PinnedConnection(http.client.HTTPSConnection):
    """A connection to one address, whose certificate must be for the name; all of it within one deadline."""

    def __init__(self, host: str, port: int, *, address: IPAddress, tls: bool, deadline: Deadline) -> None:
        super().__init__(host, port)
        self.address, self.tls, self.deadline = address, tls, deadline

    def connect(self) -> None:
        """Connect to the address that was checked, and to no other."""
        self.sock = socket.create_connection((str(self.address), self.port), timeout=self.deadline.left())
        self.sock.settimeout(self.deadline.left())
        if self.tls:
            self.sock = ssl.create_default_context().wrap_socket(self.sock, server_hostname=self.host)
            self.sock.settimeout(self.deadline.left())

    def response_class(self, sock: socket.socket, *args: Any, **kwargs: Any) -> http.client.HTTPResponse:  # type: ignore[override]
        """Read the answer, its headers too, through what looks at the deadline."""
        answer = http.client.HTTPResponse(sock, *args, **kwargs)
        answer.fp = io.BufferedReader(TimedReader(answer.fp.detach(), sock, self.deadline))  # type: ignore[attr-defined]
        return answer


class TimedReader(io.RawIOBase):
    """Reads from a connection, at each piece no longer than its deadline leaves."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, deadline: Deadline) -> None:
        self.raw, self.sock, self.deadline = raw, sock, deadline

    def readable(self) -> bool:
        """It is for reading."""
        return True

    def readinto(self, buffer: Any) -> int | None:
        """Wait for a piece."""
        self.sock.settimeout(self.deadline.left())
        return self.raw.readinto(buffer)  # type: ignore[attr-defined, no-any-return]

    def close(self) -> None:
        """Let go of the connection."""
        self.raw.close()
        super().close()


def fetch(
    url: str,
    *,
    method: str = "GET",
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    most_bytes: int = MOST_BYTES,
) -> Fetched:
    """Send one request and read a bounded answer. Follows no redirect. Raises AddressRefused or NoAnswer.

    All of it together takes `PATIENCE["egress"]` seconds at most. Who did not answer is not asked for a minute.
    """
    parts = check_url(url)
    failures.check(place_of(url))
    try:
        return exchange(parts, method, body=body, headers=headers or {}, most_bytes=most_bytes)
    except NoAnswer:
        failures.note(place_of(url))
        raise


def exchange(
    parts: SplitResult, method: str, *, body: bytes | None, headers: Mapping[str, str], most_bytes: int
) -> Fetched:
    """Look up, connect, send and read, within one deadline. Raises AddressRefused or NoAnswer."""
    with opened(parts, method, body=body, headers=headers) as answer:
        found = read_bounded(answer, most_bytes)
    if 300 <= answer.status < 400:
        raise NoAnswer(f"{parts.hostname} redirects, which is not followed")
    return Fetched(answer.status, found, answer.headers.get("Content-Type", ""))


def check_place(url: str) -> None:
    """Say now what `post` would say later. A host without an address, perhaps for the moment, passes. Raises AddressRefused."""
    parts = check_url(url)
    if not url.isascii():
        raise AddressRefused("write the address in ASCII: a name as xn--…, other characters as %…")
    with suppress(NoAnswer):
        resolve(parts, Deadline(settings.PATIENCE["egress"]))


def post(url: str, body: bytes, headers: Mapping[str, str]) -> int:
    """Send a body, and return the status of the answer, whatever it is; the rest of the answer is not read.

    No redirect is followed, and nothing is remembered of who does not answer. Raises AddressRefused or NoAnswer.
    """
    with opened(check_url(url), "POST", body=body, headers=headers) as answer:
        return answer.status


@contextmanager
def opened(
    parts: SplitResult, method: str, *, body: bytes | None, headers: Mapping[str, str]
) -> Iterator[http.client.HTTPResponse]:
    """Look up, connect and send, and lend the answer, all within one deadline. Raises AddressRefused or NoAnswer."""
    deadline = Deadline(settings.PATIENCE["egress"])
    host, address = resolve(parts, deadline)
    tls = parts.scheme == "https"
    connection = PinnedConnection(host, port_of(parts), address=address, tls=tls, deadline=deadline)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        connection.request(method, target, body=body, headers={"User-Agent": "maestro", **headers})
        yield connection.getresponse()
    except (OSError, http.client.HTTPException) as error:
        raise NoAnswer(f"{host} does not answer: {type(error).__name__}") from error
    finally:
        connection.close()


def read_bounded(answer: http.client.HTTPResponse, most_bytes: int) -> bytes:
    """Read an answer within its bytes. Raises NoAnswer beyond them."""
    pieces, size = [], 0
    while piece := answer.read1(16_384):
        pieces.append(piece)
        size += len(piece)
        if size > most_bytes:
            raise NoAnswer(f"the answer is larger than {most_bytes} bytes")
    return b"".join(pieces)
