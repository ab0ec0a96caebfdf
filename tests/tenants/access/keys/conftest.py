"""What tests of CI jobs share: an issuer of identities, a server that may call it, a publisher that is trusted."""

from collections.abc import Iterator

import pytest

from apps.tenants.access.models import TrustedPublisher
from apps.tenants.models import Tenant
from apps.tracking.models import Project
from tests.issuer import Issuer, running_issuer
from tests.web import WebServer, start_web

CLAIMS = {"repository_id": "1", "repository_owner_id": "2", "ref": "refs/heads/main"}


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with running_issuer() as made:
        yield made


@pytest.fixture(scope="module")
def server(test_environment: dict[str, str], django_db_setup: None) -> Iterator[WebServer]:
    made = start_web(test_environment | {"MAESTRO_EGRESS_ALLOW": "127.0.0.1/32"})
    yield made
    made.stop()


@pytest.fixture
def trusted(committed: Tenant, issuer: Issuer) -> TrustedPublisher:
    project = Project.objects.create(slug="churn", name="Churn")
    return TrustedPublisher.objects.create(
        name="main",
        kind="github",
        issuer=issuer.url,
        audience=f"maestro:{committed.slug}",
        claims=CLAIMS,
        project_id=project.id,
    )
