"""The floor: reads the fields of MLflow calls strictly. Each refusal names the field and stores nothing.

Source  the protobuf JSON mapping: int64 as number or text, doubles also as "NaN", "Infinity" and "-Infinity"
"""

import json
import math
import re
import reprlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from maestro import limits
from maestro.errors import Fault, Invalid

INTEGER = re.compile(r"[+-]?\d{1,19}")
NUMBER = re.compile(r"[+-]?(?:\d{1,400}(?:\.\d{0,400})?|\.\d{1,400})(?:[eE][+-]?\d{1,4})?")
NAMED = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
KEY = re.compile(r"[\w.:/ -]+")
SHOWN_CHARS = 200
SHORT = reprlib.Repr()
SHORT.maxlist = SHORT.maxdict = 10
SHORT.maxstring = SHORT.maxother = SHORT.maxlong = SHOWN_CHARS
KEY_RULE = "use letters, digits, _ - . : / and spaces, as a relative path without empty or dotted parts"


def refuse(name: str, value: Any, reason: str) -> Invalid:
    """Make a refusal in MLflow's words."""
    detail = f"Invalid value {shown(value)} for parameter '{name}' supplied: {reason}"
    return Invalid(detail, "invalid_value", faults=[Fault("/" + name, "invalid_value", reason)])


def shown(value: Any) -> str:
    """Write a value, text as JSON does, cut: no more of it is looked at than is shown."""
    if isinstance(value, str):
        whole = value[:SHOWN_CHARS].encode(errors="backslashreplace").decode()
        return json.dumps(whole, ensure_ascii=False) + ("…" if len(value) > SHOWN_CHARS else "")
    return SHORT.repr(value)


def missing(name: str) -> Invalid:
    """Make the refusal of a required field that is not there."""
    detail = f"Missing value for required parameter '{name}'."
    return Invalid(detail, "required", faults=[Fault("/" + name, "required", "this field is required")])


def as_text(value: Any, name: str, most: int = limits.TEXT_CHARS) -> str:
    """Read text."""
    if not isinstance(value, str):
        raise refuse(name, value, "it must be text")
    if len(value) > most:
        raise refuse(name, value, f"'{name}' exceeds the maximum length of {most} characters")
    return value


def as_integer(value: Any, name: str, least: int = limits.INT64_MIN, most: int = limits.INT64_MAX) -> int:
    """Read an int64, given as a number or as text."""
    is_whole = isinstance(value, float) and value.is_integer() and abs(value) < 2**63
    if is_whole or (isinstance(value, str) and INTEGER.fullmatch(value)):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise refuse(name, value, "it must be a whole number")
    if not least <= value <= most:
        raise refuse(name, value, f"it must lie between {least} and {most}")
    return value


def as_double(value: Any, name: str) -> float:
    """Read a double. A number beyond a double's range is refused, never made infinite."""
    if isinstance(value, str):
        if value in NAMED:
            return NAMED[value]
        if not NUMBER.fullmatch(value):
            raise refuse(name, value, "it must be a number")
        value = float(value)
        if math.isinf(value):
            raise refuse(name, value, "it is beyond the range of a double")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise refuse(name, value, "it must be a number")
    return float(value)


def as_time_ms(value: Any, name: str) -> int:
    """Read milliseconds since the epoch."""
    return as_integer(value, name, 0, limits.TIME_MS_MAX)


def as_key(value: Any, name: str) -> str:
    """Read the name of a param, metric or tag."""
    key = as_text(value, name, limits.KEY_CHARS)
    if not is_key(key):
        raise refuse(name, value, KEY_RULE)
    return key


@lru_cache(maxsize=4096)  # the same few names come again and again; who asks has bounded their length
def is_key(key: str) -> bool:
    """Say whether a name is allowed: a normalised relative path of plain characters."""
    if not KEY.fullmatch(key) or key.startswith("/"):
        return False
    return not {"", ".", ".."} & set(key.split("/"))


def text(fields: Mapping[str, Any], name: str, most: int = limits.TEXT_CHARS) -> str:
    """Read a required text that is not empty."""
    value = fields.get(name)
    if value is None or value == "":
        raise missing(name)
    return as_text(value, name, most)


def given(fields: Mapping[str, Any], name: str, at: str = "") -> Any:
    """Take a required value of any type; empty text is none. Raises Invalid."""
    value = fields.get(name)
    if value is None or value == "":
        raise missing(at + name)
    return value


def text_or(fields: Mapping[str, Any], name: str, default: str = "", *, most: int = limits.TEXT_CHARS) -> str:
    """Read an optional text."""
    value = fields.get(name)
    return default if value is None else as_text(value, name, most)


def integer_or(
    fields: Mapping[str, Any],
    name: str,
    default: int,
    *,
    least: int = limits.INT64_MIN,
    most: int = limits.INT64_MAX,
) -> int:
    """Read an optional whole number."""
    value = fields.get(name)
    return default if value is None else as_integer(value, name, least, most)


def time_or(fields: Mapping[str, Any], name: str, default: int | None) -> int | None:
    """Read an optional time in milliseconds."""
    value = fields.get(name)
    return default if value is None else as_time_ms(value, name)


def rows(fields: Mapping[str, Any], name: str, most: int) -> list[dict[str, Any]]:
    """Read a list of objects; an absent one is empty."""
    value = fields.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise refuse(name, value, "it must be a list")
    if len(value) > most:
        raise Invalid(f"A batch takes at most {most} {name}; this one has {len(value)}.", "too_many_items")
    for index, item in enumerate(value):
        if not isinstance(item, dict):
            raise refuse(f"{name}[{index}]", item, "it must be an object")
    return value


def texts(fields: Mapping[str, Any], name: str, most: int = 1000) -> list[str]:
    """Read a list of text; a single text counts as a list of one, as in a query string."""
    value = fields.get(name)
    if value is None:
        return []
    if isinstance(value, str):
        return [value]
    if not isinstance(value, list):
        raise refuse(name, value, "it must be a list of texts")
    if len(value) > most:
        raise Invalid(f"'{name}' takes at most {most} values. Received {len(value)}.", "too_many_items")
    return [as_text(item, f"{name}[{index}]") for index, item in enumerate(value)]


def choice(fields: Mapping[str, Any], name: str, options: Sequence[str], default: str | None = None) -> str | None:
    """Read one name out of an enumeration; its number, from 1, is accepted as well."""
    value = fields.get(name)
    if value is None:
        return default
    numbered = isinstance(value, int) or (isinstance(value, str) and value.isascii() and value.isdecimal())
    if numbered and not isinstance(value, bool) and len(str(value)) < 4 and 1 <= int(value) <= len(options):
        return options[int(value) - 1]
    if value not in options:
        raise refuse(name, value, "it must be one of " + ", ".join(options))
    return str(value)
