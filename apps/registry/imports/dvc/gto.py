"""The registry room: the tags by which GTO registers versions of an artifact and gives them stages. Pure.

Source  GTO: name@v1.2.0, name@v1.2.0!2, name@deprecated#3, name#prod#4, name#prod!#5; in a folder `folder=name`
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

MOST_CHARS = 1_000
NAME = r"(?P<name>(?:[\w./-]+[=:])?[A-Za-z0-9][\w/.-]*)"
FORMS = (
    re.compile(rf"{NAME}@(?P<version>v\d[\w.+-]*)(?P<back>!)?(?:#?(?P<count>\d{{1,9}}))?"),
    re.compile(rf"{NAME}@(?P<gone>deprecated)(?:#(?P<count>\d{{1,9}}))?"),
    re.compile(rf"{NAME}#(?P<stage>[A-Za-z0-9][\w-]*)(?P<back>!)?(?:#(?P<count>\d{{1,9}}))?"),
)


class Act(StrEnum):
    """What a tag says."""

    REGISTER = "register"
    DEREGISTER = "deregister"
    DEPRECATE = "deprecate"
    ASSIGN = "assign"
    UNASSIGN = "unassign"


@dataclass(frozen=True)
class Event:
    """One tag: an artifact's name, what was done, with which version or stage, its number among the artifact's, and when."""

    tag: str
    act: Act
    name: str
    what: str = ""
    count: int = 0
    at: int = 0


def read(tag: str) -> Event | None:
    """Read a tag; None for one that is not GTO's."""
    match = next((found for form in FORMS if (found := form.fullmatch(tag))), None) if len(tag) <= MOST_CHARS else None
    if match is None:
        return None
    said = match.groupdict()
    name, count = said["name"].replace("=", ":"), int(said["count"] or 0)
    if said.get("gone"):
        return Event(tag, Act.DEPRECATE, name, "", count)
    if said.get("version"):
        return Event(tag, Act.DEREGISTER if said["back"] else Act.REGISTER, name, said["version"], count)
    return Event(tag, Act.UNASSIGN if said["back"] else Act.ASSIGN, name, said["stage"], count)


def in_order(events: Iterable[Event]) -> list[Event]:
    """Order by time; of one artifact's numbered tags a later number is never earlier, whatever its commit says."""
    reached: dict[str, int] = {}
    dated = []
    for event in sorted(events, key=lambda event: (event.count, event.at, event.tag)):
        at = event.at
        if event.count:
            at = reached[event.name] = max(at, reached.get(event.name, 0))
        dated.append((at, event.count, event.tag, event))
    return [event for *_, event in sorted(dated, key=lambda one: one[:3])]


def standing(events: Iterable[Event]) -> tuple[list[Event], dict[tuple[str, str], Event]]:
    """What counts in the end: the versions that are still registered, and for each (name, stage) its last assignment."""
    ordered = in_order(events)
    registered = {(event.name, event.what): event for event in ordered if event.act == Act.REGISTER}
    stages: dict[tuple[str, str], Event] = {}
    for event in ordered:
        if event.act == Act.DEREGISTER:
            registered.pop((event.name, event.what), None)
        elif event.act == Act.DEPRECATE:
            registered = {key: kept for key, kept in registered.items() if key[0] != event.name}
            stages = {key: kept for key, kept in stages.items() if key[0] != event.name}
        elif event.act == Act.ASSIGN:
            stages[event.name, event.what] = event
        elif event.act == Act.UNASSIGN:
            stages.pop((event.name, event.what), None)
    return list(registered.values()), stages
