"""The floor: the only way out of the server: one request to a public https address, and nothing else.

The name is resolved once and the connection goes to that very address, so an answer of the name server can't
change in between. Private addresses need the operator's word: MAESTRO_EGRESS_ALLOW, networks by commas.

Source  SECURITY requirement R10, class P4
"""

import http.client
import ipaddress
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from django.conf import settings

from maestro.errors import Invalid, Unavailable
from maestro.http.addresses import IPAddress, parse

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


def resolve(parts: SplitResult) -> tuple[str, IPAddress]:
    """Resolve a host once. Raises AddressRefused if any of its addresses is not ours to call."""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        host = (parts.hostname or "").encode("idna").decode()
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (UnicodeError, OSError) as error:
        raise NoAnswer("the host has no address") from error
    addresses = [parse(str(entry[4][0]).partition("%")[0]) for entry in found]
    usable = [a for a in addresses if a is not None and (is_public(a) or is_allowed(a))]
    if not usable or len(usable) < len(addresses):
        raise AddressRefused("the address is not public; an operator may open it by MAESTRO_EGRESS_ALLOW")
    if parts.scheme == "http" and not is_allowed(usable[0]):
        raise AddressRefused("the address must begin with https://")
    return host, usable[0]


class PinnedConnection(http.client.HTTPSConnection):
    """A connection to one address, whose certificate must be for the name."""

    def __init__(self, host: str, port: int, *, address: IPAddress, tls: bool) -> None:
        super().__init__(host, port, timeout=settings.PATIENCE["egress"])
        self.address, self.tls = address, tls

    def connect(self) -> None:
        """Connect to the address that was checked, and to no other."""
        plain = socket.create_connection((str(self.address), self.port), timeout=self.timeout)
        self.sock = ssl.create_default_context().wrap_socket(plain, server_hostname=self.host) if self.tls else plain


def fetch(
    url: str,
    *,
    method: str = "GET",
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    most_bytes: int = MOST_BYTES,
) -> Fetched:
    """Send one request and read a bounded answer. Follows no redirect. Raises AddressRefused or NoAnswer."""
    parts = check_url(url)
    host, address = resolve(parts)
    tls = parts.scheme == "https"
    connection = PinnedConnection(host, parts.port or (443 if tls else 80), address=address, tls=tls)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    deadline = time.monotonic() + settings.PATIENCE["egress"]
    try:
        connection.request(method, target, body=body, headers={"User-Agent": "maestro", **(headers or {})})
        answer = connection.getresponse()
        found = read_bounded(answer, most_bytes, deadline)
    except (OSError, http.client.HTTPException) as error:
        raise NoAnswer(f"{host} does not answer: {type(error).__name__}") from error
    finally:
        connection.close()
    if 300 <= answer.status < 400:
        raise NoAnswer(f"{host} redirects, which is not followed")
    return Fetched(answer.status, found, answer.headers.get("Content-Type", ""))


def read_bounded(answer: http.client.HTTPResponse, most_bytes: int, deadline: float) -> bytes:
    """Read an answer within its bytes and its time. Raises NoAnswer beyond either."""
    pieces, size = [], 0
    while piece := answer.read1(16_384):
        pieces.append(piece)
        size += len(piece)
        if size > most_bytes:
            raise NoAnswer(f"the answer is larger than {most_bytes} bytes")
        if time.monotonic() > deadline:
            raise NoAnswer("the answer takes too long")
    return b"".join(pieces)
