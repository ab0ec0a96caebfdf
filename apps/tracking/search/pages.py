"""The tracking room: a parsed filter and an order -> the ids of one page, and the place where the next begins.

Ids first, documents second. An order by a metric walks the index of that metric within the experiment: first its
numbers, then NaN, then the runs that lack it. A clause that few runs satisfy is looked up first.
"""

# ruff: noqa: S608 statements are put together from constants of ours; every value is bound

import hashlib
import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from apps.tracking.search.keysets import Key, beyond, experiment_keys, going_on, order_by, run_keys
from apps.tracking.search.predicates import (
    PAIRS,
    Writer,
    conjuncts,
    experiment_clause,
    is_short_equality,
    key_id,
    run_clause,
    write,
)
from maestro.database.statements import execute
from maestro.errors import Invalid
from maestro.filters import Comparison, Field, Node, Term, Vocabulary
from maestro.filters.vocabulary import LISTED, NUMERIC, OPTIONAL, TEXT
from maestro.principals import Reach

METRIC, PARAM, TAG = Field("metric", "", NUMERIC), Field("param", "", OPTIONAL), Field("tag", "", OPTIONAL)
NAMES = ("run_name", "run name", "Run name", "Run Name")
RUNS = Vocabulary(
    keyed={
        **dict.fromkeys(("metrics", "metric"), METRIC),
        **dict.fromkeys(("params", "param", "parameters", "parameter"), PARAM),
        **dict.fromkeys(("tags", "tag"), TAG),
    },
    attributes={
        **{name: Field("attribute", name, TEXT) for name in ("status", "artifact_uri", "user_id")},
        **dict.fromkeys(NAMES, Field("attribute", "run_name", TEXT)),
        "run_id": Field("attribute", "run_id", LISTED),
        **dict.fromkeys(("start_time", "created", "Created"), Field("attribute", "start_time", NUMERIC)),
        "end_time": Field("attribute", "end_time", NUMERIC),
        **{
            f"{prefix}.{key}": Field("dataset", key, LISTED)
            for prefix in ("dataset", "datasets")
            for key in ("name", "digest", "context")
        },
    },
    prefixes=frozenset({"attributes", "attribute", "attr", "run"}),
    sortable=frozenset({"attribute", "metric", "param", "tag"}),
)
EXPERIMENTS = Vocabulary(
    keyed=dict.fromkeys(("tags", "tag"), TAG),
    attributes={
        "name": Field("attribute", "name", TEXT),
        "experiment_id": Field("attribute", "experiment_id", frozenset({"=", "!=", "IN", "NOT IN"})),
        "creation_time": Field("attribute", "creation_time", NUMERIC),
        "last_update_time": Field("attribute", "last_update_time", NUMERIC),
    },
    prefixes=frozenset({"attributes", "attribute", "attr"}),
)
VIEWS = ("ACTIVE_ONLY", "DELETED_ONLY", "ALL")
LIFE = {"ACTIVE_ONLY": "{0}.deleted_ms IS NULL", "DELETED_ONLY": "{0}.deleted_ms IS NOT NULL", "ALL": "true"}
HAS_METRIC = "EXISTS (SELECT FROM tracking_latestmetric l WHERE l.run_id = r.id AND l.key_id = {key})"
FEW = 200
OF_ROW = re.compile(r"\br\.")  # a clause that needs the run's row
NUMBERS, NANS, LACKING, WHOLE = 0, 1, 2, 3
# Asked for in the index's own order, so that Postgres stops at the limit instead of reading the whole range.
ONWARD = ' ORDER BY key, "left"(value, 64), run_id'
Place = list[Any]


@dataclass(frozen=True)
class Search:
    """What is searched: a filter's tree, an order, and whether the trash counts."""

    tree: Node | None = None
    terms: tuple[Term, ...] = ()
    view: str = "ACTIVE_ONLY"

    def digest(self) -> str:
        """Name this search, so that a page token of another one is refused."""
        return hashlib.sha256(repr((self.tree, self.terms, self.view)).encode()).hexdigest()[:12]


def check_place(search: Search, token: Place | None) -> Place | None:
    """Take a page token apart. Raises Invalid for a token of another search."""
    if token is None:
        return None
    if len(token) < 3 or token[0] != search.digest():
        raise Invalid("Invalid page token: it belongs to another search", "bad_cursor")
    return token[1:]


