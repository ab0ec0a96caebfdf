"""The floor: what a filter means."""

from dataclasses import dataclass

Value = str | float | tuple[str, ...] | None


@dataclass(frozen=True)
class Comparison:
    """One clause. `kind` and `key` name what is compared; IN has a tuple, IS NULL has None."""

    kind: str
    key: str
    operator: str  # = != > >= < <= LIKE ILIKE CONTAINS IN NOT IN IS NULL IS NOT NULL
    value: Value = None


@dataclass(frozen=True)
class Not:
    """True where its part is false."""

    part: "Node"


@dataclass(frozen=True)
class And:
    """True where all its parts are."""

    parts: tuple["Node", ...]


@dataclass(frozen=True)
class Or:
    """True where one of its parts is."""

    parts: tuple["Node", ...]


Node = Comparison | Not | And | Or
