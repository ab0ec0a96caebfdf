"""The registry room: a filter's tree -> a condition on artifacts, versions or logged models."""

import operator
from collections.abc import Callable
from functools import reduce
from typing import Any

from django.db.models import CharField, Exists, F, Func, Lookup, Q, TextField, Value
from django.db.models.functions import Lower
from django.db.models.lookups import Exact, IsNull

from maestro.filters import And, Comparison, Node, Not
from maestro.filters.vocabulary import LISTED, NUMERIC, OPTIONAL, TEXT, Vocabulary
from maestro.filters.vocabulary import Field as Known

Clause = Callable[[Comparison], Q]
NUMBERS = {"=": "exact", ">": "gt", ">=": "gte", "<": "lt", "<=": "lte"}
TAGS = {"tags": Known("tag", "", OPTIONAL), "tag": Known("tag", "", OPTIONAL)}
PREFIXES = frozenset({"attributes", "attribute", "attr"})

ARTIFACTS = Vocabulary(
    keyed=TAGS,
    attributes={
        "name": Known("text", "name", LISTED),
        "timestamp": Known("number", "updated_ms", NUMERIC),
        "last_updated_timestamp": Known("number", "updated_ms", NUMERIC),
    },
    prefixes=PREFIXES,
)
VERSIONS = Vocabulary(
    keyed=TAGS,
    attributes={
        "name": Known("text", "artifact__name", LISTED),
        "run_id": Known("text", "run_hex", LISTED),
        "source_path": Known("text", "source", TEXT),
        "version_number": Known("number", "number", NUMERIC),
        "creation_timestamp": Known("number", "created_ms", NUMERIC),
        "last_updated_timestamp": Known("number", "updated_ms", NUMERIC),
    },
    prefixes=PREFIXES,
)
METRIC = Known("metric", "", NUMERIC)
PARAM = Known("param", "", OPTIONAL)
MODELS = Vocabulary(
    keyed=TAGS | {"metrics": METRIC, "metric": METRIC, "params": PARAM, "param": PARAM},
    attributes={
        "name": Known("text", "name", LISTED),
        "model_id": Known("text", "model_ref", LISTED),
        "model_type": Known("text", "model_type", LISTED),
        "status": Known("text", "status", LISTED),
        "source_run_id": Known("text", "run_ref", LISTED),
        "creation_timestamp": Known("number", "created_ms", NUMERIC),
        "creation_time": Known("number", "created_ms", NUMERIC),
        "last_updated_timestamp": Known("number", "updated_ms", NUMERIC),
    },
    prefixes=PREFIXES,
    sortable=frozenset({"text", "number", "metric"}),
)


class SqlLike(Lookup[Any]):
    """LIKE as MLflow means it: % and _ stand for others, and nothing escapes them."""

    lookup_name = "sqllike"

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        """Write the comparison."""
        left, left_params = self.process_lhs(compiler, connection)
        right, right_params = self.process_rhs(compiler, connection)
        return f"{left} LIKE {right} ESCAPE ''", (*left_params, *right_params)


for kind in (CharField, TextField):
    kind.register_lookup(SqlLike)
    kind.register_lookup(Lower)


def condition(node: Node | None, clause: Clause) -> Q:
    """Turn a tree into a condition."""
    if node is None:
        return Q()
    if isinstance(node, Comparison):
        return clause(node)
    if isinstance(node, Not):
        return ~condition(node.part, clause)
    parts = [condition(part, clause) for part in node.parts]
    return reduce(operator.and_ if isinstance(node, And) else operator.or_, parts)


def compare(column: str, asked: Comparison) -> Q:
    """Compare a column that always has a value, or is empty text."""
    if asked.operator in NUMBERS:
        return Q(**{f"{column}__{NUMBERS[asked.operator]}": asked.value})
    if asked.operator == "!=":
        return ~Q(**{column: asked.value})
    if asked.operator in ("IN", "NOT IN"):
        listed = Q(**{f"{column}__in": asked.value})
        return ~listed if asked.operator == "NOT IN" else listed
    return like(column, asked)


def like(column: str, asked: Comparison) -> Q:
    """LIKE and ILIKE."""
    if asked.operator == "ILIKE":
        return Q(**{f"{column}__lower__sqllike": str(asked.value).lower()})
    return Q(**{f"{column}__sqllike": asked.value})


def compare_tag(asked: Comparison, rows: Any) -> Q:
    """Compare a note; where there is none only IS NULL is true. `rows` are those of the thing in question."""
    named = rows.filter(key=asked.key)
    if asked.operator in ("IS NULL", "IS NOT NULL"):
        return ~Q(Exists(named)) if asked.operator == "IS NULL" else Q(Exists(named))
    return Q(Exists(named.filter(compare("value", asked))))


def json_text(column: str, key: str) -> Func:
    """Read one text out of a JSON object; a key of digits is a key, not an index."""
    return Func(F(column), Value(key), function="jsonb_extract_path_text", output_field=TextField())


def compare_json(column: str, asked: Comparison) -> Q:
    """Compare one entry of a JSON object of texts; where there is none only IS NULL is true."""
    entry = json_text(column, asked.key)
    there = Q(IsNull(entry, False))
    if asked.operator == "IS NULL":
        return Q(IsNull(entry, True))
    if asked.operator == "IS NOT NULL":
        return there
    if asked.operator in ("=", "!="):
        same = Q(Exact(entry, Value(str(asked.value))))
        return same if asked.operator == "=" else there & ~same
    if asked.operator == "ILIKE":
        return Q(SqlLike(Lower(entry), Value(str(asked.value).lower())))
    return Q(SqlLike(entry, Value(str(asked.value))))