def runs(
    search: Search,
    experiments: Sequence[int],
    *,
    most: int,
    token: Place | None = None,
) -> tuple[list[uuid.UUID], Place | None]:
    """Find one page of runs: their ids, and the next page's token or None."""
    place = check_place(search, token)
    if not experiments:
        return [], None
    few = rare_runs(search, experiments)
    found: list[uuid.UUID] = []
    for phase in phases(search):
        if place is not None and phase < place[0]:
            continue
        after = place[1:] if place is not None and place[0] == phase else None
        rows = walk(search, phase, experiments, few, after, most + 1 - len(found))
        if len(found) + len(rows) > most:
            kept = rows[: most - len(found)]
            if kept:
                last = [phase, *map(plain, kept[-1])]
            found += [row[-1] for row in kept]
            return found, [search.digest(), *last]
        found += [row[-1] for row in rows]
        if rows:
            last = [phase, *map(plain, rows[-1])]
    return found, None


def plain(value: Any) -> Any:
    """Make a sort value fit for a token."""
    return value.hex if isinstance(value, uuid.UUID) else value


def phases(search: Search) -> tuple[int, ...]:
    """List the walks of an order: one, or three if it begins with a metric."""
    if not search.terms or search.terms[0].field.kind != "metric":
        return (WHOLE,)
    bounds = bounds_of(search)
    if any(bound.operator != "!=" for bound in bounds):
        return (NUMBERS,)
    return (NUMBERS, NANS) if bounds else (NUMBERS, NANS, LACKING)


def bounds_of(search: Search) -> list[Comparison]:
    """List the clauses that every run must satisfy about the metric that comes first in the order."""
    name = search.terms[0].field.key
    return [
        part
        for part in conjuncts(search.tree)
        if isinstance(part, Comparison) and part.kind == "metric" and part.key == name
    ]


def walk(
    search: Search,
    phase: int,
    experiments: Sequence[int],
    few: list[uuid.UUID] | None,
    after: Sequence[Any] | None,
    most: int,
) -> list[tuple[Any, ...]]:
    """Walk one phase from a place on: rows of the sort values, of which the id is the last."""
    by_value = phase in {NUMBERS, NANS}
    walked = bounds_of(search) if by_value else []
    writer = Writer("m.run_id" if by_value else "r.id")
    clauses = [write(part, writer, run_clause) for part in conjuncts(search.tree) if part not in walked]
    terms = search.terms if phase == WHOLE else search.terms[1:]
    keys = run_keys(terms, writer)
    conditions = [LIFE[search.view].format("r")]
    source, metric = "tracking_run r", "true"
    if few is not None:
        source = f"unnest({writer.bind(few, '::uuid[]')}) AS f (id) {looked_up('f.id')}"
    if by_value:
        source = f"tracking_latestmetric m {looked_up('m.run_id', *(c for c in clauses if not OF_ROW.search(c)))}"
        clauses = [clause for clause in clauses if OF_ROW.search(clause)]
        metric = f"m.key_id = {key_id(writer.bind(search.terms[0].field.key, '::text'))}"
        conditions.append("m.value < 'NaN'" if phase == NUMBERS else "m.value = 'NaN'")
        conditions += [sargable(bound, writer) for bound in walked]
    if phase == NUMBERS:
        keys.insert(0, Key("m.value", "::float8", search.terms[0].descending))
    if phase == LACKING:
        lacking = key_id(writer.bind(search.terms[0].field.key, "::text"))
        conditions.append(f"NOT {HAS_METRIC.format(key=lacking)}")
    conditions.append(metric)
    if few is not None and by_value:
        conditions.append(f"m.run_id = ANY({writer.bind(few, '::uuid[]')})")
    conditions += clauses
    conditions += going_on(keys, after, writer)
    return send(source, conditions, keys, experiments, "m" if by_value else "r", most, writer)


def looked_up(identity: str, *first: str) -> str:
    """Write a look-up of one run by its key, which OFFSET 0 keeps Postgres from turning into a join of tables.

    What comes `first` is asked of the identity alone, before the row is fetched. Asked outside, it would make Postgres
    expect few rows, and sort all of them instead of walking to the limit.
    """
    return (
        f"CROSS JOIN LATERAL (SELECT * FROM tracking_run WHERE {' AND '.join([*first, f'id = {identity}'])} OFFSET 0) r"
    )


def sargable(bound: Comparison, writer: Writer) -> str:
    """Write a bound as an index can use it. The value is there, and which of NaN and numbers it is, is known."""
    return f"m.value {bound.operator.replace('!=', '<>')} {writer.bind(bound.value, '::float8')}"


