"""The tracking room: when each commit came to the main line: with the first commit of it that holds it. Pure.

The main line follows first parents. A commit on it landed when it was committed, one of a branch with the merge that brought
it; so does each of an octopus's. A date that cannot be gives way to that of the commit before it on the main line.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

LEAST, DAY = 631_152_000, 86_400  # 1990; no commit is older, but converted or broken ones say so


@dataclass(frozen=True)
class Landing:
    """Where a commit landed: with which of the main line, when (seconds since the epoch), and its place among those."""

    at: int
    place: int
    is_main: bool


def is_odd(seconds: int, now: int) -> bool:
    """Whether a commit's date cannot be: long before there was anything, or after now."""
    return not LEAST <= seconds <= now + DAY


def main_line(head: str, parents: Mapping[str, Sequence[str]]) -> list[str]:
    """The commits of the main line that are known, the oldest first."""
    line: dict[str, None] = {}  # in order, and none twice: what is told need not be a history
    at = head
    while at in parents and at not in line:
        line[at] = None
        at = parents[at][0] if parents[at] else ""
    return list(line)[::-1]


def landings(
    head: str, parents: Mapping[str, Sequence[str]], dates: Mapping[str, int], now: int
) -> Iterator[tuple[str, Landing]]:
    """Yield each commit that a head holds, with its landing. Parents that are not known are where a history begins."""
    seen: set[str] = set()
    last = LEAST
    for main in main_line(head, parents):
        last = last if is_odd(dates[main], now) else max(last, dates[main])
        if main in seen:
            continue
        brought = branch_of(main, parents, seen)
        for place, one in enumerate(brought):
            yield one, Landing(last, place, one == main)


def branch_of(main: str, parents: Mapping[str, Sequence[str]], seen: set[str]) -> list[str]:
    """The commits that came with one of the main line, itself the last: those that it alone holds, parents first."""
    seen.add(main)
    found, stack = [], list(parents[main][1:])
    while stack:
        one = stack.pop()
        if one in parents and one not in seen:
            seen.add(one)
            found.append(one)
            stack.extend(parents[one])
    return [*found[::-1], main]
