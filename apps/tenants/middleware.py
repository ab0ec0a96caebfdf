"""The tenants room's door: puts each request into its tenant, or refuses it.

Order: host, tenant, state, schema head. On the base host a credential's own text names the tenant, and so does the
unguessable address that a forge delivers to.
"""

import base64
import binascii
import re
from collections.abc import Callable
from typing import Any

import orjson
from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.http import HttpResponse

from apps.tenants import routing, template
from apps.tenants.models import Tenant
from maestro.api.errors import as_refusal
from maestro.database.session import connection
from maestro.errors import MaestroError, NotFound, TooMany, Unauthenticated, Unavailable
from maestro.http.pages import page, refusal
from maestro.http.requests import TenantRequest
from maestro.http.throttling import check_refused, count_address, count_refused, count_unchecked

KEY = re.compile(r"mst_([a-z0-9-]{2,40})_[a-z0-9]{8,32}_[A-Za-z0-9_-]{20,100}")
JWT = re.compile(r"[A-Za-z0-9_-]{4,500}\.([A-Za-z0-9_-]{4,4000})\.[A-Za-z0-9_-]{4,1000}")
SLUG = re.compile(r"[a-z0-9-]{2,40}")
HOOK = re.compile(r"/hooks/mhk_([a-z0-9-]{2,40})_[A-Za-z0-9_-]{32,64}/")
DOORS = ("/api/", "/ajax-api/", "/v1/")
Answer = Callable[[TenantRequest], HttpResponse]


def key_text(request: TenantRequest) -> str:
    """Find a credential: a Bearer token, or the password of Basic. Empty if there is none."""
    scheme, _, value = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic":
        try:
            _, _, password = base64.b64decode(value.strip(), validate=True).decode().partition(":")
        except (binascii.Error, ValueError):
            return ""
        return password
    return ""


def slug_in_key(text: str) -> str | None:
    """Read the tenant's slug out of a key or of a person's token, unverified; None if it is neither."""
    if match := KEY.fullmatch(text):
        return match[1]
    if match := JWT.fullmatch(text):
        return slug_in_payload(match[1])
    return None


def slug_in_payload(payload: str) -> str | None:
    """Read the audience of a token's payload. Only who verifies the token may believe it."""
    try:
        claims = orjson.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except ValueError:
        return None
    slug = claims.get("aud") if isinstance(claims, dict) else None
    return slug if isinstance(slug, str) and SLUG.fullmatch(slug) else None


class TenantMiddleware:
    """Chooses the tenant before anything else asks the database."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: TenantRequest) -> HttpResponse:
        """Serve one request inside its tenant."""
        try:
            self.enter(request)
        except Exception as error:  # noqa: BLE001 every failure here is answered in the door's own format
            return refusal(request, as_refusal(error))
        return self.get_response(request)

    def process_view(self, request: TenantRequest, view: Any, args: Any, kwargs: Any) -> HttpResponse | None:
        """Let no credential that nobody looks at take a request out of the limits."""
        try:
            count_unchecked(request, view)
        except TooMany as error:
            return refusal(request, error)
        return None

    def process_exception(self, request: TenantRequest, error: Exception) -> HttpResponse | None:
        """Answer a rule's refusal that a page's view let through."""
        return page(request, error) if isinstance(error, MaestroError) else None

    def enter(self, request: TenantRequest) -> None:
        """Set request.tenant, the URLs and the connection. Raises NotFound, TooMany or Unavailable."""
        request.tenant = None
        connection.set_schema_to_public()
        if "HTTP_AUTHORIZATION" in request.META:
            check_refused(request)
        else:
            count_address(request)
        try:
            tenant = self.tenant_for(request, host_of(request))
        except Unauthenticated:
            count_refused(request)
            raise
        request.tenant = tenant
        if tenant is None:
            request.urlconf = settings.PUBLIC_SCHEMA_URLCONF
            return
        if not tenant.is_active:
            raise Unavailable(f"this tenant is {tenant.state}", f"tenant_{tenant.state}")
        if tenant.schema_head != template.current_head():
            raise Unavailable("this tenant waits for its migrations: run `manage.py migrate_tenants`", "schema_behind")
        connection.set_tenant(tenant)

    def tenant_for(self, request: TenantRequest, host: str) -> Tenant | None:
        """Choose by host; on the base host, by credential or hook. One tenant's key never works on another's host."""
        slug = slug_in_key(key_text(request))
        if not routing.is_base_host(host):
            tenant = routing.by_host(host)
            if tenant is None:
                raise NotFound("no tenant has this host", "unknown_host")
            if slug is not None and slug != tenant.slug:
                raise Unauthenticated("this key is not valid here")
            return tenant
        if not request.path.startswith(DOORS):
            return hooked(request.path)
        if "HTTP_AUTHORIZATION" not in request.META:
            slug = named_tenant(request)
        if slug is None:
            return None
        tenant = routing.by_slug(slug)
        if tenant is None:
            raise Unauthenticated("this key is not valid")
        return tenant


def hooked(path: str) -> Tenant | None:
    """Choose by the address that a forge delivers to; None for a page."""
    match = HOOK.fullmatch(path)
    return routing.by_slug(match[1]) if match else None


def named_tenant(request: TenantRequest) -> str | None:
    """Read X-Maestro-Tenant: where somebody without a credential yet asks to be let in."""
    slug = request.META.get("HTTP_X_MAESTRO_TENANT", "")
    return slug if SLUG.fullmatch(slug) else None


def host_of(request: TenantRequest) -> str:
    """Read the host without its port. Raises NotFound for one that is not ours."""
    try:
        host = request.get_host()
    except DisallowedHost as error:
        raise NotFound("no tenant has this host", "unknown_host") from error
    return re.sub(r":[0-9]+\Z", "", host)
