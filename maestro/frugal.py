"""The floor: how the web workers give memory back.

The C library keeps what was freed: in an arena for each thread, in holes between what is still used, and, once a large
block was freed, below ever larger blocks. So a worker would hold for ever what its largest hour needed.
"""

import ctypes
import gc
import threading
import time

# Numbers of <malloc.h>: blocks from so many bytes on are given back when they are freed; so is what is free at the end of the
# heap; and threads share their arenas.
MMAP_THRESHOLD, TRIM_THRESHOLD, ARENA_MAX = -3, -1, -8
SETTINGS = {MMAP_THRESHOLD: 128 * 2**10, TRIM_THRESHOLD: 128 * 2**10, ARENA_MAX: 2}
TIDY_SECONDS = 20.0


def libc() -> ctypes.CDLL | None:
    """Find the C library, if it is one that can be told (glibc)."""
    found = ctypes.CDLL(None)
    return found if hasattr(found, "mallopt") and hasattr(found, "malloc_trim") else None


def begin() -> None:
    """Tell the C library to keep little. Before the workers are forked, and their threads begun."""
    library = libc()
    for name, value in SETTINGS.items() if library else ():
        library.mallopt(name, value)  # type: ignore[union-attr]


class Tidying:
    """Gives back now and then what requests left behind: cycles first, then the holes in the heap.

    By a thread of its own, so that no request waits for it and a worker that has become idle is tidied too.
    """

    def __init__(self, seconds: float = TIDY_SECONDS) -> None:
        self._seconds, self._lock, self._library = seconds, threading.Lock(), libc()
        self._thread: threading.Thread | None = None
        self._is_due = False

    def served(self) -> None:
        """Say that a request was served. The first one begins the thread: behind the fork, in each worker."""
        self._is_due = True
        if self._thread is None:
            with self._lock:
                if self._thread is None:
                    self._thread = threading.Thread(target=self._go_on, name="tidying", daemon=True)
                    self._thread.start()

    def _go_on(self) -> None:
        while True:
            time.sleep(self._seconds)
            if self._is_due:
                self._is_due = False
                self.tidy()

    def tidy(self) -> None:
        """Let go of cycles, and give back what nobody uses."""
        gc.collect()
        self.give_back()

    def give_back(self) -> None:
        """Give what is free in the heap back to the kernel."""
        if self._library:
            self._library.malloc_trim(0)


tidying = Tidying()
