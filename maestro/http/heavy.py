"""The floor: what takes much memory is done one after the other in a process.

A large body costs several times its length while it is understood. Eight threads that do so at once would need eight times
that, and a process that once held so much keeps a part of it. Small requests never wait here.
"""

import threading
from collections import Counter
from collections.abc import Callable

from django.conf import settings

from maestro.errors import Unavailable

LARGE_BYTES = 2**20
WEB_THREADS = 8  # of a process of the web server, unless it is started with other ones


class Busy(Unavailable):
    """Others' large requests came first, and took long."""

    code = "busy"


class Turn:
    """One thread's at a time; a request has it until it is answered."""

    def __init__(self) -> None:
        self._place, self._mine = threading.Lock(), threading.local()

    def take(self) -> None:
        """Wait for the turn, unless this thread has it. Raises Busy."""
        if getattr(self._mine, "is_held", False):
            return
        if not self._place.acquire(timeout=settings.PATIENCE["turn"]):
            raise Busy("large requests are being answered; try again")
        self._mine.is_held = True

    def end(self) -> None:
        """Let the next one have it, if this thread had it."""
        if getattr(self._mine, "is_held", False):
            self._mine.is_held = False
            self._place.release()


turn = Turn()


class Streams:
    """Long answers that are being sent: each holds a thread for as long as its reader takes, who may take for ever.

    So a process sends a few at a time, and some of those to one tenant; who comes then is to come again. Nobody waits.
    """

    def __init__(self, threads: int = WEB_THREADS) -> None:
        self.threads = threads
        self._lock, self._held = threading.Lock(), Counter[str]()

    @property
    def bounds(self) -> tuple[int, int]:
        """How many are sent at a time, and how many of them to one tenant: of eight threads three stay free, of two one."""
        most = max(1, self.threads * 5 // 8)
        return most, max(1, most - 1)

    def begin(self, whose: str) -> Callable[[], None]:
        """Begin to send, and return what is to be called at the end, once or more. Raises Busy."""
        most, of_one = self.bounds
        with self._lock:
            if self._held.total() >= most or self._held[whose] >= of_one:
                raise Busy("as many large files as may be at a time are being sent; try again")
            self._held[whose] += 1
        left = [whose]

        def end() -> None:
            with self._lock:
                if left:
                    self._held[left.pop()] -= 1

        return end


streams = Streams()
