"""A refusal's `type` leads to a page that explains it."""

from collections.abc import Callable

from django.test import Client

from apps.tenants.models import Tenant


def test_the_type_of_a_refusal_is_a_page_with_that_kind(acme: Tenant, api: Callable[..., Client]) -> None:
    client = api(acme)
    refusal = client.get("/api/v1/projects/nowhere/").json()
    address, _, kind = refusal["type"].partition("#")
    page = client.get(address)
    assert page.status_code == 200
    assert f'id="{kind}"'.encode() in page.content
