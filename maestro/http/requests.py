"""The floor: a request as Maestro's doors see it, after the tenant middleware has run."""

from typing import Any

from django.http import HttpRequest


class TenantRequest(HttpRequest):
    """A request that knows its tenant (None on the base host without a key) and its id."""

    tenant: Any
    request_id: str
