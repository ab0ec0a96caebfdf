"""The access room's pages: what the sign-in page offers beside a password."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest

from apps.tenants.access.models import OidcProvider


def sign_in_ways(request: HttpRequest) -> dict[str, Callable[[], list[Any]]]:
    """Offer the tenant's providers to templates; nothing is asked unless a template shows them."""

    def ways() -> list[Any]:
        if getattr(request, "tenant", None) is None:
            return []
        return list(OidcProvider.objects.filter(is_enabled=True).only("slug", "name"))

    return {"sign_in_ways": ways}
