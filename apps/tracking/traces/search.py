"""The tracking room: a filter on traces and an order -> the ids of one page, and the place where the next begins.

Spans are files, which no filter looks into; regular expressions are refused, because their cost has no bound.
"""

# ruff: noqa: S608 statements are put together from constants of ours; every value is bound

from collections.abc import Sequence
from typing import Any

from apps.tracking.search.keysets import Key, beyond, ended, order_by
from apps.tracking.search.pages import Place, Search, check_place
from apps.tracking.search.predicates import Writer, compare, write
from apps.tracking.traces.prompts import LINKED, PromptVersion
from maestro.database.statements import execute
from maestro.errors import Invalid
from maestro.filters import Comparison, Field, Term, Vocabulary
from maestro.filters.vocabulary import LISTED, NUMERIC, OPTIONAL

EITHER = NUMERIC | OPTIONAL
TAG, METADATA = Field("tag", "", OPTIONAL), Field("metadata", "", OPTIONAL)
TEXTS = ("status", "name", "request_id", "trace_id", "client_request_id", "run_id")
NUMBERS = ("timestamp", "execution_time", "end_time")
VOCABULARY = Vocabulary(
    keyed={
        **dict.fromkeys(("tags", "tag"), TAG),
        **dict.fromkeys(("metadata", "request_metadata"), METADATA),
        **{kind: Field(kind, "", EITHER) for kind in ("feedback", "expectation")},
    },
    attributes={
        **{name: Field("attribute", name, LISTED) for name in TEXTS},
        **{name + unit: Field("attribute", name, NUMERIC) for name in NUMBERS for unit in ("", "_ms")},
        "experiment_id": Field("attribute", "experiment_id", frozenset({"=", "!=", "IN", "NOT IN"})),
        "prompt": Field("prompt", "", frozenset({"="})),
    },
    prefixes=frozenset({"attributes", "attribute", "attr", "trace"}),
    sortable=frozenset({"attribute", "tag", "metadata"}),
)
COLUMNS = {
    "status": "t.state",
    "name": "(t.tags ->> 'mlflow.traceName')",
    "request_id": "t.id",
    "trace_id": "t.id",
    "client_request_id": "nullif(t.client_request_id, '')",
    "run_id": "(t.metadata ->> 'mlflow.sourceRun')",
    "experiment_id": "t.experiment_id::text",
    "timestamp": "t.request_ms",
    "execution_time": "t.duration_ms",
    "end_time": "(t.request_ms + t.duration_ms)",
}
WHOLE = {"timestamp": COLUMNS["timestamp"], "experiment_id": "t.experiment_id"}  # numbers that every trace has
SAID = """EXISTS (SELECT FROM tracking_assessment a WHERE a.trace_id = t.id AND a.kind = {kind} AND a.name = {name}
 AND a.is_valid AND {test})"""
# Found first, by the index of run_ids, whatever Postgres guesses of the rest.
OF_RUNS = "(t.id = ANY (ARRAY(SELECT l.id FROM tracking_trace l WHERE l.run_ids && {runs})))"
AS_TEXT = "(a.value #>> '{}')"
AS_NUMBER = "(CASE jsonb_typeof(a.value) WHEN 'number' THEN (a.value #>> '{}')::float8 END)"
NEWEST, ID = Key("t.request_ms", "::bigint", True), Key("t.id", "::text")


def clause(comparison: Comparison, writer: Writer) -> str:
    """Write one clause about a trace."""
    if comparison.kind in {"tag", "metadata"}:
        return compare(noted(comparison.kind, comparison.key, writer), comparison, writer)
    if comparison.kind in {"feedback", "expectation"}:
        return said(comparison, writer)
    if comparison.kind == "prompt":
        return linked(str(comparison.value), writer)
    if comparison.key == "run_id" and comparison.operator in {"=", "IN"}:
        given = [comparison.value] if isinstance(comparison.value, str) else list(comparison.value or ())  # type: ignore[arg-type]
        return OF_RUNS.format(runs=writer.bind(given, "::varchar(32)[]"))
    return compare(COLUMNS[comparison.key], comparison, writer)


