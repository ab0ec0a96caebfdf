"""What tests of webhooks share: a receiver on this machine, to which the way is open."""

from collections.abc import Iterator
from ipaddress import ip_network
from typing import Any

import pytest

from apps.tenants.models import Tenant
from apps.tracking.models import Project
from maestro.http.throttling import limiter
from tests.factories.receiving import Receiver, receiving


@pytest.fixture
def receiver(settings: Any) -> Iterator[Receiver]:
    settings.EGRESS_ALLOW = (ip_network("127.0.0.1/32"),)
    with receiving() as told:
        yield told


@pytest.fixture
def project(acme: Tenant) -> Project:
    limiter.clear()
    return Project.objects.create(slug="churn", name="Churn")
