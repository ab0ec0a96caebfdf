"""The floor: how often somebody may do something. Counted in Valkey for all processes, and by each alone when it is down.

A process counts for itself and reports to Valkey once a second or every hundredth of a limit, so a request
costs some microseconds. Limits below 100 are reported each time, and so are exact.
"""

import logging
import threading
import time
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import redis
from django.conf import settings
from django.http import HttpRequest

from maestro.errors import TooMany
from maestro.http.addresses import client_address, group_of

logger = logging.getLogger("maestro.limits")
REPORT_SECONDS = 1.0
REST_SECONDS = 5.0
MOST_NAMES = 50_000


@dataclass(slots=True)
class Window:
    """What is known of one name in one window of time."""

    number: int
    ends: float
    reported_at: float
    unsent: int = 0
    known: int = 0


class Limiter:
    """Counts by name in fixed windows."""

    def __init__(self) -> None:
        self._windows: dict[str, Window] = {}
        self._lock = threading.Lock()
        self._client: redis.Redis | None = None
        self._rests_until = 0.0

    def take(self, name: str, limit: int, *, seconds: int = 60) -> None:
        """Count one. Raises TooMany beyond `limit` in a window; a limit of 0 is none."""
        if limit <= 0:
            return
        now = time.time()
        with self._lock:
            window = self._window(name, now, seconds)
            window.unsent += 1
            due = window.unsent >= max(1, limit // 100) or now - window.reported_at >= REPORT_SECONDS
        if due and window.known + window.unsent <= limit + 1:
            self._report(name, window, now, seconds)
        self._judge(window, limit, now)

    def check(self, name: str, limit: int, *, seconds: int = 60) -> None:
        """Count nothing; raise TooMany if the limit is used up."""
        if limit <= 0:
            return
        now = time.time()
        with self._lock:
            window = self._window(name, now, seconds)
        if now - window.reported_at >= REPORT_SECONDS or limit < 100:
            self._report(name, window, now, seconds)
        self._judge(window, limit - 1, now)

    def forget(self, name: str, *, seconds: int = 60) -> None:
        """Begin again with a name, as after a successful sign-in."""
        now = time.time()
        with self._lock:
            self._windows.pop(name, None)
        try:
            if now >= self._rests_until:
                self._connection().delete(self._stored(name, int(now // seconds)))
        except redis.RedisError as error:
            self._rest(error)

    def clear(self) -> None:
        """Forget what this process counted, and whom it talks to (tests)."""
        with self._lock:
            self._windows.clear()
            self._client, self._rests_until = None, 0.0

    def _window(self, name: str, now: float, seconds: int) -> Window:
        number = int(now // seconds)
        window = self._windows.get(name)
        if window is None or window.number != number:
            if len(self._windows) >= MOST_NAMES:
                self._windows = {kept: w for kept, w in self._windows.items() if w.ends > now}
                if len(self._windows) >= MOST_NAMES:
                    self._windows.clear()
            window = self._windows[name] = Window(number, (number + 1) * seconds, now)
        return window

    def _judge(self, window: Window, limit: int, now: float) -> None:
        if window.known + window.unsent > limit:
            raise TooMany("too many requests; wait a moment", retry_after=max(1, int(window.ends - now) + 1))

    def _report(self, name: str, window: Window, now: float, seconds: int) -> None:
        """Add what is unsent to the common count and learn its total."""
        if now < self._rests_until:
            return
        with self._lock:
            sending, window.unsent, window.reported_at = window.unsent, 0, now
            window.known += sending
        try:
            pipe = self._connection().pipeline(transaction=False)
            stored = self._stored(name, window.number)
            pipe.incrby(stored, sending)
            pipe.expire(stored, seconds * 2)
            total = int(pipe.execute()[0])
        except redis.RedisError as error:
            self._rest(error)
            return
        with self._lock:
            window.known = max(window.known, total)

    def _connection(self) -> redis.Redis:
        with self._lock:
            # One for all threads: a second client, dropped by who lost the race, would close its pool under a reader.
            if self._client is None:
                seconds = settings.COUNTING_SECONDS
                self._client = redis.Redis.from_url(
                    settings.REDIS_URL, socket_timeout=seconds, socket_connect_timeout=seconds
                )
            return self._client

    def _stored(self, name: str, number: int) -> str:
        return f"rate:{name}:{number}"

    def _rest(self, error: redis.RedisError) -> None:
        """Leave Valkey alone for some seconds: limits are then each process's own."""
        self._rests_until = time.time() + REST_SECONDS
        logger.warning("limits are counted by each process alone: %s", type(error).__name__)


limiter = Limiter()


def count_address(request: HttpRequest) -> None:
    """Count a request whose sender nobody has verified, by its address. Raises TooMany."""
    limiter.take(f"address:{group_of(client_address(request))}", settings.RATE_LIMITS["address"])


def check_refused(request: HttpRequest) -> None:
    """Raise TooMany if an address has sent too many wrong credentials."""
    limiter.check(f"refused:{group_of(client_address(request))}", settings.RATE_LIMITS["refused"])


def count_refused(request: HttpRequest) -> None:
    """Count a wrong credential by the address that sent it. Raises TooMany."""
    limiter.take(f"refused:{group_of(client_address(request))}", settings.RATE_LIMITS["refused"])


def count_unchecked(request: HttpRequest, view: Any) -> None:
    """Count by address what carries a credential that this view will not look at. Raises TooMany.

    What carries none was counted on its way in: a made-up header takes nothing out of the limits.
    """
    if "HTTP_AUTHORIZATION" in request.META and not verifies(view):
        count_address(request)


@lru_cache(maxsize=1024)
def verifies(view: Any) -> bool:
    """Say whether a view demands a role, and so verifies who asks; a page asks for a session instead."""
    kind = getattr(view, "cls", None) or getattr(view, "view_class", view)
    declared = getattr(view, "initkwargs", {}).get("required_role", getattr(kind, "required_role", None))
    return declared is not None
