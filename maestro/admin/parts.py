"""The floor: what rooms add to the admin sites: lines of the navigation, cards, pages, finds of the search."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.http import HttpRequest


@dataclass(frozen=True, slots=True)
class Task:
    """A line of the side navigation: something a person comes here to do."""

    label: str
    url_name: str
    icon: str
    order: int
    covers: tuple[str, ...] = ()
    permission: str = ""
    by_project: bool = False


@dataclass(frozen=True, slots=True)
class NavLine:
    """A task as one person sees it on one page."""

    label: str
    url: str
    icon: str
    is_current: bool


@dataclass(frozen=True, slots=True)
class Part:
    """A card that a room adds to a page: `home`, `project`, `experiment`, `compare`, `run`, `artifact` or `version`.

    `load(request, subject)` answers the template's context, or None to leave the card out; `subject` is the
    page's object (the runs that are compared), or None on the home page. `column` is `work` (left) or `state` (right).
    """

    title: str
    template: str
    load: Callable[[HttpRequest, Any], Mapping[str, Any] | None]
    column: str = "work"
    order: int = 50
    permission: str = ""
    by_project: bool = False


@dataclass(frozen=True, slots=True)
class Card:
    """A part as it is shown."""

    title: str
    template: str
    column: str
    context: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Hit:
    """Something the search of the top bar found."""

    kind: str
    text: str
    url: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a site."""

    route: str
    view: Callable[..., Any]
    name: str


@dataclass(slots=True)
class Parts:
    """All that rooms added to one site."""

    tasks: list[Task] = field(default_factory=list)
    parts: dict[str, list[Part]] = field(default_factory=dict)
    pages: list[Page] = field(default_factory=list)
    gate_pages: list[Page] = field(default_factory=list)
    searches: list[Callable[[HttpRequest, str], Iterable[Hit]]] = field(default_factory=list)
    by_project: set[str] = field(default_factory=set)
