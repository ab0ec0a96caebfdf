"""The tenants room's door: puts each request into its tenant, or refuses it.

Order: request id, host, tenant, state, schema head. Nothing is read from forwarded headers unless a proxy is trusted.
"""

import base64
import binascii
import re
import uuid
from collections.abc import Callable

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.db import connection
from django.http import HttpRequest, HttpResponse

from apps.tenants import routing, template
from apps.tenants.models import Tenant
from maestro.api.errors import as_refusal, problem_response
from maestro.errors import Invalid, MaestroError, NotFound, Unauthenticated, Unavailable
from maestro.mlflow.errors import is_mlflow_path, mlflow_response

KEY = re.compile(r"mst_([a-z0-9-]{2,40})_[a-z0-9]{8,32}_[A-Za-z0-9_-]{20,100}")
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
Answer = Callable[[HttpRequest], HttpResponse]


def key_text(request: HttpRequest) -> str:
    """Find an API key: a Bearer token, or the password of Basic. Empty if there is none."""
    scheme, _, value = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic":
        try:
            _, _, password = base64.b64decode(value.strip(), validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return ""
        return password
    return ""


def slug_in_key(text: str) -> str | None:
    """Read the tenant's slug out of a key's text, or None if it is no key."""
    match = KEY.fullmatch(text)
    return match[1] if match else None


class TenantMiddleware:
    """Chooses the tenant before anything else runs, and leaves the connection in public afterwards."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Serve one request inside its tenant."""
        given = request.META.get("HTTP_X_REQUEST_ID", "")
        request.request_id = given if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        try:
            self.enter(request)
        except Exception as error:  # noqa: BLE001 every failure here is answered in the door's own format
            response = self.refuse(request, as_refusal(error))
        else:
            response = self.get_response(request)
        response.headers["X-Request-Id"] = request.request_id
        return response

    def enter(self, request: HttpRequest) -> None:
        """Set request.tenant, the URLs and the connection. Raises NotFound, Forbidden or Unavailable."""
        connection.set_schema_to_public()
        check_address(request)
        try:
            host = request.get_host().rpartition(":")[0] or request.get_host()
        except DisallowedHost as error:
            raise NotFound("no tenant has this host", "unknown_host") from error
        tenant = self.tenant_for(request, host)
        request.tenant = tenant
        if tenant is None:
            request.urlconf = settings.PUBLIC_SCHEMA_URLCONF
            return
        if not tenant.is_active:
            raise Unavailable(f"this tenant is {tenant.state}", f"tenant_{tenant.state}")
        if tenant.schema_head != template.current_head():
            raise Unavailable("this tenant waits for its migrations: run `manage.py migrate_tenants`", "schema_behind")
        connection.set_tenant(tenant)

    def tenant_for(self, request: HttpRequest, host: str) -> Tenant | None:
        """Choose by host; on the base host, by key. A key of one tenant never works on another's host."""
        slug = slug_in_key(key_text(request))
        if not routing.is_base_host(host):
            tenant = routing.by_host(host)
            if tenant is None:
                raise NotFound("no tenant has this host", "unknown_host")
            if slug is not None and slug != tenant.slug:
                raise Unauthenticated("this key is not valid here")
            return tenant
        if slug is None or not request.path.startswith(("/api/", "/ajax-api/", "/v1/")):
            return None
        tenant = routing.by_slug(slug)
        if tenant is None:
            raise Unauthenticated("this key is not valid")
        return tenant

    def refuse(self, request: HttpRequest, error: MaestroError) -> HttpResponse:
        """Answer in the format of the door that was knocked at."""
        if is_mlflow_path(request.path):
            return mlflow_response(error)
        return problem_response(error, request)


def check_address(request: HttpRequest) -> None:
    """Refuse NUL and other controls in paths and query strings, once for all doors."""
    raw = request.path + request.META.get("QUERY_STRING", "")
    if any(ord(char) < 32 or ord(char) == 127 or 0xD800 <= ord(char) <= 0xDFFF for char in raw) or "%00" in raw:
        raise Invalid("the address holds characters that are not allowed", "bad_address")
