"""One verb for one act: it opens the transaction and records the event. Doors read, call and show."""

import ast
from collections import Counter
from enum import StrEnum
from itertools import chain
from pathlib import Path

import pytest

from apps.recommendations.actions import Act as OfRecommendations
from apps.registry.actions import Act as OfRegistry
from apps.tenants.access.actions import Act as OfAccess
from apps.tenants.actions import Act as OfTenants
from apps.tracking.actions import Act as OfTracking

ROOT = Path(__file__).resolve().parents[2]
ROOMS: dict[str, type[StrEnum]] = {
    "apps/tenants/access": OfAccess,
    "apps/tenants": OfTenants,
    "apps/tracking": OfTracking,
    "apps/registry": OfRegistry,
    "apps/recommendations": OfRecommendations,
}
SOURCES = {
    str(path.relative_to(ROOT)): path.read_text()
    for path in sorted((ROOT / "apps").rglob("*.py"))
    if "migrations" not in path.parts
}
DOORS = ("admin/", "api/", "mlflow/", "pages/", "management/", "tasks.py")
# How often the doors of a room record, and open a transaction. May only fall: a number that has fallen is written here.
RATCHET: dict[str, tuple[int, int]] = {}


def room_of(source: str) -> str:
    """Name the room that a file stands in; empty for none."""
    return next((room for room in ROOMS if source.startswith(room + "/")), "")


def is_of_a_door(source: str) -> bool:
    """Say whether a file belongs to a door of its room."""
    return source.startswith(tuple(f"{room}/{door}" for room in ROOMS for door in DOORS))


def recording(tree: ast.AST) -> list[ast.Call]:
    """List the calls that write an event."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [call for call in calls if ast.unparse(call.func).rpartition(".")[2] == "record"]


def transactions(tree: ast.AST) -> int:
    """Count where a transaction is opened."""
    return sum(isinstance(n, ast.Attribute) and ast.unparse(n) == "transaction.atomic" for n in ast.walk(tree))


def spelled_out(tree: ast.AST) -> list[int]:
    """List the lines where an event is named by a text instead of a member."""
    # record(by, act, ...), and the logs' own objects.record(act, ...)
    named = [(call.lineno, call.args[isinstance(call.func, ast.Name)]) for call in recording(tree)]
    return [line for line, value in named if isinstance(value, ast.JoinedStr | ast.Constant)]


def test_doors_record_less_and_less() -> None:
    found: dict[str, list[int]] = {}
    for source, text in SOURCES.items():
        if is_of_a_door(source):
            tree = ast.parse(text)
            counts = found.setdefault(room_of(source), [0, 0])
            counts[0] += len(recording(tree))
            counts[1] += transactions(tree)
    assert {room: tuple(counts) for room, counts in found.items() if any(counts)} == RATCHET
    planted = ast.parse("with transaction.atomic():\n    audit.record(by, act)\n    record(by, act)")
    assert (len(recording(planted)), transactions(planted)) == (2, 1)


def test_no_event_is_named_by_a_text() -> None:
    found = {source: spelled_out(ast.parse(text)) for source, text in SOURCES.items()}
    assert {source: lines for source, lines in found.items() if lines} == {}
    planted = (
        "record(by, f'run.{act}')\nrecord(by, 'run.trash')\nlog.record('run.trash')\nrecord('operator', Act.RUN_TRASH)"
    )
    assert spelled_out(ast.parse(planted)) == [1, 2, 3]


@pytest.mark.parametrize("room", ROOMS)
def test_each_act_of_a_room_happens_in_it(room: str) -> None:
    texts = [text for source, text in SOURCES.items() if room_of(source) == room]
    acts = ROOMS[room]
    assert [act.name for act in acts if not any(f"Act.{act.name}" in text for text in texts)] == []
    assert [act.name for act in acts if act.name.lower() != act.value.replace(".", "_")] == []


def test_no_two_rooms_have_the_same_act() -> None:
    counts = Counter(act.value for act in chain.from_iterable(ROOMS.values()))
    assert [act for act, count in counts.items() if count > 1] == []
