"""The floor: the strict JSON reader of every door.

Refuses what Python's reader lets through: NaN and infinities, numbers beyond 64 bits, duplicate keys, NUL and
lone surrogates in text, deep or huge documents. Raises Invalid or TooLarge, never RecursionError.
"""

import json
import re
from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import Any, NoReturn

from maestro import limits
from maestro.errors import Fault, Invalid, TooLarge

# An unclosed string runs to the end: were it skipped, the search would begin anew at each of its quotes.
STRING = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)', re.DOTALL)
PIECE = re.compile(rb'(?:[^"]{1,64}+|"(?:[^"\\]|\\.){0,999}+"){1,4096}+', re.DOTALL)
COMMA = ord(",")
STEPS = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1, COMMA: 0}
NO_SIGNS = bytes(set(range(256)) - STEPS.keys())
BAD_TEXT = re.compile("[\x00\ud800-\udfff]")


def loads(body: bytes, most_items: int = limits.JSON_ITEMS) -> Any:
    """Read one document. Raises Invalid (400) or TooLarge (413)."""
    if len(body) > limits.JSON_BODY_BYTES:
        raise TooLarge(f"the body is larger than {limits.JSON_BODY_BYTES} bytes", "body_too_large")
    check_shape(body, most_items)
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Invalid("the body is not UTF-8", "bad_encoding") from error
    try:
        document = DECODER.decode(text)
    except Invalid:
        raise
    except (ValueError, RecursionError) as error:
        raise Invalid("the body is not valid JSON", "bad_json") from error
    if "\\u" in text or "\x00" in text:
        check_text(document)
    return document


def check_shape(body: bytes, most_items: int) -> None:
    """Bound depth and the number of items before anything is built."""
    if body.count(b"[") + body.count(b"{") <= limits.JSON_DEPTH and body.count(b",") < most_items:
        return
    depth = items = 0
    for piece in signs_of(body):
        depths = list(accumulate(map(STEPS.__getitem__, piece), initial=depth))
        if max(depths) > limits.JSON_DEPTH or items + piece.count(b",") > most_items:
            refuse_shape(piece, depth, items, most_items)
        depth, items = depths[-1], items + piece.count(b",")


def signs_of(body: bytes) -> Iterator[bytes]:
    """Leave of a document its brackets and commas outside of strings, some at a time: a bound may be passed early."""
    at = 0
    while at < len(body):
        if match := PIECE.match(body, at):
            yield STRING.sub(b"", match[0]).translate(None, NO_SIGNS)
        else:
            match = STRING.match(body, at)  # a long one, or one that is not closed
        at = match.end() if match else len(body)


def refuse_shape(piece: bytes, depth: int, items: int, most_items: int) -> NoReturn:
    """Walk through the piece where a bound is passed. Raises Invalid or TooLarge, by which is passed first."""
    for sign in piece:
        depth += STEPS[sign]
        items += sign == COMMA
        if depth > limits.JSON_DEPTH:
            raise Invalid(f"the body is nested deeper than {limits.JSON_DEPTH}", "too_deep")
        if items > most_items:
            raise TooLarge(f"the body has more than {most_items} items", "too_many_items")
    raise AssertionError("no bound is passed here")


def check_text(value: Any) -> None:
    """Refuse NUL and lone surrogates, which Postgres can't store. Raises Invalid naming the place."""
    way = way_to_bad_text(value)
    if way is not None:
        pointer = "".join(f"/{step}" for step in way)[: limits.DETAIL_CHARS]
        detail = "text must not hold NUL or lone surrogates"
        raise Invalid(f"{pointer or 'the body'}: {detail}", "bad_text", faults=[Fault(pointer, "bad_text", detail)])


def way_to_bad_text(value: Any) -> list[str] | None:
    """Find the first bad text: the keys that lead there, written down only once it is found. None if all is well."""
    if isinstance(value, str):
        return [] if BAD_TEXT.search(value) else None
    if isinstance(value, dict):
        if any(BAD_TEXT.search(key) for key in value):
            return []
        steps: Iterable[tuple[Any, Any]] = value.items()
    elif isinstance(value, list):
        steps = enumerate(value)
    else:
        return None
    for step, item in steps:
        way = way_to_bad_text(item)
        if way is not None:
            return [str(step)[: limits.KEY_CHARS], *way]
    return None


def refuse_constant(token: str) -> Any:
    """Refuse NaN and the infinities, which JSON does not have."""
    raise Invalid(f"{token} is not JSON; send it as text", "bad_number")


def parse_float(token: str) -> float:
    """Read a number with a point. Raises Invalid beyond the range of doubles."""
    value = float(token)
    if value in (float("inf"), float("-inf")):
        raise Invalid(f"the number {token[:32]} is out of range", "bad_number")
    return value


def parse_int(token: str) -> int:
    """Read a whole number. Raises Invalid beyond 64 bits."""
    if len(token) > 20 or not limits.INT64_MIN <= int(token) <= limits.INT64_MAX:
        raise Invalid(f"the number {token[:32]} is out of range", "bad_number")
    return int(token)


def unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse an object that says one key twice."""
    document = dict(pairs)
    if len(document) != len(pairs):
        raise Invalid("a key stands twice in one object", "duplicate_key")
    return document


DECODER = json.JSONDecoder(
    parse_constant=refuse_constant, parse_float=parse_float, parse_int=parse_int, object_pairs_hook=unique_keys
)
