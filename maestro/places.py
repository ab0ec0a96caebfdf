"""The floor: a few places for heavy work on one machine, held as long as the process that took one lives."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def one_of(name: str, places: int, *, folder: Path) -> Iterator[bool]:
    """Take a place if one is free, and say whether. The kernel frees it when the process ends, even by `kill -9`."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(places):
        with (folder / f"{name}-{number}.lock").open("w") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            yield True
            return
    yield False
