"""Style sheets parse without an error, and use only custom properties that one of them defines."""

from collections.abc import Iterable, Iterator

import pytest
import tinycss2
from tinycss2.ast import AtRule, Declaration, FunctionBlock, Node, ParseError, QualifiedRule

from tests.architecture.rules import ROOT

SHEETS = {
    str(path.relative_to(ROOT)): path.read_text()
    for path in sorted(ROOT.glob("static/**/*.css"))
    if "vendor" not in path.parts
}
# At-rules whose block holds rules, not declarations.
HOLDS_RULES = {"media", "supports", "layer", "container", "keyframes"}


def parts(nodes: Iterable[Node]) -> Iterator[Node]:
    """Walk declarations and parse errors of a sheet, through the blocks of its rules."""
    for node in nodes:
        if isinstance(node, Declaration | ParseError):
            yield node
        elif isinstance(node, AtRule) and node.lower_at_keyword in HOLDS_RULES:
            yield from parts(tinycss2.parse_rule_list(node.content, skip_comments=True, skip_whitespace=True))
        elif isinstance(node, QualifiedRule | AtRule) and node.content is not None:
            yield from parts(tinycss2.parse_blocks_contents(node.content, skip_comments=True, skip_whitespace=True))


def read(sheet: str) -> list[Node]:
    """List the declarations and parse errors of a sheet."""
    return list(parts(tinycss2.parse_stylesheet(sheet, skip_comments=True, skip_whitespace=True)))


def errors(sheet: str) -> list[str]:
    """Say what a sheet's parser could not read."""
    return [f"{node.source_line}: {node.message}" for node in read(sheet) if isinstance(node, ParseError)]


def defined(sheet: str) -> set[str]:
    """Name the custom properties that a sheet sets."""
    return {node.name for node in read(sheet) if isinstance(node, Declaration) and node.name.startswith("--")}


def used(sheet: str) -> set[str]:
    """Name the custom properties that a sheet reads by `var`."""
    return {name for node in read(sheet) if isinstance(node, Declaration) for name in read_by_var(node.value)}


def read_by_var(values: Iterable[Node]) -> Iterator[str]:
    """Name what `var` reads in a value, and in the blocks and functions of it."""
    for value in values:
        inner = getattr(value, "arguments", None) or getattr(value, "content", None) or []
        if isinstance(value, FunctionBlock) and value.lower_name == "var":
            yield next(node.value for node in inner if node.type == "ident")
        yield from read_by_var(inner)


@pytest.mark.parametrize("name", SHEETS)
def test_a_sheet_parses(name: str) -> None:
    assert errors(SHEETS[name]) == []
    assert len(read(SHEETS[name])) > 10


@pytest.mark.parametrize("name", SHEETS)
def test_a_sheet_uses_what_is_defined(name: str) -> None:
    assert used(SHEETS[name]) - set().union(*map(defined, SHEETS.values())) == set()


@pytest.mark.parametrize("planted", ["a { color red }", "@media print { a { : } }", "a { color: red } }"])
def test_a_planted_error_is_found(planted: str) -> None:
    assert errors(planted)


def test_a_property_that_nobody_defines_is_found() -> None:
    assert used("@media print { a { margin: calc(2 * var(--gone, var(--too))) } }") == {"--gone", "--too"}
    assert defined(":root { --here: 1px; color: red }") == {"--here"}
