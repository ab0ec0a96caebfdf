"""Floor: short lines for the person who waits."""

import sys
import time

STARTED = time.monotonic()


def say(text: str) -> None:
    """Print one line with the seconds since the start. A closed terminal is no reason to fail."""
    try:
        print(f"[{time.monotonic() - STARTED:5.1f} s] {text}", flush=True)
    except (OSError, ValueError):
        sys.stdout = open("/dev/null", "w")  # noqa: SIM115  # for the rest of our life
