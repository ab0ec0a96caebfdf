"""Recommendations room: tables -> arrays. Pure.

An Encoder is learnt from training rows only and then reads any table, also one with new levels,
missing columns or values far outside what it saw. It makes two matrices:
  linear  numbers on the less skewed of the plain and the log scale, standardised, held within
          four deviations, missing as the mean beside a flag; text as centred dummies
  trees   numbers as they are (NaN is missing), text as 0/1 dummies
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from apps.recommendations.estimators.tables import Column, Floats, Objects, Table

MAX_LEVELS = 20
MIN_LEVEL_ROWS = 3
CLIP_DEVIATIONS = 4.0
LARGEST = 1e15


@dataclass(frozen=True, slots=True)
class NumberCode:
    """How one numeric column is read."""

    name: str
    is_log: bool
    center: float
    scale: float
    has_missing: bool


@dataclass(frozen=True, slots=True)
class LevelCode:
    """How one text column is read: a dummy per frequent level."""

    name: str
    levels: tuple[str, ...]
    shares: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Encoder:
    """What was learnt about the columns; plain enough for JSON."""

    numbers: tuple[NumberCode, ...]
    texts: tuple[LevelCode, ...]

    @property
    def linear_sources(self) -> tuple[str, ...]:
        """The table column behind each column of `linear`."""
        out: list[str] = []
        for code in self.numbers:
            out += [code.name] * (2 if code.has_missing else 1)
        return tuple(out + [code.name for code in self.texts for _ in code.levels])

    @property
    def tree_sources(self) -> tuple[str, ...]:
        """The table column behind each column of `trees`."""
        return tuple([code.name for code in self.numbers] + [code.name for code in self.texts for _ in code.levels])

    def linear(self, table: Table) -> Floats:
        """Shapes  table of n rows -> (n, p) without NaN."""
        parts: list[Floats] = []
        for code in self.numbers:
            values = _number_column(table, code.name)
            unknown = np.isnan(values)
            scaled = (_scaled(values, code.is_log) - code.center) / code.scale
            parts.append(np.where(unknown, 0.0, np.clip(scaled, -CLIP_DEVIATIONS, CLIP_DEVIATIONS)))
            if code.has_missing:
                parts.append(unknown.astype(np.float64))
        for text in self.texts:
            dummies = _dummies(_text_column(table, text.name), text)
            parts += [dummies[:, k] - share for k, share in enumerate(text.shares)]
        return np.column_stack(parts) if parts else np.zeros((table.rows, 0))

    def trees(self, table: Table) -> Floats:
        """Shapes  table of n rows -> (n, q); NaN is missing."""
        parts: list[Floats] = [_number_column(table, code.name) for code in self.numbers]
        for text in self.texts:
            dummies = _dummies(_text_column(table, text.name), text)
            parts += [dummies[:, k] for k in range(len(text.levels))]
        return np.column_stack(parts) if parts else np.zeros((table.rows, 0))

    def to_json(self) -> dict[str, Any]:
        """Plain lists and numbers, for storing."""
        return {"numbers": [asdict(code) for code in self.numbers], "texts": [asdict(code) for code in self.texts]}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Encoder":
        """The encoder that `to_json` wrote."""
        texts = tuple(LevelCode(t["name"], tuple(t["levels"]), tuple(t["shares"])) for t in stored["texts"])
        return cls(tuple(NumberCode(**n) for n in stored["numbers"]), texts)


def fit_encoder(table: Table) -> Encoder:
    """Learn the codes. Columns that say nothing (constant, empty, a name per row) are left out."""
    numbers: list[NumberCode] = []
    texts: list[LevelCode] = []
    for name, values in table.columns.items():
        if values.dtype == object:
            text = _fit_text(name, values)
            texts += [text] if text else []
        else:
            number = _fit_number(name, values)
            numbers += [number] if number else []
    return Encoder(tuple(numbers), tuple(texts))


def is_identifier(values: Column) -> bool:
    """True for text that is nearly a different value on every row."""
    known = [value for value in values if value is not None]
    return len(known) >= 10 and len(set(known)) > 0.5 * len(known)


def _fit_number(name: str, values: Floats) -> NumberCode | None:
    known = np.clip(values[~np.isnan(values)], -LARGEST, LARGEST)
    if known.size < 2 or np.ptp(known) == 0:
        return None
    is_log = bool(known.min() >= 0 and abs(_skewness(np.log1p(known))) < abs(_skewness(known)))
    scaled = _scaled(known, is_log)
    spread = float(scaled.std())
    if not spread > 1e-12:
        return None
    return NumberCode(name, is_log, float(scaled.mean()), spread, bool(known.size < values.size))


def _fit_text(name: str, values: Objects) -> LevelCode | None:
    if is_identifier(values):
        return None
    counts = Counter(value for value in values if value is not None)
    frequent = [level for level, rows in counts.items() if MIN_LEVEL_ROWS <= rows < len(values)]
    kept = sorted(sorted(frequent), key=lambda level: -counts[level])[:MAX_LEVELS]
    shares = tuple(counts[level] / len(values) for level in kept)
    return LevelCode(name, tuple(kept), shares) if kept else None


def _skewness(values: Floats) -> float:
    with np.errstate(over="ignore", invalid="ignore"):
        centred = values - values.mean()
        spread = centred.std()
        skew = float(np.mean((centred / spread) ** 3)) if spread > 0 else 0.0
    return skew if np.isfinite(skew) else 1e9


def _scaled(values: Floats, is_log: bool) -> Floats:
    bounded = np.clip(values, -LARGEST, LARGEST)
    return np.log1p(np.maximum(bounded, 0.0)) if is_log else bounded


def _number_column(table: Table, name: str) -> Floats:
    values = table.columns.get(name)
    if values is None or values.dtype == object:
        return np.full(table.rows, np.nan)
    return values


def _text_column(table: Table, name: str) -> Column:
    values = table.columns.get(name)
    if values is None:
        return np.full(table.rows, None, dtype=object)
    if values.dtype == object:
        return values
    return np.array([None if np.isnan(value) else f"{value:g}" for value in values], dtype=object)


def _dummies(values: Column, code: LevelCode) -> Floats:
    positions = {level: k for k, level in enumerate(code.levels)}
    out = np.zeros((len(values), len(code.levels)))
    for row, value in enumerate(values):
        k = positions.get(value)
        if k is not None:
            out[row, k] = 1.0
    return out
