"""The access room: from a request's credentials to a Principal, for every API door.

A key's answer is kept in the process for at most 5 s, which is how long a revocation may take to bite. A
person's token is checked against the person each time.
"""

import hashlib
import threading
import time
from typing import cast

from django.conf import settings
from django.db import connection
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from apps.tenants.access.keys import tokens
from apps.tenants.access.models import ApiKey
from apps.tenants.access.models.keys import split_text
from apps.tenants.middleware import key_text
from maestro import peppers
from maestro.errors import Unauthenticated
from maestro.http.requests import TenantRequest
from maestro.http.throttling import count_refused, limiter
from maestro.principals import Principal

KEEP_SECONDS = 5.0
MOST = 10_000
TOUCH_SECONDS = 60
REFUSAL = "this key is not valid"

_kept: dict[bytes, tuple[float, Principal]] = {}
_lock = threading.Lock()


def forget_keys() -> None:
    """Drop what is remembered (tests; and a process that has just revoked a key)."""
    with _lock:
        _kept.clear()


def principal_for(text: str) -> Principal:
    """Check a key or a person's token in the current tenant. Raises Unauthenticated, always with the same words."""
    if "." in text:
        return tokens.principal_of(text)
    schema: str = connection.schema_name  # type: ignore[attr-defined]
    name = hashlib.sha256(f"{schema}\0{text}".encode(errors="surrogatepass")).digest()
    kept = _kept.get(name)
    if kept and time.monotonic() < kept[0]:
        return kept[1]
    principal = look_up(text, schema)
    with _lock:
        if len(_kept) >= MOST:
            _kept.clear()
        _kept[name] = (time.monotonic() + KEEP_SECONDS, principal)
    return principal


def look_up(text: str, schema: str) -> Principal:
    """Fetch a key by id and compare its secret. A missing key costs the same digest as a wrong one."""
    parts = split_text(text)
    tenant = connection.tenant  # type: ignore[attr-defined]
    if parts is None or parts[0] != getattr(tenant, "slug", None):
        raise Unauthenticated(REFUSAL)
    _, identity, secret = parts
    key = ApiKey.objects.filter(pk=identity).first()
    at = timezone.now()
    if key is None:
        peppers.fitting(b"", secret)
        raise Unauthenticated(REFUSAL)
    if not key.matches(secret) or not key.is_valid(at):
        raise Unauthenticated(REFUSAL)
    if key.last_used_at is None or (at - key.last_used_at).total_seconds() > TOUCH_SECONDS:
        ApiKey.objects.filter(pk=key.pk).update(last_used_at=at)
    return Principal(
        kind=key.kind,
        id=key.pk,
        name=key.name,
        role=key.role,
        schema=schema,
        projects=None if key.project_id is None else [key.project_id],
        scopes=frozenset(key.scopes),
    )


class KeyAuthentication(BaseAuthentication):
    """Reads a credential from Bearer or Basic. Cookies are never read, so no page of a stranger can act."""

    def authenticate(self, request: Request) -> tuple[Principal, str] | None:
        """Return (principal, "key"), or None without credentials. Raises Unauthenticated or TooMany."""
        http = cast(TenantRequest, request._request)
        if "HTTP_AUTHORIZATION" not in http.META:
            return None
        try:
            if http.tenant is None:
                raise Unauthenticated(REFUSAL)
            principal = principal_for(key_text(http))
        except Unauthenticated:
            count_refused(http)
            raise
        kind = "person" if principal.kind == "person" else "key"
        limiter.take(f"{principal.schema}:{principal.kind}:{principal.id}", settings.RATE_LIMITS[kind])
        return principal, "key"

    def authenticate_header(self, request: Request) -> str:
        """Name the scheme for WWW-Authenticate."""
        return 'Bearer realm="maestro"'
