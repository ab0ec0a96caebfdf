"""Every figure of the pages that comes from bench/results is read from there, so that neither changes alone."""

import gzip
import json
import re

import pytest

from tests.docs.blocks import ROOT, agree, number, tables

GROWTH, SIMULATIONS, FILES, DEMO = (f"bench/results/{name}.md" for name in ("growth", "simulations", "files", "demo"))


def measured(page: str, heading: str, row: str, column: str) -> float:
    """Read one cell of bench/results."""
    for table in tables(page):
        if table.heading.startswith(heading) and any(name.startswith(column) for name in table.columns):
            try:
                return number(table.cell(row, column))
            except StopIteration:
                continue
    raise AssertionError((page, heading, row, column))


# A sentence, each {} a figure; and where each is measured: file, heading, row, column, and by what it is divided.
Cell = tuple[str, str, str, str, float]
RUNS, POINTS, TENANTS = "Runs of an experiment", "Points of one run", "Tenants:"
VISITS, FLEET, BYTES = "Tenants:", "Migrations", "Bytes a point"
FILTER = "search by filter, ordered by a metric, 100"
LARGEST = "largest session"
SENTENCES: list[tuple[str, str, list[Cell]]] = [
    (
        "docs/scaling.md",
        "stops at the page: {}, {} and {} rows read",
        [(GROWTH, RUNS, f"{FILTER} {size}", "rows read", 1) for size in ("10,000", "100,000", "1,000,000")],
    ),
    (
        "docs/scaling.md",
        "a page of 10,000 cost {} and {} CPU ms",
        [(GROWTH, POINTS, "history-page", f"{size} points", 1) for size in ("100,000", "10,000,000")],
    ),
    (
        "docs/scaling.md",
        "the sample {} and {}, the curve",
        [(GROWTH, POINTS, "history-bulk", f"{size} points", 1) for size in ("100,000", "10,000,000")],
    ),
    (
        "docs/scaling.md",
        "the curve {} and {} ms in Postgres",
        [(GROWTH, POINTS, f"curve of a page {size}", "ms", 1) for size in ("100,000", "10,000,000")],
    ),
    (
        "docs/scaling.md",
        "A point takes {} bytes in a chunk once folded, {} in the chunks",
        [
            (GROWTH, BYTES, "all of it, written without gaps", "bytes a point", 1),
            (GROWTH, BYTES, "in batches of 1,000", "bytes a point", 1),
        ],
    ),
    (
        "docs/scaling.md",
        "and {} as a single row (budget {}: missed)",
        [
            (GROWTH, BYTES, "as single rows", "bytes a point", 1),
            (GROWTH, BYTES, "as single rows", "budget", 1),
        ],
    ),
    (
        "docs/scaling.md",
        "logged in batches and folded, then add {} bytes each",
        [(GROWTH, BYTES, "growth of all tables by as many more, in batches and folded, 3", "bytes a point", 1)],
    ),
    (
        "docs/scaling.md",
        "A file goes in at {} of the speed of copying it with its sha256 on the same disk and comes out at {} times",
        [(FILES, "A large file", way, "speed", 1) for way in ("PUT", "GET")],
    ),
    ("docs/scaling.md", "server's memory rises by {} MB", [(FILES, "A large file", "GET", "memory rise", 1)]),
    (
        "docs/scaling.md",
        "A tenant is a schema: {} relations in Postgres and {} MB of disk",
        [
            (GROWTH, TENANTS, "1,000 900", "relations", 1000),
            (GROWTH, TENANTS, "1,000 900", "database MB", 1000),
        ],
    ),
    (
        "docs/scaling.md",
        "making one takes {} to {} s, {} s as",
        [
            (GROWTH, TENANTS, "100 99", "ms to make one", 1000),
            (GROWTH, TENANTS, "1 1", "ms to make one", 1000),
            (GROWTH, TENANTS, "1,000 900", "ms to make one", 1000),
        ],
    ),
    ("docs/scaling.md", "each tenant it served: {} MB a tenant", [(GROWTH, VISITS, "1,000 22.5", LARGEST, 1000)]),
    (
        "docs/scaling.md",
        "1,000 busy tenants that is {} GB (computed: 16 sessions",
        [(GROWTH, VISITS, "1,000 22.5", LARGEST, 1000 / 16)],
    ),
    ("docs/scaling.md", "nothing to do {} s", [(GROWTH, FLEET, "no-op", "seconds", 1)]),
    (
        "docs/scaling.md",
        "a new table with its permissions {} s ({} ms a tenant, of it {} ms of Postgres",
        [
            (GROWTH, FLEET, "a new table, with permissions", column, by)
            for column, by in (("seconds", 1), ("ms a tenant", 1), ("CPU s: Postgres", 1))
        ],
    ),
    (
        "docs/scaling.md",
        "of Postgres writing catalogs of {} GB",
        [(GROWTH, TENANTS, "1,000 900", "of it catalog MB", 1000)],
    ),
    ("docs/scaling.md", "a new column {} ms a tenant", [(GROWTH, FLEET, "a new column", "ms a tenant", 1)]),
    (
        "docs/learning.md",
        "the run unit serves with {}; finished projects come to {} on",
        [(DEMO, "Backtests", f"impact by {unit}", "error ratio", 1) for unit in ("runs", "finished projects")],
    ),
    (
        "docs/learning.md",
        "do have effects, {} make no claim",
        [(DEMO, "How often", "effects as simulated", "no claim", 1)],
    ),
    ("docs/learning.md", "nothing to claim, {} make none", [(DEMO, "How often", "no effect", "no claim", 1)]),
    ("docs/learning.md", "on the demo, {} claims, none", [(DEMO, "Claims against", "demo", "claims", 1)]),
    (
        "docs/learning.md",
        "The error itself falls ({}, {}, {} points",
        [(SIMULATIONS, "Effects", f"observed {size}", "error, points", 1) for size in (200, 1000, 5000)],
    ),
    (
        "docs/learning.md",
        "with all causes recorded; {}, {}, {} with one unrecorded",
        [(SIMULATIONS, "Effects", f"hidden {size}", "error, points", 1) for size in (200, 1000, 5000)],
    ),
]


