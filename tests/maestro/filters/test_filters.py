"""The filter language: what it means, and what it refuses, in bounded time."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maestro.errors import Fault, Invalid
from maestro.filters import And, Comparison, Node, Not, Or, parse, parse_order
from maestro.filters.vocabulary import LISTED, NUMERIC, OPTIONAL, TEXT, Field, Vocabulary

METRIC, PARAM = Field("metric", "", NUMERIC), Field("param", "", OPTIONAL)
WORDS = Vocabulary(
    keyed={"metrics": METRIC, "params": PARAM},
    attributes={"status": Field("attribute", "status", TEXT), "run_id": Field("attribute", "run_id", LISTED)},
    prefixes=frozenset({"attributes"}),
    sortable=frozenset({"attribute", "metric", "param"}),
)


def metric(key: str, operator: str, value: float) -> Comparison:
    return Comparison("metric", key, operator, value)


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("metrics.a > 1", metric("a", ">", 1)),
        ("metrics.a.b/c >= -1e-3", metric("a.b/c", ">=", -0.001)),
        ("metrics.`my key` <> .5", metric("my key", "!=", 0.5)),
        ('metrics."x y" = 2', metric("x y", "=", 2)),
        ("status = 'RUNNING'", Comparison("attribute", "status", "=", "RUNNING")),
        ('attributes.status ilike "run%"', Comparison("attribute", "status", "ILIKE", "run%")),
        ("params.p = 'it''s'", Comparison("param", "p", "=", "it's")),
        ("params.p is not null", Comparison("param", "p", "IS NOT NULL")),
        ("run_id not in ('a', 'b')", Comparison("attribute", "run_id", "NOT IN", ("a", "b"))),
        ("metrics.a>1 and metrics.b<2", And((metric("a", ">", 1), metric("b", "<", 2)))),
        (
            "metrics.a = 1 OR metrics.b = 2 AND NOT (metrics.c = 3)",
            Or((metric("a", "=", 1), And((metric("b", "=", 2), Not(metric("c", "=", 3)))))),
        ),
        ("  ", None),
    ],
)
def test_text_becomes_the_tree_it_means(text: str, tree: Node | None) -> None:
    assert parse(text, WORDS) == tree


REFUSED = [
    "metrics.a",
    "metrics.a >",
    "metrics.a > 'x'",
    "metrics.a LIKE 'x'",
    "metrics. > 1",
    "metrics.a > 1 AND",
    "metrics.a > 1 metrics.b > 2",
    "metrics.a > 1; DROP TABLE x",
    "(metrics.a > 1",
    "metrics.a > 1)",
    "params.p = x",
    "params.p = 5",
    "params.p > 'x'",
    "params.p = 'unclosed",
    "params.p NOT LIKE 'x'",
    "run_id IN ()",
    "run_id IN ('a'",
    "status IN ('a')",
    "unknown = 'x'",
    "attributes.unknown = 'x'",
    "x.y.z = 'x'",
    "= 1",
    "NOT",
    "()",
    "params.p IS NOT",
    "params.p\x01= 'x'",
    "params." + "k" * 251 + " = 'x'",
]


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_no_filter_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="Invalid clause"):
        parse(text, WORDS)


@pytest.mark.parametrize(
    "text",
    [
        " AND ".join(["metrics.a > 1"] * 3000),
        " AND ".join(["metrics.a > 1"] * 65),
        "(" * 2000 + "metrics.a > 1" + ")" * 2000,
        "NOT " * 1000 + "metrics.a > 1",
        "'" * 4095,
        "''" * 2047 + "x",
        "params.p = '" + "%" * 4000,
        "a." * 2000,
        "1" * 4096,
        " " * 4000 + "metrics.a >",
    ],
)
def test_hostile_filters_are_refused_quickly(text: str) -> None:
    began = time.process_time()
    with pytest.raises(Invalid):
        parse(text, WORDS)
    assert time.process_time() - began < 0.5


KEYS = st.sampled_from(["a", "b c", "d.e/f", "ü"])
CLAUSES = st.one_of(
    st.builds(metric, KEYS, st.sampled_from(sorted(NUMERIC)), st.floats(allow_nan=False, allow_infinity=False)),
    st.builds(Comparison, st.just("param"), KEYS, st.sampled_from(["=", "LIKE"]), st.text("a'\"%_ é", max_size=6)),
    st.builds(Comparison, st.just("param"), KEYS, st.sampled_from(["IS NULL", "IS NOT NULL"])),
)


def combine(parts: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    several = st.lists(parts, min_size=2, max_size=3).map(tuple)
    return st.one_of(st.builds(Not, parts), st.builds(And, several), st.builds(Or, several))


TREES: st.SearchStrategy[Node] = st.recursive(CLAUSES, combine, max_leaves=8)


def show(node: Node) -> str:
    """Write a tree as text, with parentheses wherever they might matter."""
    if isinstance(node, Not):
        return f"NOT ({show(node.part)})"
    if isinstance(node, And | Or):
        word = " AND " if isinstance(node, And) else " or "
        return word.join(f"({show(part)})" for part in node.parts)
    left = f"{node.kind}s.`{node.key}` {node.operator}"
    if node.value is None:
        return left
    if isinstance(node.value, str):
        return left + " '" + node.value.replace("'", "''") + "'"
    return f"{left} {node.value!r}"


@settings(max_examples=200, deadline=None)
@given(tree=TREES)
def test_a_tree_survives_being_written_and_parsed(tree: Node) -> None:
    assert parse(show(tree), WORDS) == tree


@given(text=st.text(max_size=60))
def test_no_text_does_anything_but_parse_or_be_refused(text: str) -> None:
    faults = [Fault("", "", "")]
    try:
        parse(text, WORDS)
        parse_order([text], WORDS)
    except Invalid as error:
        faults = list(error.faults)
    assert faults


def test_orders_have_a_direction() -> None:
    terms = parse_order(["metrics.a DESC", "params.`x y`", "status asc"], WORDS)
    assert [(term.field.kind, term.field.key, term.descending) for term in terms] == [
        ("metric", "a", True),
        ("param", "x y", False),
        ("attribute", "status", False),
    ]


@pytest.mark.parametrize(
    "entry", ["", "metrics.a DOWN", "metrics.a DESC, b", "1", "unknown", "metrics.a DESC DESC", "x" * 700]
)
def test_what_is_no_order_is_refused(entry: str) -> None:
    with pytest.raises(Invalid, match="order_by"):
        parse_order([entry], WORDS)


def test_only_kinds_that_have_an_order_are_sorted_by() -> None:
    plain = Vocabulary(keyed=WORDS.keyed, attributes=WORDS.attributes)
    assert parse_order(["status"], plain)
    for entry in ("metrics.a", "params.a DESC"):
        with pytest.raises(Invalid, match="can't be sorted by"):
            parse_order([entry], plain)
