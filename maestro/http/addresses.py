"""The floor: where a request comes from. Forwarded headers count only when a trusted proxy wrote them.

Without MAESTRO_TRUSTED_PROXIES the peer is the client, and every forwarded header is dropped before anyone reads it.
"""

import ipaddress
from functools import lru_cache

from django.conf import settings
from django.http import HttpRequest

FORWARDED = (
    "HTTP_X_FORWARDED_FOR",
    "HTTP_X_FORWARDED_PROTO",
    "HTTP_X_FORWARDED_HOST",
    "HTTP_X_FORWARDED_PORT",
    "HTTP_FORWARDED",
    "HTTP_X_REAL_IP",
)
IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


@lru_cache(maxsize=4096)
def parse(text: str) -> IPAddress | None:
    """Read an address, or None. An IPv4 address in IPv6 clothes counts as IPv4."""
    try:
        address = ipaddress.ip_address(text.strip())
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address


def is_trusted(address: IPAddress | None) -> bool:
    """Say whether an address is one of our own proxies."""
    return address is not None and any(address in network for network in settings.TRUSTED_PROXIES)


def drop_untrusted_headers(request: HttpRequest) -> None:
    """Forget forwarded headers that no proxy of ours wrote."""
    if not is_trusted(parse(request.META.get("REMOTE_ADDR", ""))):
        for name in FORWARDED:
            request.META.pop(name, None)


def client_address(request: HttpRequest) -> str:
    """Name the client: the last hop before our own proxies, which no client can forge. Empty if unknown."""
    found = parse(request.META.get("REMOTE_ADDR", ""))
    if is_trusted(found):
        for hop in reversed(request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")):
            address = parse(hop)
            if address is None:
                break
            found = address
            if not is_trusted(address):
                break
    return str(found) if found else ""


def group_of(address: str) -> str:
    """Name what limits count by: an IPv4 address, or the /64 that one IPv6 customer commands."""
    found = parse(address)
    if isinstance(found, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((found, 64), strict=False))
    return address or "unknown"