def linked(value: str, writer: Writer) -> str:
    """Write a clause about a prompt, `name/version`, that a trace's tag names. Raises Invalid."""
    name, _, version = value.rpartition("/")
    if not name or not version:
        raise Invalid("Invalid prompts filter value. Expected format: prompt = 'name/version'", "bad_filter")
    entry = writer.bind(PromptVersion(name, version).entry, "::text")
    return f"(strpos(coalesce({noted('tag', LINKED, writer)}, ''), {entry}) > 0)"


def said(comparison: Comparison, writer: Writer) -> str:
    """Write a clause about what was said of a trace; what was overridden does not count."""
    kind, name = writer.bind(comparison.kind, "::text"), writer.bind(comparison.key, "::text")
    if comparison.operator.endswith("NULL"):
        found = SAID.format(kind=kind, name=name, test="true")
        return f"(NOT {found})" if comparison.operator == "IS NULL" else f"({found})"
    needed = {"LIKE": str, "ILIKE": str, "=": object, "!=": object}.get(comparison.operator, float)
    if not isinstance(comparison.value, needed):
        shown = f"{comparison.kind}.{comparison.key[:60]} {comparison.operator}"
        detail = f"Invalid clause(s) in filter string: {shown} needs {'text' if needed is str else 'a number'}"
        raise Invalid(detail, "bad_filter")
    expression = AS_NUMBER if isinstance(comparison.value, float) else AS_TEXT
    return SAID.format(kind=kind, name=name, test=compare(expression, comparison, writer))


def trace_keys(terms: Sequence[Term], writer: Writer) -> list[Key]:
    """Turn terms into keys; what a trace lacks comes last; ties go to the newest, then to the id."""
    return ended((key for term in terms for key in trace_key(term, writer)), NEWEST, ID)


def trace_key(term: Term, writer: Writer) -> list[Key]:
    """Turn one term into keys."""
    kind, name, down = term.field.kind, term.field.key, term.descending
    if kind == "attribute" and name in WHOLE:
        return [Key(WHOLE[name], "::bigint", down)]
    if kind == "attribute" and name in NUMBERS:
        return [Key(f"({COLUMNS[name]} IS NULL)", "::bool"), Key(COLUMNS[name], "::bigint", down)]
    text = COLUMNS[name] if kind == "attribute" else noted(kind, name, writer)
    column = f'({text}) COLLATE "C"'
    return [Key(f"({column} IS NULL)", "::bool"), Key(column, "::text", down)]


def noted(kind: str, key: str, writer: Writer) -> str:
    """Write the look-up of a tag or of metadata."""
    return f"(t.{'tags' if kind == 'tag' else 'metadata'} ->> {writer.bind(key, '::text')})"


def traces(
    search: Search, experiments: Sequence[int], *, most: int, token: Place | None = None
) -> tuple[list[str], Place | None]:
    """Find one page of traces: their ids, and the next page's token or None."""
    place = check_place(search, token)
    if not experiments:
        return [], None
    writer = Writer()
    keys = trace_keys(search.terms, writer)
    conditions = ["t.experiment_id = x.id"]
    if search.tree is not None:
        conditions.append(write(search.tree, writer, clause))
    if place is not None:
        if len(place) != len(keys):
            raise Invalid("Invalid page token: it belongs to another search", "bad_cursor")
        conditions.append(beyond(keys, place, writer))
    rows = execute(page_sql(keys, conditions, experiments, most, writer), writer.params, prepare=False)
    following: list[Any] | None = [search.digest(), *rows[most - 1][1:]] if len(rows) > most else None
    return [row[0] for row in rows[:most]], following


def page_sql(keys: Sequence[Key], conditions: list[str], experiments: Sequence[int], most: int, writer: Writer) -> str:
    """Write the walk: each experiment as far as the page may need, then merged."""
    columns = ", ".join(f"{key.expression} AS k{index}" for index, key in enumerate(keys))
    limit, homes = writer.bind(most + 1, "::bigint"), writer.bind(list(experiments), "::bigint[]")
    each = (
        f"SELECT t.id, {columns} FROM tracking_trace t WHERE {' AND '.join(conditions)}"
        f" ORDER BY {order_by(keys)} LIMIT {limit}"
    )
    outer = ", ".join(f"q.k{index} {'DESC' if key.descending else 'ASC'}" for index, key in enumerate(keys))
    return f"SELECT q.* FROM unnest({homes}) AS x (id) CROSS JOIN LATERAL ({each}) q ORDER BY {outer} LIMIT {limit}"
