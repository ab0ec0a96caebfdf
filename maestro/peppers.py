"""The floor: digests of secrets with the pepper, which is not in the database; older peppers count while it is rotated.

A row keeps the mark of the pepper that it was digested with, so that what still waits for an old one can be counted.
"""

import hashlib
import hmac
from typing import Any

from django.conf import settings


def all_peppers() -> list[str]:
    """List today's pepper, and those that rows may still be digested with."""
    return [settings.KEY_PEPPER, *settings.KEY_PEPPER_FALLBACKS]


def mark_of(pepper: str) -> str:
    """Name a pepper without telling it."""
    return hmac.digest(pepper.encode(), b"which pepper this is", hashlib.sha256).hex()[:8]


def today() -> str:
    """Name the pepper that new digests are made with."""
    return mark_of(settings.KEY_PEPPER)


def digest(text: str) -> bytes:
    """Digest with today's pepper."""
    return hmac.digest(settings.KEY_PEPPER.encode(), text.encode(), hashlib.sha256)


def columns(text: str) -> dict[str, Any]:
    """Write what a row keeps of a secret: its digest, and the mark of today's pepper."""
    return {"digest": digest(text), "pepper": today()}


def every_digest(text: str) -> list[bytes]:
    """Digest with each pepper that counts."""
    return [hmac.digest(pepper.encode(), text.encode(), hashlib.sha256) for pepper in all_peppers()]


def fitting(digest: bytes, text: str) -> str | None:
    """Name the pepper with which a text has a digest; None if there is none. Each is tried, whichever fits."""
    fits = [hmac.compare_digest(bytes(digest), made) for made in every_digest(text)]
    return next((mark_of(pepper) for pepper, fit in zip(all_peppers(), fits, strict=True) if fit), None)
