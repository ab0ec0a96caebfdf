"""The pages that lead through the house are true: what they name is there, and is where they say."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.architecture.rules import DOORS

ROOT = Path(__file__).resolve().parents[2]
MAP = ROOT / "docs" / "architecture.md"
PAGES = (MAP, ROOT / "docs" / "style.md", ROOT / "CONTRIBUTING.md")
# Written `like/this` or `like.md`; <room> stands for any. Addresses, which begin with /, are no files.
QUOTED = re.compile(r"`([^`\n]+)`")
FILE = re.compile(r"[\w.*<>-]+(?:/[\w.*<>-]+)*/?")
SUFFIX = re.compile(r"\.(?:py|md|toml|txt|in|yaml|yml|html|js|css|sh)$")
LINK = re.compile(r"\]\(([^)#:]+)\)")
DEFINED = re.compile(r"`([\w./-]+\.py)`(?: \||)\s+`([\w.]+)`")
ROOM = re.compile(r'"(\S+?)<br/>([^"]+)"')
QUESTIONS = (
    "Where is the CSV export of runs?",
    "Where is revocation of keys cached?",
    "Where is the lost-run rule?",
    "Where would I add an artifact kind?",
    "Where is a new MLflow endpoint declared?",
    "Where is a page's query count tested?",
    "Where is an experiment created (name taken)?",
    "Who may delete runs for ever?",
    "Where is the audit event of a trashed run?",
    "How large may an upload be?",
    "When may a new model serve?",
    "Where is the password lock-out?",
    "Which files make the run list?",
    "Where are tags put on many runs?",
    "Who writes a project's outcome?",
)
WAYS = ("a log-batch", "an upload", "a sign-in", "a training", "an impact page")
RECIPES = (
    "An MLflow call",
    "A REST route",
    "A page",
    "A command",
    "A model with its migration",
    "A metric on the impact page",
)


def files_named(text: str) -> set[str]:
    """List what a text names as a file or a folder of ours."""
    quoted = {one for one in QUOTED.findall(text) if FILE.fullmatch(one)}
    return {one for one in quoted if "/" in one or SUFFIX.search(one)}


def is_there(name: str) -> bool:
    """Say whether a file or a folder is there; <something> stands for anything."""
    pattern = re.sub(r"<\w+>", "*", name).rstrip("/")
    return any(ROOT.glob(pattern)) if "*" in pattern else (ROOT / pattern).exists()


def definitions(body: list[ast.stmt], prefix: str = "") -> Iterator[str]:
    """Name what a module defines, and what its classes do."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield prefix + node.name
        if isinstance(node, ast.ClassDef):
            yield from definitions(node.body, f"{prefix}{node.name}.")
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        names = [name for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)]
        yield from (prefix + name.id for name in names)


@cache
def defined_in(path: str) -> frozenset[str]:
    """Name what a file defines."""
    return frozenset(definitions(ast.parse((ROOT / path).read_text()).body))


def misplaced(text: str) -> list[str]:
    """List the names that a text puts into files that do not define them."""
    return [
        f"{path} has no {name}: say where it is now"
        for path, name in DEFINED.findall(text)
        if not (ROOT / path).exists() or name not in defined_in(path)
    ]


def rows() -> dict[str, tuple[str, str]]:
    """Read the table: a question, and the path and the name that answer it."""
    cells = [line.strip("| ").split(" | ") for line in MAP.read_text().splitlines() if line.startswith("| ")]
    return {row[0]: (row[1].strip("`"), row[2].strip("`")) for row in cells[2:]}


def numbered(page: Path, heading: str) -> list[str]:
    """Read the numbered steps below a heading."""
    section = re.split(r"^#+ ", page.read_text().partition(f"# {heading}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]
    return re.split(r"^\d+\. ", section, flags=re.MULTILINE)[1:]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_path_that_a_page_names_is_there(page: Path) -> None:
    text = page.read_text()
    named = files_named(text)
    assert len(named) > 20
    assert sorted(name for name in named if not is_there(name)) == []
    assert [link for link in LINK.findall(text) if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_name_after_a_path_is_defined_in_that_file(page: Path) -> None:
    assert misplaced(page.read_text()) == []


def test_the_questions_of_a_newcomer_have_one_answer_each() -> None:
    found = rows()
    assert [question for question in QUESTIONS if question not in found] == []
    assert len(found) >= 40
    assert {q: place for q, place in found.items() if place[1] not in defined_in(place[0])} == {}


def test_the_picture_shows_every_room_and_chamber() -> None:
    drawn = {path: set(words.split()) for path, words in ROOM.findall(MAP.read_text())}
    gone = {path: [w for w in words if not any((ROOT / path).glob(f"{w}*"))] for path, words in drawn.items()}
    assert {path: words for path, words in gone.items() if words} == {}
    rooms = [path.parent for path in ROOT.glob("apps/**/apps.py") if path.parent.name != "factors"]
    assert {str(room.relative_to(ROOT)) for room in rooms} <= set(drawn)
    for room in rooms:
        chambers = {one.parent.name for one in room.glob("*/__init__.py")} - {"models", "migrations", "access", *DOORS}
        assert sorted(chambers - drawn[str(room.relative_to(ROOT))]) == [], room


@pytest.mark.parametrize("way", WAYS)
def test_each_station_of_a_way_is_a_place(way: str) -> None:
    stations = numbered(MAP, f"The way of {way}")
    assert len(stations) > 4
    assert [station for station in stations if not DEFINED.search(station) and not files_named(station)] == []


@pytest.mark.parametrize("recipe", RECIPES)
def test_each_recipe_has_six_steps(recipe: str) -> None:
    assert len(numbered(ROOT / "CONTRIBUTING.md", recipe)) == 6


def test_a_planted_fault_is_found() -> None:
    assert files_named("`apps/gone.py`, `README.md`, `/api/v1/`, `make check`") == {"apps/gone.py", "README.md"}
    assert not is_there("apps/gone.py")
    assert not is_there("apps/<room>/gone/<noun>.py")
    assert is_there("apps/<room>/models/<noun>.py")
    assert misplaced("`maestro/limits.py` `FILE_BYTES`, `maestro/clock.py` | `FILE_BYTES`") == [
        "maestro/clock.py has no FILE_BYTES: say where it is now"
    ]
    assert misplaced("`maestro/gone.py` `FILE_BYTES`")
    assert {"Act.RUN_TRASH", "Act"} <= defined_in("apps/tracking/actions.py")


def test_blame_leaves_out_commits_by_their_whole_names() -> None:
    lines = (ROOT / ".git-blame-ignore-revs").read_text().splitlines()
    commits = [line for line in lines if line and not line.startswith("#")]
    assert len(commits) > 8
    assert [line for line in commits if not re.fullmatch(r"[0-9a-f]{40}", line)] == []
