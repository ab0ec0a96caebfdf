"""The tracking room: a filter's tree -> SQL that is true or false for each run or experiment, never unknown.

A run's metrics, params and tags are looked up by scalar sub-selects, which Postgres can't turn into joins: it
walks the order that was asked for and stops early, whatever it guesses about the data.
"""

# ruff: noqa: S608 statements are put together from constants of ours; every value is bound

import uuid
from collections.abc import Callable
from typing import Any

from maestro.filters import And, Comparison, Node, Not


class Writer:
    """Collects a statement's values. `run` is where a run's id is read from: a clause is tried as soon as that is there."""

    def __init__(self, run: str = "r.id") -> None:
        self.params: dict[str, Any] = {}
        self.run = run

    def bind(self, value: Any, cast: str = "") -> str:
        """Add a value; returns its placeholder."""
        name = f"p{len(self.params)}"
        self.params[name] = value
        return f"%({name})s{cast}"


RUN_COLUMNS = {
    "status": "CASE r.status WHEN 'LOST' THEN 'RUNNING' ELSE r.status END",
    "state": "r.status",
    "run_name": "r.name",
    "user_id": "r.user_name",
    "run_id": "replace(r.id::text, '-', '')",
    "artifact_uri": (
        "coalesce(nullif(r.location, ''), 'mlflow-artifacts:/' || r.experiment_id) || '/'"
        " || replace(r.id::text, '-', '') || '/artifacts'"
    ),
    "start_time": "r.start_ms",
    "end_time": "r.end_ms",
}
EXPERIMENT_COLUMNS = {
    "name": "e.name",
    "experiment_id": "e.id::text",
    "creation_time": "e.created_ms",
    "last_update_time": "e.updated_ms",
}
PAIRS = {"param": "tracking_param", "tag": "tracking_tag"}
DATASET = """EXISTS (SELECT FROM tracking_runinput i JOIN tracking_dataset d ON d.id = i.dataset_id
 WHERE i.run_id = {run} AND {condition})"""
DATASET_COLUMNS = {"name": "d.name", "digest": "d.digest", "context": "c.value"}
CONTEXT = """EXISTS (SELECT FROM tracking_runinput i, jsonb_to_recordset(i.tags) AS c (key text, value text)
 WHERE i.run_id = {run} AND c.key = 'mlflow.data.context' AND {condition})"""


def write(node: Node, writer: Writer, clause: Callable[[Comparison, Writer], str]) -> str:
    """Write a tree."""
    if isinstance(node, Comparison):
        return clause(node, writer)
    if isinstance(node, Not):
        return f"NOT {write(node.part, writer, clause)}"
    glue = " AND " if isinstance(node, And) else " OR "
    return "(" + glue.join(write(part, writer, clause) for part in node.parts) + ")"


def conjuncts(node: Node | None) -> tuple[Node, ...]:
    """List the parts that must all be true; those that match a pattern last, for Postgres tries clauses in this order."""
    if node is None:
        return ()
    return tuple(sorted(node.parts, key=is_pattern)) if isinstance(node, And) else (node,)


def is_pattern(node: Node) -> bool:
    """Say whether a clause matches a pattern, which costs more than the row that it is about."""
    return isinstance(node, Comparison) and node.operator in {"LIKE", "ILIKE", "CONTAINS"}


def compare(expression: str, comparison: Comparison, writer: Writer) -> str:
    """Compare an expression with a clause's value."""
    operator, value = comparison.operator, comparison.value
    if operator in {"IS NULL", "IS NOT NULL"}:
        return f"({expression} {operator})"
    if operator in {"IN", "NOT IN"}:
        sign = "= ANY" if operator == "IN" else "<> ALL"
        return f"(({expression} {sign}({writer.bind(list(value or ()), '::text[]')})) IS TRUE)"  # type: ignore[arg-type]
    if operator == "CONTAINS":
        return f"((position(lower({writer.bind(value, '::text')}) IN lower({expression})) > 0) IS TRUE)"
    if operator in {"LIKE", "ILIKE"}:
        return f"(({expression} {operator} {writer.bind(value, '::text')} ESCAPE '') IS TRUE)"
    cast = "::float8" if isinstance(value, float) else "::text"
    return f"(({expression} {operator.replace('!=', '<>')} {writer.bind(value, cast)}) IS TRUE)"


def run_clause(comparison: Comparison, writer: Writer) -> str:
    """Write one clause about a run."""
    if comparison.kind == "metric":
        key = writer.bind(comparison.key, "::text")
        value = (
            f"(SELECT l.value FROM tracking_latestmetric l WHERE l.run_id = {writer.run} AND l.key_id = {key_id(key)})"
        )
        return f"(SELECT {number_test('v.value', comparison, writer)} FROM (SELECT {value} AS value OFFSET 0) v)"
    if comparison.kind in PAIRS:
        key = writer.bind(comparison.key, "::text")
        table = PAIRS[comparison.kind]
        if is_short_equality(comparison):
            # By the index of values: what has another value is not fetched to see that.
            wanted = writer.bind(comparison.value, "::text")
            return (
                f'((SELECT true FROM {table} t WHERE t.key = {key} AND "left"(t.value, 64) = {wanted}'
                f" AND t.run_id = {writer.run}) IS TRUE)"
            )
        value = f"(SELECT t.value FROM {table} t WHERE t.run_id = {writer.run} AND t.key = {key})"
        return compare(value, comparison, writer)
    if comparison.kind == "dataset":
        shape = CONTEXT if comparison.key == "context" else DATASET
        return shape.format(run=writer.run, condition=compare(DATASET_COLUMNS[comparison.key], comparison, writer))
    if comparison.key == "run_id" and comparison.operator in {"=", "IN"}:
        given = (comparison.value,) if isinstance(comparison.value, str) else comparison.value
        return f"(r.id = ANY({writer.bind(as_uuids(given), '::uuid[]')}))"
    return compare(f"({RUN_COLUMNS[comparison.key]})", comparison, writer)


def is_short_equality(comparison: Comparison) -> bool:
    """Say whether a clause asks for one param or tag with one value that the index of values holds whole."""
    value = comparison.value
    return comparison.kind in PAIRS and comparison.operator == "=" and isinstance(value, str) and len(value) < 64


def number_test(expression: str, comparison: Comparison, writer: Writer) -> str:
    """Compare a metric's value; NaN, which Postgres takes for the greatest number, satisfies only !=."""
    test = compare(expression, comparison, writer)
    return test if comparison.operator in {"=", "!=", "<", "<="} else f"({test} AND {expression} < 'NaN')"


def key_id(placeholder: str) -> str:
    """Write the look-up of a metric's number, which Postgres does once a statement."""
    return f"(SELECT k.id FROM tracking_metrickey k WHERE k.name = {placeholder})"


def as_uuids(texts: Any) -> list[uuid.UUID]:
    """Read run ids, leaving out what can't be one."""
    found = []
    for text in texts:
        try:
            found.append(uuid.UUID(text))
        except ValueError:
            continue
    return found


def experiment_clause(comparison: Comparison, writer: Writer) -> str:
    """Write one clause about an experiment."""
    if comparison.kind == "tag":
        key = writer.bind(comparison.key, "::text")
        value = f"(SELECT t.value FROM tracking_experimenttag t WHERE t.experiment_id = e.id AND t.key = {key})"
        return compare(value, comparison, writer)
    return compare(EXPERIMENT_COLUMNS[comparison.key], comparison, writer)
