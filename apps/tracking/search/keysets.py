"""The tracking room: orders and the places in them: pages by the last row's key, never by counting rows."""

# ruff: noqa: S608 statements are put together from constants of ours; every value is bound

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from apps.tracking.search.predicates import PAIRS, RUN_COLUMNS, Writer, key_id
from maestro.errors import Invalid
from maestro.filters import Term

BY_NUMBER = "param by number"
# Nothing that float8 would refuse as too large or too small.
PLAIN_NUMBER = r"^[+-]?([0-9]{1,40}([.][0-9]{0,40})?|[.][0-9]{1,40})([eE][+-]?[0-9]{1,2})?$"
MISSING_LAST = "CASE WHEN {value} IS NULL THEN 2 WHEN {value} = 'NaN' THEN 1 ELSE 0 END"


@dataclass(frozen=True)
class Key:
    """One expression to sort by; `cast` is its type."""

    expression: str
    cast: str
    descending: bool = False


def order_by(keys: Sequence[Key]) -> str:
    """Write ORDER BY."""
    return ", ".join(f"{key.expression} {'DESC' if key.descending else 'ASC'}" for key in keys)


def beyond(keys: Sequence[Key], place: Sequence[Any], writer: Writer) -> str:
    """Write the condition of all rows after a place; its first part is one that an index can use."""
    first, value = keys[0], place[0]
    condition = step(keys, place, writer)
    if value is None:
        return condition
    sign = "<=" if first.descending else ">="
    return f"({first.expression} {sign} {writer.bind(value, first.cast)} AND {condition})"


def going_on(keys: Sequence[Key], after: Sequence[Any] | None, writer: Writer) -> list[str]:
    """Write the place to go on from. Raises Invalid for one of another search."""
    if after is None:
        return []
    if len(after) != len(keys):
        raise Invalid("Invalid page token: it belongs to another search", "bad_cursor")
    return [beyond(keys, after, writer)]


def step(keys: Sequence[Key], place: Sequence[Any], writer: Writer) -> str:
    """Write `beyond in the first key, or equal in it and beyond in the rest`."""
    if not keys:
        return "false"
    key, value = keys[0], place[0]
    rest = step(keys[1:], place[1:], writer)
    if value is None:  # the key before it, its rank, says that there is no value here
        return f"({key.expression} IS NULL AND {rest})"
    sign, bound = "<" if key.descending else ">", writer.bind(value, key.cast)
    return f"({key.expression} {sign} {bound} OR ({key.expression} = {bound} AND {rest}))"


START = Key("r.start_ms", "::bigint", True)
ID = Key("r.id", "::uuid")


def run_keys(terms: Sequence[Term], writer: Writer) -> list[Key]:
    """Turn terms into keys; ties go to the newest run, then to the id."""
    return ended((key for term in terms for key in run_key(term, writer)), START, ID)


def ended(keys: Iterable[Key], newest: Key, identity: Key) -> list[Key]:
    """End keys, so that no two rows are alike: by the newest, unless that is among them, then by the id."""
    listed = list(keys)
    ties = [] if any(key.expression == newest.expression for key in listed) else [newest]
    return [*listed, *ties, identity]


def run_key(term: Term, writer: Writer) -> list[Key]:
    """Turn one term into keys. What a run lacks comes last either way, NaN just before it."""
    kind, name, down = term.field.kind, term.field.key, term.descending
    if kind == "metric":
        key = key_id(writer.bind(name, "::text"))
        value = f"(SELECT l.value FROM tracking_latestmetric l WHERE l.run_id = r.id AND l.key_id = {key})"
        return [Key(f"({MISSING_LAST.format(value=value)})", "::int"), Key(value, "::float8", down)]
    if kind in PAIRS:
        key = writer.bind(name, "::text")
        value = f'(SELECT t.value FROM {PAIRS[kind]} t WHERE t.run_id = r.id AND t.key = {key}) COLLATE "C"'
        return [Key(f"({value} IS NULL)", "::bool"), Key(value, "::text", down)]
    if kind == BY_NUMBER:
        return by_number(name, writer, down=down)
    if name in {"start_time", "end_time"}:
        column = RUN_COLUMNS[name]
        ranked = [Key(f"({column} IS NULL)", "::bool")] if name == "end_time" else []
        return [*ranked, Key(column, "::bigint", down)]
    if name == "run_id":
        return [Key("r.id", "::uuid", down)]
    return [Key(f'({RUN_COLUMNS[name]}) COLLATE "C"', "::text", down)]


def by_number(name: str, writer: Writer, *, down: bool) -> list[Key]:
    """Order by a param as people read it: numbers by their value, then other texts, then runs that lack it."""
    key = writer.bind(name, "::text")
    value = f"(SELECT t.value FROM tracking_param t WHERE t.run_id = r.id AND t.key = {key})"
    text = f'{value} COLLATE "C"'
    number = f"(CASE WHEN {value} ~ {writer.bind(PLAIN_NUMBER, '::text')} THEN {value}::float8 END)"
    return [
        Key(f"({text} IS NULL)", "::bool"),
        Key(f"({number} IS NULL)", "::bool"),
        Key(number, "::float8", down),
        Key(text, "::text", down),
    ]


EXPERIMENT_KEYS = {
    "name": Key('e.name COLLATE "C"', "::text"),
    "experiment_id": Key("e.id", "::bigint"),
    "creation_time": Key("e.created_ms", "::bigint"),
    "last_update_time": Key("e.updated_ms", "::bigint"),
}


def experiment_keys(terms: Sequence[Term]) -> list[Key]:
    """Turn terms into keys; without any, the newest come first. Ties go to the youngest number, as in the original."""
    keys = [
        Key(EXPERIMENT_KEYS[term.field.key].expression, EXPERIMENT_KEYS[term.field.key].cast, term.descending)
        for term in terms
    ]
    if not keys:
        return [Key("e.created_ms", "::bigint", True), Key("e.id", "::bigint")]
    return [*keys, Key("e.id", "::bigint", True)]