def as_pattern(sentence: str) -> str:
    """Write a sentence as a pattern, whose lines may be broken anywhere."""
    return re.sub(r"\s+", r"\\s+", re.escape(sentence).replace(r"\{\}", r"([\d.,]*\d)").replace(r"\ ", " "))


@pytest.mark.parametrize(("page", "sentence", "cells"), SENTENCES, ids=[row[1][:40] for row in SENTENCES])
def test_a_sentence_says_what_was_measured(page: str, sentence: str, cells: list[Cell]) -> None:
    found = re.search(as_pattern(sentence), (ROOT / page).read_text())
    assert found, f"{page} says no longer: {sentence}"
    for shown, (file, heading, row, column, by) in zip(found.groups(), cells, strict=True):
        assert agree(shown, measured(file, heading, row, column) / by), (shown, file, row, column)


# Bounds and settings, which no bench measures, and what is added up in a test of its own.
SET = {
    "README.md": [],
    "docs/scaling.md": [
        "`statement_timeout` (15 s, `MAESTRO_STATEMENT_TIMEOUT_MS`)",
        "does not empty within 20 s",
        "more than 220 MB in one",
        "tenants served within ten minutes × 0.13 MB",
        "a few runs each took 20.9 CPU ms a tenant",
        "(budget 160: missed)",
    ],
}
FIGURE = re.compile(r"[\d.,]*\d (?:CPU )?(?:ms|s|min|MB|GB|bytes|KiB|MiB)\b")


