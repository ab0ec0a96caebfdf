"""docs/security.md names tests that are there."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "security.md").read_text()


def test_every_test_that_the_page_names_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    written = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text(), re.M)
    }
    assert len(named) > 50
    assert named - written == set()


def test_every_requirement_has_a_line() -> None:
    numbers = [int(n) for n in re.findall(r"^\| R(\d+) \|", PAGE, re.M)]
    assert numbers == list(range(1, 48))


def test_every_requirement_names_a_test_or_says_what_is_missing() -> None:
    rows = [
        [cell.strip() for cell in line.strip(" |").split(" | ")] for line in PAGE.splitlines() if line.startswith("| R")
    ]
    assert len(rows) == 47
    bare = [row[0] for row in rows if "`test_" not in row[-1] and not re.match(r"(not yet|partly): \w.{20}", row[2])]
    assert bare == []
