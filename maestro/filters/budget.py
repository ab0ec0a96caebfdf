"""The floor: how many bytes one page of a list may have: things are fetched some at a time, until that is reached.

A page that ends early goes on as any other does, with its token. The first thing of a page is always shown, however large.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, TypeVar

from maestro import limits

FIRST, GROWTH, MOST_AT_ONCE = 20, 5, 1_000
Id = TypeVar("Id")
Place = TypeVar("Place")


class Budget:
    """What is left of a page's bytes, and how many things to fetch next: more each time, as far as they are small."""

    def __init__(self, first: int = FIRST) -> None:
        self.left, self.step = limits.ANSWER_BYTES, first

    @property
    def is_spent(self) -> bool:
        """Whether the page ends here."""
        return self.left <= 0

    @property
    def spent(self) -> int:
        """How many bytes there are so far."""
        return limits.ANSWER_BYTES - self.left

    def spend(self, sizes: Collection[int]) -> None:
        """Count what was fetched."""
        self.left -= sum(sizes)
        most = self.left // max(max(sizes, default=1), 1)
        self.step = max(1, min(self.step * GROWTH, MOST_AT_ONCE, most))


def fitting(
    ids: Sequence[Id], write: Callable[[Sequence[Id]], Sequence[bytes]], told: Callable[[int], None] = lambda size: None
) -> tuple[list[bytes], int]:
    """Write things until they are as much as a page has. Returns them, and of how many of the ids they are.

    `told` hears how much there is, each time that there is more.
    """
    pieces: list[bytes] = []
    budget, at = Budget(), 0
    while at < len(ids) and not budget.is_spent:
        some = ids[at : at + budget.step]
        # Copied: what wrote JSON within JSON has reserved eight times its length, and does not give it back.
        made = [bytes(memoryview(piece)) for piece in write(some)]
        pieces += made
        at += len(some)
        budget.spend([len(piece) for piece in made])
        told(budget.spent)
    return pieces, at


def page(
    find: Callable[[int], tuple[Sequence[Id], Place]],
    most: int,
    write: Callable[[Sequence[Id]], Sequence[bytes]],
    told: Callable[[int], None] = lambda size: None,
) -> tuple[list[bytes], Place]:
    """Find a page of ids and write as many of them as fit; returns them, and where the next page begins.

    Where fewer fit than were found, the place behind them is asked for. What came between is met by writing anew.
    """
    found, following = find(most)
    pieces, count = fitting(found, write, told)
    while count < len(found):
        shown = list(found[:count])
        found, following = find(count)
        if list(found) != shown:
            pieces, count = fitting(found, write, told)
    return pieces, following


def weigh(value: Any) -> int:
    """Say about how many bytes a row is as text, with what was fetched along with it."""
    if isinstance(value, str | bytes):
        return len(value)
    if isinstance(value, Mapping):
        return sum(len(str(key)) + weigh(one) for key, one in value.items())
    if isinstance(value, list | tuple):
        return sum(map(weigh, value))
    if not hasattr(value, "_meta"):
        return 8
    own = sum(weigh(one) for name, one in vars(value).items() if not name.startswith("_"))
    along: Mapping[str, Any] = getattr(value, "_prefetched_objects_cache", {})
    return own + sum(weigh(row) for rows in along.values() for row in rows)
