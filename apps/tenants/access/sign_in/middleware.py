"""The access room: who a session belongs to, also while the server's secret is rotated.

Django's own would give a session of yesterday's secret a new cookie at once, and sign out whoever asks for two things at
the same time; here it keeps its cookie and moves to today's secret where it stands.
"""

from typing import Any

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, load_backend
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.auth.models import AnonymousUser, User
from django.http import HttpRequest
from django.utils.crypto import constant_time_compare
from django.utils.functional import SimpleLazyObject

Who = User | AnonymousUser


class PersonMiddleware(AuthenticationMiddleware):
    """Sets `request.user`, looked up when it is first asked for."""

    def process_request(self, request: HttpRequest) -> None:
        """Put the question in place."""
        request.user = SimpleLazyObject(lambda: once(request))  # type: ignore[assignment]


def once(request: HttpRequest) -> Who:
    """Look a request's person up once."""
    kept: Who | None = getattr(request, "_cached_user", None)
    if kept is None:
        kept = request._cached_user = person_of(request)  # type: ignore[attr-defined]
    return kept


def person_of(request: HttpRequest) -> Who:
    """Read whose session this is, as they are now. A session that their password has left behind is over."""
    session = request.session
    path = session.get(BACKEND_SESSION_KEY)
    if SESSION_KEY not in session or path not in settings.AUTHENTICATION_BACKENDS:
        return AnonymousUser()
    person: Any = load_backend(path).get_user(int(session[SESSION_KEY]))
    if person is None:
        return AnonymousUser()
    shown, wanted = session.get(HASH_SESSION_KEY, ""), person.get_session_auth_hash()
    if not constant_time_compare(shown, wanted):
        if not any(constant_time_compare(shown, older) for older in person.get_session_auth_fallback_hash()):
            session.flush()
            return AnonymousUser()
        session[HASH_SESSION_KEY] = wanted
    return person  # type: ignore[no-any-return]
