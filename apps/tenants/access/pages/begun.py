"""The access room's pages: sign-ins that were begun in this browser and are not back yet, kept in a signed cookie.

Whoever only looks at the way in leaves no row behind: a session begins when somebody is in.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponse

from apps.tenants.access.keys.exchange import use
from maestro.database.session import connection

SECONDS, MOST = 600, 5
NAME = "__Host-begun" if settings.SESSION_COOKIE_SECURE else "maestro_begun"


@dataclass(frozen=True)
class Begun:
    """One sign-in on its way: whose provider, and what binds the answer to this browser."""

    state: str
    provider: str
    nonce: str
    code_verifier: str
    following: str


def salt() -> str:
    """Tell tenants' cookies apart."""
    return f"begun sign-ins of {connection.schema_name}"


def read(request: HttpRequest) -> list[Begun]:
    """Read what was begun in the last ten minutes, oldest first; a cookie that is not ours holds nothing."""
    try:
        rows: Any = signing.loads(request.COOKIES.get(NAME, ""), salt=salt(), max_age=SECONDS)
    except signing.BadSignature:
        return []
    return [Begun(*row) for row in rows]


def write(answer: HttpResponse, begun: list[Begun]) -> None:
    """Keep the newest in the browser, or nothing."""
    if not begun:
        answer.delete_cookie(NAME, samesite="Lax")
        return
    rows = [[one.state, one.provider, one.nonce, one.code_verifier, one.following] for one in begun[-MOST:]]
    answer.set_cookie(
        NAME,
        signing.dumps(rows, salt=salt(), compress=True),
        max_age=SECONDS,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


def take(begun: Begun, at: datetime) -> bool:
    """Note that a sign-in has ended in a session; False if it did before, from a copy of the cookie."""
    digest = hashlib.sha256(f"begun\0{begun.state}".encode()).digest()
    return use(digest, at + timedelta(seconds=SECONDS))