def spans(page: str, text: str) -> list[tuple[int, int]]:
    """Where a page says what a test reads from bench/results, or what is set."""
    held = [as_pattern(sentence) for at, sentence, _ in SENTENCES if at == page] + [
        as_pattern(one) for one in SET[page]
    ]
    found = [re.search(pattern, text) for pattern in held]
    assert all(found), [pattern for pattern, one in zip(held, found, strict=True) if not one]
    return [one.span() for one in found if one]


@pytest.mark.parametrize("page", SET)
def test_no_figure_stands_there_without_a_source(page: str) -> None:
    text = (ROOT / page).read_text()
    outside = re.sub(r"^\|[^\n]*|^```.*?^```", lambda m: " " * len(m[0]), text, flags=re.MULTILINE | re.DOTALL)
    held = spans(page, text)
    loose = [m[0] for m in FIGURE.finditer(outside) if not any(a <= m.start() and m.end() <= b for a, b in held)]
    assert loose == [], "measure these into bench/results and read them in SENTENCES, or strike them"


def test_what_folding_costs_is_what_was_measured() -> None:
    idle = [measured(GROWTH, VISITS, "1,000 7.4", column) for column in ("CPU ms a tenant", "Postgres")]
    assert agree("20.9", sum(idle))


OPERATIONS = {
    "log-batch of 1,000 points": "log-batch-1000",
    "log-metric": "log-metric",
    "CI job: create, log 35 values, finish": "ci-job",
    "filter and order by a metric, 100 runs": "search-filter",
    "page of 1,000 runs": "search-page",
    "run list in the admin": "admin: a page of the run list",
}


def test_what_a_request_costs_while_data_grow_is_what_was_measured() -> None:
    table = next(table for table in tables("docs/scaling.md") if table.columns[0] == "operation")
    assert {row[0] for row in table.rows} == set(OPERATIONS)
    for row in table.rows:
        for shown, size in zip(row[1:4], ("10,000", "100,000", "1,000,000"), strict=True):
            assert agree(shown, measured(GROWTH, RUNS, OPERATIONS[row[0]], f"{size} runs")), (row[0], size)


def test_what_tenants_cost_is_what_was_measured() -> None:
    table = next(table for table in tables("docs/scaling.md") if table.columns[:2] == ["tenants", "relations"])
    assert len(table.rows) == 3
    for row, made, first in zip(table.rows, (1, 99, 900), ("76.2", "12.6", "22.5"), strict=True):
        making, visiting = f"{row[0]} {made}", f"{row[0]} {first}"
        assert agree(row[1], measured(GROWTH, TENANTS, making, "relations"))
        assert agree(row[2], measured(GROWTH, TENANTS, making, "database MB"))
        assert agree(row[3], measured(GROWTH, TENANTS, making, "of it catalog"))
        assert agree(row[4], measured(GROWTH, VISITS, visiting, "later visits"))
        spent = measured(GROWTH, VISITS, visiting, "CPU ms a visit") + measured(GROWTH, VISITS, visiting, "Postgres")
        assert agree(row[5], spent)
        assert agree(row[6], measured(GROWTH, VISITS, visiting, LARGEST))


def test_how_often_intervals_held_the_truth_is_what_was_measured() -> None:
    table = next(table for table in tables("docs/learning.md") if table.columns[0] == "projects (tenants)")
    assert len(table.rows) == 3
    for row in table.rows:
        for shown, causes in zip(row[1:], ("observed", "nonlinear", "hidden"), strict=True):
            size = row[0].partition(" ")[0]
            assert agree(shown, measured(SIMULATIONS, "Effects", f"{causes} {size}", "coverage")), (row, causes)


def test_the_history_is_as_large_as_the_pages_say() -> None:
    with gzip.open(ROOT / "bench" / "history" / "history.jsonl.gz", "rt") as file:
        projects = [json.loads(line) for line in file][1:]
    said = f"{sum(len(project['runs']) for project in projects):,} real runs of {len(projects)} projects"
    assert said in (ROOT / "README.md").read_text()
