"""Ports: free ones are found, a taken one is named with the way out."""

import socket
import subprocess
import sys

import pytest

from maestro.embedded import ports
from maestro.embedded.errors import CannotStart
from maestro.embedded.supervisor import PROJECT
from tests.ports import claim_ports


def listening() -> socket.socket:
    server = socket.create_server((ports.HOST, 0))
    server.listen()
    return server


def test_free_ports_are_different_and_below_the_range_of_clients() -> None:
    found = ports.free_ports(8)
    assert len(set(found)) == 8
    assert all(ports.LOWEST <= port < ports.HIGHEST for port in found)


def test_a_taken_port_is_named_with_the_way_out() -> None:
    with listening() as server:
        port = server.getsockname()[1]
        with pytest.raises(CannotStart) as refusal:
            ports.require_free(port, "MAESTRO_PORT", "make demo")
    assert f"Port {port}" in str(refusal.value)
    assert f"`MAESTRO_PORT={port + 1} make demo`" in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_listener_on_the_other_localhost_is_noticed() -> None:
    try:
        server = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("this machine has no IPv6")
    with server:
        port = server.getsockname()[1]
        assert ports.is_taken_on_ipv6(port)
    assert not ports.is_taken_on_ipv6(port)


@pytest.mark.parametrize("port", [0, -1, 65_536, 10**9])
def test_a_number_that_is_no_port_is_refused(port: int) -> None:
    with pytest.raises(CannotStart, match="from 1 to 65535"):
        ports.require_free(port, "MAESTRO_PORT", "make demo")


def test_the_port_of_the_last_run_is_kept_while_it_is_free() -> None:
    (port,) = ports.free_ports(1)
    assert ports.same_or_free(port) == port
    with listening() as server:
        assert ports.same_or_free(server.getsockname()[1]) != server.getsockname()[1]


def test_a_port_that_a_test_run_has_claimed_is_no_others_before_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = claim_ports(3)
    monkeypatch.setattr(ports, "LOWEST", taken[0])
    monkeypatch.setattr(ports, "HIGHEST", taken[0] + 1)
    assert ports.free_ports(1) == taken[:1]
    asks = f"from tests.ports import claim; print(claim({taken[0]}), claim({taken[0]}))"
    done = subprocess.run([sys.executable, "-c", asks], capture_output=True, text=True, check=True, cwd=PROJECT)
    assert done.stdout.split() == ["False", "False"]
    with pytest.raises(CannotStart, match="claimed"):
        claim_ports(1)
