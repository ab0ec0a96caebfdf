"""The tracking room: whether a delivery was signed by its forge: over its bytes as they came, in constant time.

Source  GitHub, Gitea: HMAC-SHA256 of the body; GitLab: the secret itself, or Standard Webhooks 1.0 (standardwebhooks.com)
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from apps.tracking.models import Connection
from maestro.errors import Unauthenticated

SKEW_SECONDS = 300
Headers = Mapping[str, str]


class BadSignature(Unauthenticated):
    """A delivery is not signed by its forge, or by another secret."""

    code = "bad_signature"


class Stale(Unauthenticated):
    """A delivery was signed too long ago, or in the future: it may be an old one that somebody plays again."""

    code = "stale_delivery"


def is_same(one: str, other: str) -> bool:
    """Compare without telling by the time where they differ."""
    return hmac.compare_digest(one.encode("utf-8", "replace"), other.encode("utf-8", "replace"))


def digest(secret: str, body: bytes) -> str:
    """HMAC-SHA256, as hex."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def by_github(secret: str, headers: Headers, body: bytes) -> bool:
    """`X-Hub-Signature-256: sha256=<hex>`."""
    return is_same(headers.get("X-Hub-Signature-256", ""), f"sha256={digest(secret, body)}")


def by_gitea(secret: str, headers: Headers, body: bytes) -> bool:
    """`X-Gitea-Signature: <hex>`, or Forgejo's own name for it."""
    given = headers.get("X-Gitea-Signature") or headers.get("X-Forgejo-Signature") or ""
    return is_same(given, digest(secret, body))


def by_gitlab(secret: str, headers: Headers, body: bytes) -> bool:
    """Standard Webhooks where the delivery is signed, else the token."""
    if "webhook-signature" in headers:
        return by_standard(secret, headers, body)
    return is_same(headers.get("X-Gitlab-Token", ""), secret)


def by_standard(secret: str, headers: Headers, body: bytes) -> bool:
    """`webhook-signature: v1,<base64>`, perhaps several, over id, time and body."""
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        return False
    signed = f"{headers.get('webhook-id', '')}.{headers.get('webhook-timestamp', '')}.".encode("utf-8", "replace")
    made = hmac.new(key, signed + body, hashlib.sha256).digest()
    right = f"v1,{base64.b64encode(made).decode()}"
    return any([is_same(one, right) for one in headers.get("webhook-signature", "")[:2_000].split(" ")])


CHECKS: dict[str, Callable[[str, Headers, bytes], bool]] = {
    Connection.Kind.GITHUB: by_github,
    Connection.Kind.GITLAB: by_gitlab,
    Connection.Kind.GITEA: by_gitea,
}


def verify(kind: str, secrets: Sequence[str], headers: Headers, body: bytes, at: datetime) -> None:
    """Check a delivery against every secret that is valid. Raises BadSignature, or Stale for a signed time far from now."""
    if not any([CHECKS[kind](secret, headers, body) for secret in secrets]):
        raise BadSignature("the signature of this delivery is missing, or made by another secret")
    if kind == Connection.Kind.GITLAB and "webhook-signature" in headers:
        told = headers.get("webhook-timestamp", "")
        is_number = told.isascii() and told.isdecimal() and len(told) <= 12
        if not is_number or abs(int(told) - at.timestamp()) > SKEW_SECONDS:
            raise Stale(f"this delivery was signed more than {SKEW_SECONDS} seconds from now: is the clock right?")
