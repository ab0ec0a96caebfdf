"""Reads the pages: their fenced blocks, and the tables of bench/results."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
RUN_BY_A_SHELL = ("sh", "bash", "python")


@dataclass(frozen=True)
class Block:
    """One fenced block of a page."""

    page: str
    kind: str
    text: str

    @property
    def name(self) -> str:
        """Name it by its page and how it begins."""
        return f"{self.page}: {self.text.splitlines()[0][:40].strip()}"


def pages() -> list[Path]:
    """List what a reader is sent to."""
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks() -> list[Block]:
    """Read every block that a reader is meant to run."""
    found = [
        Block(str(page.relative_to(ROOT)), kind, text)
        for page in pages()
        for kind, text in FENCE.findall(page.read_text())
    ]
    return [block for block in found if block.kind in RUN_BY_A_SHELL]


@dataclass(frozen=True)
class Table:
    """A table of a page, with the heading above it."""

    heading: str
    columns: list[str]
    rows: list[list[str]]

    def cell(self, row: str, column: str) -> str:
        """Find what stands in a row, named by its first cells joined with spaces, and a column named by how it begins."""
        at = next(number for number, name in enumerate(self.columns) if name.startswith(column))
        return next(cells[at] for cells in self.rows if " ".join(cells).startswith(row))


def tables(page: str) -> list[Table]:
    """Read the tables of a page."""
    found: list[Table] = []
    heading, rows = "", list[list[str]]()
    for line in [*(ROOT / page).read_text().splitlines(), ""]:
        if line.startswith("|"):
            rows.append([cell.strip() for cell in line.strip("|").split("|")])
            continue
        if rows:
            found.append(Table(heading, rows[0], rows[2:]))
            rows = []
        heading = line.lstrip("# ") if line.startswith("#") else heading
    return found


def number(text: str) -> float:
    """Read the first figure of a cell."""
    found = re.search(r"-?\d[\d,]*\.?\d*|\.\d+", text)
    assert found, text
    return float(found[0].replace(",", ""))


def agree(shown: str, measured: float) -> bool:
    """Say whether a figure is what was measured, rounded to the digits that are shown."""
    digits = len(re.sub(r"[^\d.]", "", shown).partition(".")[2])
    return abs(number(shown) - measured) <= 0.5 * 10**-digits + 1e-9
