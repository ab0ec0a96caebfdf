"""Recommendations room: plain columns of facts, as every estimator takes them. Pure.

A Table holds each column either as float64 (numbers, truth values, dates as days since 1970;
NaN is missing) or as objects (text; None is missing). Infinite numbers count as missing.
"""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Objects = NDArray[np.object_]
Column = NDArray[Any]

_MISSING_TEXT = frozenset({"", "nan", "none", "null", "na", "n/a"})


@dataclass(frozen=True, slots=True)
class Table:
    """Named columns of equal length, kept in the order of their names."""

    columns: Mapping[str, Column]
    rows: int

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names, sorted."""
        return tuple(self.columns)

    def take(self, index: NDArray[Any]) -> "Table":
        """The rows that `index` (positions or a mask) names, in that order."""
        picked = {name: values[index] for name, values in self.columns.items()}
        rows = int(np.arange(self.rows)[index].size)
        return Table(picked, rows)

    def without(self, names: Iterable[str]) -> "Table":
        """The same rows lacking some columns."""
        gone = set(names)
        return Table({name: values for name, values in self.columns.items() if name not in gone}, self.rows)

    def with_column(self, name: str, values: Sequence[Any] | Column) -> "Table":
        """The same rows with one more column (or another in its place)."""
        return table_from_columns({**self.columns, name: values}, rows=self.rows)


def table_from_columns(columns: Mapping[str, Sequence[Any] | Column], *, rows: int) -> Table:
    """Read raw columns: numbers become floats, dates days, JSON objects one column a key."""
    read: dict[str, Column] = {}
    for name, values in columns.items():
        read.update(_read_column(name, values))
    return Table({name: read[name] for name in sorted(read)}, rows)


def table_from_rows(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Read raw rows; a key absent from a row is missing there."""
    names = sorted({name for row in rows for name in row})
    columns = {name: [row.get(name) for row in rows] for name in names}
    return table_from_columns(columns, rows=len(rows))


def _read_column(name: str, values: Sequence[Any] | Column) -> dict[str, Column]:
    if isinstance(values, np.ndarray) and values.dtype.kind in "fiub":
        return {name: _finite(values.astype(np.float64))}
    cells = [_cell(value) for value in values]
    objects = [_json_object(cell) for cell in cells]
    if any(item is not None for item in objects):
        return _expand(name, objects)
    present = [cell for cell in cells if cell is not None]
    if all(isinstance(cell, float) for cell in present):
        return {name: np.array([math.nan if cell is None else cell for cell in cells], dtype=np.float64)}
    text = np.empty(len(cells), dtype=object)
    text[:] = [None if cell is None else _as_text(cell) for cell in cells]
    return {name: text}


def _expand(name: str, objects: Sequence[dict[str, Any] | None]) -> dict[str, Column]:
    keys = sorted({key for item in objects if item for key in item})
    out: dict[str, Column] = {}
    for key in keys:
        flat = [_scalar(None if item is None else item.get(key)) for item in objects]
        out.update(_read_column(f"{name}.{key}", flat))
    return out


def _scalar(value: Any) -> Any:
    # One level is enough for parameters; what lies deeper is compared as text.
    return json.dumps(value, sort_keys=True)[:200].replace("{", "(") if isinstance(value, dict | list) else value


def _json_object(cell: float | str | None) -> dict[str, Any] | None:
    if not isinstance(cell, str) or not (cell.startswith("{") and cell.endswith("}")):
        return None
    try:
        read = json.loads(cell)
    except ValueError:
        return None
    return read if isinstance(read, dict) else None


def _cell(value: Any) -> float | str | None:
    """One raw value as a finite float, as text, or as None when it says nothing."""
    if value is None:
        return None
    if isinstance(value, datetime | date):
        return float(value.toordinal() - date(1970, 1, 1).toordinal())
    if isinstance(value, str):
        return _text_cell(value.strip())
    if isinstance(value, dict):
        return json.dumps(value, sort_keys=True)
    return _number(value)


def _number(value: Any) -> float | str | None:
    try:
        number = float(value)
    except OverflowError:
        return None
    except (TypeError, ValueError):
        return str(value)
    return number if math.isfinite(number) else None


def _text_cell(text: str) -> float | str | None:
    if text.lower() in _MISSING_TEXT:
        return None
    if text.lower() in ("true", "false"):
        return float(text.lower() == "true")
    try:
        number = float(text)
    except ValueError:
        return _day(text)
    return number if math.isfinite(number) else None


def _day(text: str) -> float | str:
    if len(text) < 10 or not (text[:4].isascii() and text[:4].isdecimal()) or text[4] != "-":
        return text
    try:
        return float(date.fromisoformat(text[:10]).toordinal() - date(1970, 1, 1).toordinal())
    except ValueError:
        return text


def _as_text(cell: float | str) -> str:
    return f"{cell:g}" if isinstance(cell, float) else cell


def _finite(values: Floats) -> Floats:
    return np.where(np.isfinite(values), values, np.nan)
