"""The registry room: what use of artifacts goes with, in one word each; the room that estimates it tells, by `offer`.

An artifact whose estimate is refused, or that has none, has no word.
"""

from collections.abc import Callable, Collection, Mapping
from uuid import UUID

from maestro.principals import Principal

HELPS, HURTS, UNCLEAR = "helps", "hurts", "unclear"
EFFECTS = {HELPS: "Goes with more success", HURTS: "Goes with less success", UNCLEAR: "Could be either"}
# Who asks, for which problem class (empty: all together), about which artifacts (None: all that have a word).
Teller = Callable[[Principal, str, "Collection[UUID] | None"], Mapping[UUID, str]]
_tellers: list[Teller] = []


def offer(teller: Teller) -> None:
    """Let a room above tell what it estimated."""
    _tellers[:] = [teller]


def effects_of(who: Principal, problem_class: str, among: Collection[UUID] | None = None) -> Mapping[UUID, str]:
    """Ask for the words that somebody may read."""
    return _tellers[0](who, problem_class, among) if _tellers else {}
