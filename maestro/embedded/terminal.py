"""Floor: short lines for the person who waits."""

import sys
import time

STARTED = time.monotonic()
QUIET_SECONDS = 10.0


def say(text: str) -> None:
    """Print one line with the seconds since the start."""
    show(f"[{time.monotonic() - STARTED:5.1f} s] {text}")


def show(text: str) -> None:
    """Print text as it is. A closed terminal or pipe is no reason to fail."""
    try:
        print(text, flush=True)
    except (OSError, ValueError):
        sys.stdout = open("/dev/null", "w")  # noqa: SIM115  # for the rest of our life


class Progress:
    """Says how a long step goes, at most every ten seconds and only when there is something new."""

    def __init__(self) -> None:
        self.last_text = ""
        self.last_time = time.monotonic() - QUIET_SECONDS + 2

    def note(self, text: str) -> None:
        """Show the text, if it is due."""
        now = time.monotonic()
        if text and text != self.last_text and now - self.last_time >= QUIET_SECONDS:
            self.last_text, self.last_time = text, now
            say(text)
