"""The registry room: values of other tools, checked before they become rows. Pure.

What does not fit is refused by the name of its field, and with it the thing that it belongs to.
"""

from collections.abc import Mapping
from typing import Any

import orjson

from maestro import limits
from maestro.errors import Invalid


def text(value: object, most: int, field: str) -> str:
    """Read a text; nothing is the empty one. Raises Invalid for what Postgres can't hold, and what is too long."""
    if value is None:
        return ""
    if isinstance(value, bytes | list | dict):
        raise Invalid(f"{field} is no text", "bad_text")
    read = value if isinstance(value, str) else str(value)
    if "\0" in read or (not read.isascii() and any("\ud800" <= char <= "\udfff" for char in read)):
        raise Invalid(f"{field} holds characters that are no text", "bad_text")
    if len(read) > most:
        raise Invalid(f"{field} has more than {most} characters", "too_long")
    return read


def key(value: object, field: str) -> str:
    """Read the name of a param, a metric or a tag. Raises Invalid."""
    read = text(value, limits.KEY_CHARS, f"a name in {field}")
    if not read:
        raise Invalid(f"a name in {field} is empty", "empty_name")
    return read


def pairs(values: object, most: int, field: str) -> dict[str, str]:
    """Read names and texts. Raises Invalid."""
    if not isinstance(values, Mapping):
        raise Invalid(f"{field} is no mapping", "bad_mapping")
    return {key(name, field): text(value, most, f"{field}.{str(name)[:60]}") for name, value in values.items()}


def integer(value: object, field: str, *, least: int = limits.INT64_MIN, most: int = limits.INT64_MAX) -> int:
    """Read a whole number. Raises Invalid."""
    try:
        if isinstance(value, bool) or (isinstance(value, float) and not value.is_integer()):
            raise ValueError
        read = int(value)  # type: ignore[call-overload]
    except (TypeError, ValueError, OverflowError) as error:
        raise Invalid(f"{field} is no whole number: {str(value)[:60]!r}", "bad_number") from error
    if not least <= read <= most:
        raise Invalid(f"{field} is out of bounds: {read}", "bad_number")
    return int(read)


def moment(value: object, field: str) -> int:
    """Read milliseconds since the epoch. Raises Invalid."""
    return integer(value, field, least=0, most=limits.TIME_MS_MAX)


def moment_or_none(value: object, field: str) -> int | None:
    """Read milliseconds that may be unsaid. Raises Invalid."""
    return None if value is None else moment(value, field)


def number(value: object, field: str) -> float:
    """Read a double, NaN and infinities as well. Raises Invalid."""
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError) as error:
        raise Invalid(f"{field} is no number: {str(value)[:60]!r}", "bad_number") from error


def document(value: object, field: str) -> Any:
    """Read JSON in a text. Raises Invalid."""
    try:
        return orjson.loads(str(value))
    except orjson.JSONDecodeError as error:
        raise Invalid(f"{field} is no JSON", "bad_json") from error
