"""The tracking room: what a header told: facts by name and rows of a table."""

from dataclasses import dataclass, field
from typing import Any

MOST_FACTS, MOST_ROWS, CELL_CHARS = 60, 300, 120


@dataclass(frozen=True)
class Told:
    """What a file's header says."""

    format: str
    facts: dict[str, str] = field(default_factory=dict)
    columns: tuple[str, ...] = ()
    rows: list[tuple[str, ...]] = field(default_factory=list)

    @property
    def shown_facts(self) -> list[tuple[str, str]]:
        """As many facts as a page shows."""
        return [(name[:CELL_CHARS], value[:500]) for name, value in list(self.facts.items())[:MOST_FACTS]]

    @property
    def shown_rows(self) -> list[tuple[str, ...]]:
        """As many rows as a page shows."""
        return self.rows[:MOST_ROWS]

    @property
    def hidden_rows(self) -> int:
        """How many rows a page does not show."""
        return max(len(self.rows) - MOST_ROWS, 0)


def row_of(*values: Any) -> tuple[str, ...]:
    """Write a table's row."""
    return tuple((f"{value:,}" if type(value) is int else str(value))[:CELL_CHARS] for value in values)


def counted(number: int) -> str:
    """Write a count."""
    return f"{number:,}"
