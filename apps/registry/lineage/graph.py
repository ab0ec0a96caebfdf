"""The registry room: a lineage as it is found: things, links between them, and where each is drawn. Pure."""

from dataclasses import dataclass, field

VERSION, RUN, MODEL, DATASET, PROJECT = "version", "run", "model", "dataset", "project"
KINDS = (VERSION, RUN, MODEL, DATASET, PROJECT)
Key = tuple[str, str]  # a kind and an id, as text


@dataclass(frozen=True, slots=True)
class Link:
    """Something was made from something, or used it."""

    start: Key
    end: Key
    kind: str


@dataclass
class Graph:
    """What was found.

    steps   how far each thing is from where the walk began: sources before 0, uses after
    via     by which thing each was found, one step nearer
    layers  the column of each, left to right along every link, 0 first; places: its row there
    """

    steps: dict[Key, int] = field(default_factory=dict)
    via: dict[Key, Key] = field(default_factory=dict)
    links: list[Link] = field(default_factory=list)
    layers: dict[Key, int] = field(default_factory=dict)
    places: dict[Key, int] = field(default_factory=dict)
    is_cut: bool = False

    def ids_of(self, kind: str) -> list[str]:
        """Ids of the things of one kind."""
        return [identity for name, identity in self.steps if name == kind]
