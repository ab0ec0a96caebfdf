"""The bench's own: bench/results/growth.md, a section a command, so that each can be measured again alone."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from bench.load.machine import ROOT

RESULTS = ROOT / "bench" / "results" / "growth.md"
SECTIONS = {
    "runs": "Runs of an experiment: 10,000, 100,000, 1,000,000",
    "points": "Points of one run: 100,000, 100 times and 1,000 times as many",
    "tenants": "Tenants: 1, 100, 1,000",
    "migrate": "Migrations of the fleet",
    "storage": "Bytes a point",
}
HEAD = """# Growth

Does a request cost more while the data grows? Each section is written by its own command of `python -m bench.growth`,
which [README](../README.md) explains; [docs/scaling.md](../../docs/scaling.md) says what follows. CPU first: wall clock is
noise on a shared machine.
"""


def cells(row: Sequence[Any]) -> str:
    """Write one row of a table."""
    return "| " + " | ".join(shown(cell) for cell in row) + " |"


def shown(cell: Any) -> str:
    """Write a number so that it can be read."""
    if isinstance(cell, float):
        return f"{cell:,.0f}" if abs(cell) >= 1000 else f"{cell:.3g}" if abs(cell) < 1 else f"{cell:,.1f}"
    return f"{cell:,}" if isinstance(cell, int) and not isinstance(cell, bool) else str(cell)


def table(heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[str]:
    """Write a table."""
    return [cells(heads), "|" + "---|" * len(heads), *map(cells, rows)]


def put(section: str, lines: Iterable[str], out: Path = RESULTS) -> None:
    """Write one section, in its place, and leave the others as they are."""
    old = out.read_text() if out.exists() else ""
    kept = dict(re.findall(r"<!-- (\w+) -->\n(.*?)\n<!-- end -->", old, re.DOTALL))
    kept[section] = "\n".join([f"## {SECTIONS[section]}", "", *lines])
    body = "\n\n".join(f"<!-- {name} -->\n{kept[name]}\n<!-- end -->" for name in SECTIONS if name in kept)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(f"{HEAD}\n{body}\n")
    print(kept[section], flush=True)
