"""Where a request comes from, whatever it claims."""

from ipaddress import ip_network
from typing import Any

import pytest
from django.test import RequestFactory

from maestro.http.addresses import client_address, drop_untrusted_headers, group_of

PROXY = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))


def seen(peer: str, forwarded: str) -> str:
    request = RequestFactory().get("/", REMOTE_ADDR=peer, HTTP_X_FORWARDED_FOR=forwarded)
    drop_untrusted_headers(request)
    return client_address(request)


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("192.0.2.7", "198.51.100.1", "192.0.2.7"),
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "127.0.0.1, 198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "127.0.0.1, 198.51.100.1, 10.2.3.4", "198.51.100.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "evil, 10.0.0.2", "10.0.0.2"),
        ("10.0.0.1", "198.51.100.1, <script>", "10.0.0.1"),
        ("fd00::1", "2001:db8::5", "2001:db8::5"),
        ("::ffff:192.0.2.7", "198.51.100.1", "192.0.2.7"),
        ("", "198.51.100.1", ""),
    ],
)
def test_only_our_own_proxies_are_believed(settings: Any, peer: str, forwarded: str, client: str) -> None:
    settings.TRUSTED_PROXIES = PROXY
    assert seen(peer, forwarded) == client


def test_without_proxies_nobody_is_believed(settings: Any) -> None:
    settings.TRUSTED_PROXIES = ()
    assert seen("127.0.0.1", "198.51.100.1") == "127.0.0.1"


def test_a_forged_scheme_is_dropped_too(settings: Any) -> None:
    settings.TRUSTED_PROXIES = PROXY
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    request = RequestFactory().get("/", REMOTE_ADDR="192.0.2.7", HTTP_X_FORWARDED_PROTO="https")
    drop_untrusted_headers(request)
    assert not request.is_secure()


def test_one_customers_ipv6_addresses_are_one_group() -> None:
    assert group_of("2001:db8:1:2::5") == group_of("2001:db8:1:2:ffff::1") != group_of("2001:db8:1:3::1")
    assert group_of("192.0.2.7") == "192.0.2.7"
