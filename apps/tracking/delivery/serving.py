"""The tracking room: which models serve, and since when. The registry knows, and stands above: it offers its word here."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from maestro.principals import Reach


@dataclass(frozen=True)
class Move:
    """A serving alias came to point at a version of a model. `commit` is that of the run that made the version, if known."""

    number: int
    project: UUID
    model: str
    alias: str
    version: str
    version_id: UUID
    at: datetime
    is_rollback: bool
    commit: str = ""


@dataclass(frozen=True)
class Asked:
    """Which moves are asked for: of some projects, before a time, of each project's aliases or else of the usual ones."""

    projects: Reach
    until: datetime
    aliases: dict[UUID, Sequence[str]]
    usual: Sequence[str]

    def of(self, project: UUID) -> Sequence[str]:
        """The aliases that serve in a project."""
        return self.aliases.get(project, self.usual)


Moves = Callable[[Asked], Iterable[Move]]
Registered = Callable[[Reach], dict[UUID, datetime]]
MOVES: list[Moves] = []
REGISTERED: list[Registered] = []


def offer(moves: Moves, registered: Registered) -> None:
    """Let the room that holds models tell how serving aliases moved, and when each project registered its first model."""
    MOVES.append(moves)
    REGISTERED.append(registered)


def moves(asked: Asked) -> list[Move]:
    """All moves of serving aliases, in their order."""
    return sorted((move for tell in MOVES for move in tell(asked)), key=lambda move: (move.at, move.number))


def first_registered(projects: Reach) -> dict[UUID, datetime]:
    """When each project registered its first model."""
    found: dict[UUID, datetime] = {}
    for tell in REGISTERED:
        for project, at in tell(projects).items():
            found[project] = min(found.get(project, at), at)
    return found