def send(
    source: str,
    conditions: list[str],
    keys: list[Key],
    experiments: Sequence[int],
    owner: str,
    most: int,
    writer: Writer,
) -> list[tuple[Any, ...]]:
    """Walk one experiment, or each of several as far as the page may need, and merge."""
    columns = ", ".join(f"{key.expression} AS k{index}" for index, key in enumerate(keys))
    limit = writer.bind(most, "::bigint")
    where = " AND ".join(conditions)
    if len(experiments) == 1:
        home = f"{owner}.experiment_id = {writer.bind(experiments[0], '::bigint')}"
        sql = f"SELECT {columns} FROM {source} WHERE {home} AND {where} ORDER BY {order_by(keys)} LIMIT {limit}"
        return execute(sql, writer.params, prepare=False)
    each = f"SELECT {columns} FROM {source} WHERE {owner}.experiment_id = x.id AND {where} ORDER BY {order_by(keys)} LIMIT {limit}"
    outer = ", ".join(f"q.k{index} {'DESC' if key.descending else 'ASC'}" for index, key in enumerate(keys))
    homes = writer.bind(list(experiments), "::bigint[]")
    sql = f"SELECT q.* FROM unnest({homes}) AS x (id) CROSS JOIN LATERAL ({each}) q ORDER BY {outer} LIMIT {limit}"
    return execute(sql, writer.params, prepare=False)


def rare_runs(search: Search, experiments: Sequence[int]) -> list[uuid.UUID] | None:
    """Find the runs of the first clause that at most FEW satisfy, or None if each clause is common."""
    first = search.terms[0].field if search.terms else None
    for part in conjuncts(search.tree)[:4]:
        if not isinstance(part, Comparison):
            continue
        ordered = first is not None and (part.kind, part.key) == (first.kind, first.key)
        sql, writer = probe(part, experiments)
        if ordered or not sql:
            continue
        counted = (
            f"SELECT CASE WHEN count(*) <= {FEW} THEN array_agg(run_id) END, count(*) FROM ({sql} LIMIT {FEW + 1}) q"
        )
        # Of a param or tag it is one index range, read in the index's order up to a limit, whatever the value.
        some, number = execute(counted, writer.params, prepare=part.kind in PAIRS)[0]
        if number <= FEW:
            return list(some or ())
    return None


def probe(part: Comparison, experiments: Sequence[int]) -> tuple[str, Writer]:
    """Write the index look-up of a clause, or nothing if no index serves it."""
    writer = Writer()
    if is_short_equality(part):
        key, value = writer.bind(part.key, "::text"), writer.bind(part.value, "::text")
        return (
            f'SELECT run_id FROM {PAIRS[part.kind]} WHERE key = {key} AND "left"(value, 64) = {value}{ONWARD}',
            writer,
        )
    if part.kind == "metric" and part.operator != "!=":
        homes, key = writer.bind(list(experiments), "::bigint[]"), key_id(writer.bind(part.key, "::text"))
        bound = writer.bind(part.value, "::float8")
        return (
            f"SELECT run_id FROM tracking_latestmetric WHERE experiment_id = ANY({homes}) AND key_id = {key}"
            f" AND value {part.operator} {bound} AND value < 'NaN' ORDER BY value",
            writer,
        )
    return "", writer


def experiments(
    search: Search,
    *,
    projects: Reach,
    most: int,
    token: Place | None = None,
) -> tuple[list[int], Place | None]:
    """Find one page of experiments: their numbers, and the next page's token or None."""
    place = check_place(search, token)
    writer = Writer()
    keys = experiment_keys(search.terms)
    conditions = [LIFE[search.view].format("e")]
    if projects is not None:
        conditions.append(f"e.project_id = ANY({writer.bind(projects, '::uuid[]')})")
    if search.tree is not None:
        conditions.append(write(search.tree, writer, experiment_clause))
    if place is not None:
        if len(place) != len(keys) + 1:
            raise Invalid("Invalid page token: it belongs to another search", "bad_cursor")
        conditions.append(beyond(keys, place[1:], writer))
    columns = ", ".join(key.expression for key in keys)
    sql = (
        f"SELECT e.id, {columns} FROM tracking_experiment e WHERE {' AND '.join(conditions)}"
        f" ORDER BY {order_by(keys)} LIMIT {writer.bind(most + 1, '::bigint')}"
    )
    rows = execute(sql, writer.params, prepare=False)
    following = [search.digest(), WHOLE, *rows[most - 1][1:]] if len(rows) > most else None
    return [row[0] for row in rows[:most]], following
