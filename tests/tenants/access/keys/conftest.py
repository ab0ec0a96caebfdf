"""What tests of CI jobs share: an issuer of identities, a server that may call it, a publisher that is trusted."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from apps.tenants.access.models import TrustedPublisher
from apps.tenants.models import Tenant
from apps.tracking.models import Project
from tests.issuer import Issuer, running_issuer
from tests.tenants.access.keys.jobs import PUBLISHERS, REPOSITORY, Door
from tests.web import WebServer, start_web

CLAIMS = {"repository_id": "1", "repository_owner_id": "2", "ref": "refs/heads/main"}


@pytest.fixture(scope="module")
def ci_issuer() -> Iterator[Issuer]:
    """An issuer whose keys stay: the server of these tests remembers them."""
    with running_issuer() as made:
        yield made


@pytest.fixture(scope="module")
def server(test_environment: dict[str, str], django_db_setup: None) -> Iterator[WebServer]:
    made = start_web(test_environment | {"MAESTRO_EGRESS_ALLOW": "127.0.0.1/32"})
    yield made
    made.stop()


@pytest.fixture
def trusted(committed: Tenant, ci_issuer: Issuer) -> TrustedPublisher:
    project = Project.objects.create(slug="churn", name="Churn")
    return TrustedPublisher.objects.create(
        name="main",
        kind="github",
        issuer=ci_issuer.url,
        audience=f"maestro:{committed.slug}",
        claims=CLAIMS,
        project_id=project.id,
    )


@pytest.fixture
def trust(acme: Tenant, api: Door, issuer: Issuer) -> Callable[..., Any]:
    Project.objects.create(slug="churn", name="Churn")

    def make(**fields: Any) -> Any:
        wish = {"name": "main branch", "kind": "github", "issuer": issuer.url, "claims": REPOSITORY, "project": "churn"}
        return api(acme, "admin").post(PUBLISHERS, wish | fields, content_type="application/json")

    return make
