"""The tenants room: which tenant a request is for.

An exact host row decides. On the base host an API key's own text names the tenant, so that machines need one
URL for all. Found tenants are kept in the process for a few seconds.
"""

import threading
import time
from collections.abc import Callable
from typing import Any

from django.conf import settings

from apps.tenants.models import Domain, Tenant
from maestro.database.session import connection
from maestro.errors import NotFound

KEEP_SECONDS = 5.0
MOST = 4096

_found: dict[str, tuple[float, Tenant | None]] = {}
_lock = threading.Lock()


def by_host(host: str) -> Tenant | None:
    """Fetch the tenant of a host, or None."""
    return remember(f"host:{host}", lambda: row_of_host(host))


def by_slug(slug: str) -> Tenant | None:
    """Fetch the tenant of a slug, or None."""
    return remember(f"slug:{slug}", lambda: Tenant.objects.filter(slug=slug).first())


def row_of_host(host: str) -> Tenant | None:
    """Read the tenant of a host, as it stands in the table."""
    row = Domain.objects.select_related("tenant").filter(domain=host).first()
    return row.tenant if row else None


def remember(name: str, fetch: Callable[[], Tenant | None]) -> Tenant | None:
    """Answer from memory, or ask the public schema and keep the answer (a miss as well)."""
    kept = _found.get(name)
    now = time.monotonic()
    if kept and now < kept[0]:
        return kept[1]
    connection.set_schema_to_public()
    tenant = fetch()
    with _lock:
        if len(_found) >= MOST:
            _found.clear()
        _found[name] = (now + KEEP_SECONDS, tenant)
    return tenant


def this_tenant() -> Tenant:
    """Name the tenant that this thread's connection stands in. Raises NotFound in the public schema."""
    tenant: Any = connection.tenant  # type: ignore[attr-defined]
    if not isinstance(tenant, Tenant):
        raise NotFound("use your tenant's host, or name it in the header X-Maestro-Tenant", "no_tenant")
    return tenant


def forget() -> None:
    """Drop what is remembered (tests, and after a tenant changed in this process)."""
    with _lock:
        _found.clear()


def is_base_host(host: str) -> bool:
    """Say whether a host is Maestro's own, without a tenant."""
    return host == settings.BASE_HOST or host in settings.BASE_HOST_ALIASES
