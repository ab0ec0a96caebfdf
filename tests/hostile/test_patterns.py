"""No pattern makes much of little: a text that almost fits costs what its length does, whichever pattern it is held against.

The parts of each pattern are read out of it, and long runs of each letter are put where each of its parts ends.
"""

import importlib
import pkgutil
import re
import re._constants as constants
import re._parser as parser
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import apps
import maestro

LENGTH = 2_500
MOST_BEGINNINGS = 12
SECONDS = 0.01  # a hundred times what a plain text of that length costs
LETTERS = "a0 #.-_:/=\"'\\{}<>@+,;[]()é\n"
METHODS = ("fullmatch", "match", "search", "findall", "finditer", "sub", "split")
STARTS_NOTHING = ("migrations", "__main__", "settings", "management.commands")
# What is only held against short texts: where that is seen to.
SHORT = {
    ("apps.tracking.delivery.payloads", "OFFSET"): "a time of at most 40 letters (`moment`)",
    ("apps.registry.imports.dvc.gto", "FORMS"): "a tag of at most 1,000 letters (`read`)",
}


def modules() -> Iterator[ModuleType]:
    """Every module of ours that has patterns."""
    for package in (apps, maestro):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if any(part in found.name for part in STARTS_NOTHING):
                continue
            place = Path(str(getattr(found.module_finder, "path", ""))) / f"{found.name.rpartition('.')[2]}.py"
            if place.exists() and "re.compile(" in place.read_text():
                yield importlib.import_module(found.name)


def patterns() -> Iterator[tuple[str, str, re.Pattern[Any]]]:
    """Every pattern that a module of ours keeps under a name, alone or in a list."""
    for module in modules():
        for name, value in vars(module).items():
            for found in value if isinstance(value, tuple | list) else (value,):
                if isinstance(found, re.Pattern):
                    yield module.__name__, name, found


def used(module: str, name: str) -> list[str]:
    """How a module holds texts against a pattern of its."""
    source = Path(str(importlib.import_module(module).__file__)).read_text()
    return [one for one in METHODS if f"{name}.{one}(" in source] or ["fullmatch"]


def beginnings(parts: Any, before: str = "") -> Iterator[str]:
    """Texts that fit a pattern up to the end of each of its parts, also of those within groups and branches."""
    yield before
    for kind, value in parts:
        if kind is constants.SUBPATTERN:
            yield from beginnings(value[-1], before)
        elif kind is constants.BRANCH:
            for branch in (value[1][0], value[1][-1]):
                yield from beginnings(branch, before)
        elif kind in (constants.MAX_REPEAT, constants.MIN_REPEAT, constants.POSSESSIVE_REPEAT):
            yield from beginnings(value[2], before)
        before += least(kind, value)
        yield before


def least(kind: Any, value: Any) -> str:
    """A short text that fits one part of a pattern."""
    if kind is constants.LITERAL:
        return chr(value)
    if kind in (constants.ANY, constants.NOT_LITERAL):
        return "a"
    if kind is constants.IN:
        return in_set(value)
    if kind in (constants.MAX_REPEAT, constants.MIN_REPEAT, constants.POSSESSIVE_REPEAT):
        return "".join(least(*part) for part in value[2]) * min(value[0] or 1, 40)
    if kind is constants.SUBPATTERN:
        return "".join(least(*part) for part in value[-1])
    if kind is constants.BRANCH:
        return "".join(least(*part) for part in value[1][0])
    return ""


def in_set(parts: Any) -> str:
    """A letter of a set."""
    text = "[" + "".join(in_brackets(*part) for part in parts) + "]"
    return next((one for one in LETTERS + "bABf1~!" if re.fullmatch(text, one)), "a")


def in_brackets(kind: Any, value: Any) -> str:
    """A part of a set, as it is written."""
    if kind is constants.NEGATE:
        return "^"
    if kind is constants.LITERAL:
        return re.escape(chr(value))
    if kind is constants.RANGE:
        return f"{re.escape(chr(value[0]))}-{re.escape(chr(value[1]))}"
    letters = {"DIGIT": r"\d", "NOT_DIGIT": r"\D", "SPACE": r"\s", "NOT_SPACE": r"\S", "WORD": r"\w", "NOT_WORD": r"\W"}
    return letters[str(value).removeprefix("CATEGORY_")]


def hostile(pattern: re.Pattern[Any]) -> Iterator[str]:
    """Long texts that a pattern may take long to refuse."""
    for before in list(dict.fromkeys(beginnings(parser.parse(pattern.pattern, pattern.flags))))[:MOST_BEGINNINGS]:
        for letter in LETTERS:
            yield before + letter * LENGTH + "\x00"
            if before:
                yield before * (LENGTH // len(before)) + letter + "\x00"


def cost(pattern: re.Pattern[Any], method: str, text: str) -> float:
    """Seconds of CPU that a text costs."""
    held: Any = text.encode() if isinstance(pattern.pattern, bytes) else text
    begin = time.process_time()
    found = getattr(pattern, method)(*([b"", held] if isinstance(held, bytes) else ["", held])[method != "sub" :])
    for _ in found if method == "finditer" else ():
        pass
    return time.process_time() - begin


ALL = {f"{module} {name} {number}": (module, name, one) for number, (module, name, one) in enumerate(patterns())}


def test_every_pattern_is_found() -> None:
    names = {(module, name) for module, name, _ in ALL.values()}
    assert ("maestro.filters.tokens", "TOKEN") in names
    assert ("apps.registry.gates.bounds", "LINE") in names
    assert len(names) > 40
    assert set(SHORT) <= names


@pytest.mark.parametrize("key", ALL)
def test_no_pattern_costs_more_than_the_length(key: str) -> None:
    module, name, pattern = ALL[key]
    if (module, name) in SHORT:
        assert SHORT[module, name]
        return
    for method in used(module, name):
        for text in hostile(pattern):
            if cost(pattern, method, text) > SECONDS:
                again = min(cost(pattern, method, text) for _ in range(3))
                assert again < SECONDS, (method, text[:40], again)
