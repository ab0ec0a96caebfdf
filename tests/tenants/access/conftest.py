"""What tests of sign-in and of CI jobs share: an issuer of identities, as this process asks it."""

from collections.abc import Iterator
from ipaddress import ip_network
from typing import Any

import pytest

from maestro.oidc import documents
from tests.issuer import Issuer, running_issuer


@pytest.fixture(scope="module")
def running() -> Iterator[Issuer]:
    with running_issuer() as made:
        yield made


@pytest.fixture
def issuer(running: Issuer, settings: Any) -> Issuer:
    """The issuer as new, with a key of its own, and nothing remembered of it."""
    settings.EGRESS_ALLOW = (ip_network("127.0.0.1/32"),)
    documents.clear()
    running.broken, running.says_issuer, running.userinfo = False, "", None
    running.turn_key(keep=False)
    running.hits.clear()
    running.posts.clear()
    return running
