"""What tests of sign-in by an identity provider share."""

import pytest

from apps.tenants.access.models import OidcProvider
from apps.tenants.access.sign_in.sealing import seal
from apps.tenants.models import Tenant
from tests.issuer import Issuer
from tests.tenants.access.sign_in.browsers import SECRET


@pytest.fixture
def provider(acme: Tenant, issuer: Issuer) -> OidcProvider:
    return OidcProvider.objects.create(
        slug="work",
        name="Work",
        issuer=issuer.url,
        client_id="maestro",
        sealed_secret=seal(SECRET),
        group_roles={"ml-leads": "approver", "ml": "contributor", "bosses": "admin"},
    )
