"""The registry room: what an import found, brought and left, and where source and tenant differ."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import orjson

from maestro.errors import Invalid, MaestroError, NotFound, TooLarge

MOST_SHOWN = 200
Facts = Mapping[str, Any]
T = TypeVar("T")


@dataclass(frozen=True)
class Left:
    """Something that the source has and that was not taken, or not as it was, and why."""

    kind: str
    identity: str
    reason: str


@dataclass
class Tally:
    """How many of one kind the source has, how many are new here, and a digest of each side's content."""

    source: int = 0
    here: int = 0
    new: int = 0
    source_digest: Any = field(default_factory=hashlib.sha256)
    here_digest: Any = field(default_factory=hashlib.sha256)

    @property
    def is_equal(self) -> bool:
        """Whether both sides hold the same."""
        return self.source == self.here and bool(self.source_digest.digest() == self.here_digest.digest())


class Report:
    """An import's outcome, kept as it goes."""

    def __init__(self) -> None:
        self.tallies: dict[str, Tally] = {}
        self.left: list[Left] = []
        self.left_count = 0
        self.mapped: list[str] = []
        self.admitted: list[str] = []
        self.differences: list[str] = []
        self.difference_count = 0

    def tally(self, kind: str) -> Tally:
        """The tally of one kind of thing."""
        return self.tallies.setdefault(kind, Tally())

    def leave(self, kind: str, identity: object, reason: str | MaestroError) -> None:
        """Note what was not taken."""
        self.left_count += 1
        if len(self.left) < MOST_SHOWN:
            detail = reason.detail if isinstance(reason, MaestroError) else reason
            self.left.append(Left(kind, printable(str(identity)), printable(detail)))

    def map(self, kind: str, old: str, new: str) -> None:
        """Note that something has another name or id here."""
        if len(self.mapped) < MOST_SHOWN and old != new:
            self.mapped.append(printable(f"{kind} {old} is {new} here"))

    def admit(self, what: str) -> None:
        """Note that a gate stands before something that came as it was."""
        if len(self.admitted) < MOST_SHOWN:
            self.admitted.append(printable(what))

    def tried(self, kind: str, identity: object, work: Callable[[], T]) -> T | None:
        """Do something for one thing; what is wrong with it is noted, and it is left out as a whole."""
        try:
            return work()
        except (Invalid, TooLarge, NotFound) as error:
            self.leave(kind, identity, error)
        return None

    def compare(self, kind: str, wanted: Mapping[str, Facts], found: Mapping[str, Facts]) -> None:
        """Compare things by their ids. What is here beyond what the source has is no difference."""
        tally = self.tally(kind)
        for identity, facts in wanted.items():
            tally.source += 1
            tally.source_digest.update(line_of(identity, facts))
            if identity not in found:
                self.differ(f"{kind} {identity} is not here")
                continue
            tally.here += 1
            here = {name: narrowed(found[identity].get(name), value) for name, value in facts.items()}
            tally.here_digest.update(line_of(identity, here))
            names = [name for name, value in facts.items() if here[name] != value]
            if names:
                self.differ(f"{kind} {identity} differs in {', '.join(names)}")

    def differ(self, what: str) -> None:
        """Note a difference."""
        self.difference_count += 1
        if len(self.differences) < MOST_SHOWN:
            self.differences.append(printable(what))

    @property
    def is_whole(self) -> bool:
        """Whether all that the source has is here, and is the same."""
        same = all(tally.is_equal for tally in self.tallies.values())
        return same and not self.left_count and not self.difference_count

    def told(self) -> dict[str, Any]:
        """Write it as data."""
        kinds = {
            kind: {
                "source": tally.source,
                "here": tally.here,
                "new": tally.new,
                "source_sha256": tally.source_digest.hexdigest(),
                "here_sha256": tally.here_digest.hexdigest(),
            }
            for kind, tally in self.tallies.items()
        }
        return {
            "whole": self.is_whole,
            "kinds": kinds,
            "mapped": self.mapped,
            "admitted": self.admitted,
            "left_count": self.left_count,
            "left": [vars(one) for one in self.left],
            "difference_count": self.difference_count,
            "differences": self.differences,
        }


def narrowed(here: Any, wanted: Any) -> Any:
    """Keep of a mapping or a list what the source speaks of."""
    if isinstance(wanted, dict) and isinstance(here, dict):
        return {name: value for name, value in here.items() if name in wanted}
    if isinstance(wanted, list) and isinstance(here, list):
        return [value for value in here if value in wanted]
    return here


def line_of(identity: str, facts: Facts) -> bytes:
    """Write a thing as one line, the same for the same."""
    return orjson.dumps([identity, facts], option=orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE)


def printable(text: str) -> str:
    """Write a text of another's so that a terminal takes it for text."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)[:500]
