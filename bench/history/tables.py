"""From a raw table to features, a target and the facts known before any training.

Bench, not product. Every rule is stated here and in README.md; none looks at a trained model.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from bench.history.sources import Source

MIN_ROWS = 80
MAX_ROWS = 3000
MAX_FEATURES = 60
MIN_CLASS_ROWS = 12
MAX_CLASSES = 12
SAME_RANKS = 0.995
LAGS = 12


class UnusableError(ValueError):
    """A table that the rules refuse, with the reason."""


@dataclass(frozen=True)
class Choice:
    """One line of chosen.txt: which column of which table is the goal."""

    package: str
    item: str
    target: str
    left_out: tuple[str, ...]

    @property
    def is_series(self) -> bool:
        """Say whether rows are ordered in time."""
        return self.left_out == ("series",)


@dataclass(frozen=True)
class Table:
    """A table ready to train on. `problem` is classification, regression or forecasting."""

    slug: str
    problem: str
    features: pd.DataFrame
    target: np.ndarray
    facts: dict[str, float]
    origin: dict[str, str]


def read_choices(file: Path) -> list[Choice]:
    """chosen.txt, comments left out."""
    lines = (line for line in file.read_text().splitlines() if line and not line.startswith("#"))
    rows = [[cell.strip() for cell in line.split("|")] for line in lines]
    return [Choice(row[0], row[1], row[2], tuple(name for name in row[3].split(",") if name)) for row in rows]


def prepare(source: Source, choice: Choice, seed: int) -> Table:
    """Apply the rules. Raises UnusableError."""
    raw = source.read()
    raw.columns = [str(name).strip() for name in raw.columns]
    name = raw.columns[-1] if choice.target == "*last" else choice.target.removeprefix("class:")
    if name not in raw:
        raise UnusableError(f"no column {name}")
    origin = {"package": source.package, "version": source.version, "table": source.item, "target": name}
    if choice.is_series:
        return prepare_series(f"{source.slug}-{name}-series", raw[name], origin)
    return prepare_rows(source.slug, raw, name, choice, origin, seed)


def prepare_series(slug: str, values: pd.Series, origin: dict[str, str]) -> Table:
    """Predict each value from the 12 before it and its place in time."""
    series = pd.to_numeric(values, errors="coerce").dropna().astype(float).tail(MAX_ROWS + LAGS)
    if len(series) < MIN_ROWS:
        raise UnusableError(f"{len(series)} values")
    columns = {f"lag_{lag}": series.shift(lag) for lag in range(1, LAGS + 1)}
    columns["place"] = pd.Series(np.arange(len(series), dtype=float), index=series.index)
    features = pd.DataFrame(columns).iloc[LAGS:].reset_index(drop=True)
    target = series.iloc[LAGS:].to_numpy()
    facts = describe(features, target, len(values)) | describe_target(target, "forecasting")
    facts["autocorrelation"] = round(float(series.autocorr(1)), 4)
    return Table(slug.lower().replace(".", "-"), "forecasting", features, target, facts, origin)


def prepare_rows(slug: str, raw: pd.DataFrame, name: str, choice: Choice, origin: dict[str, str], seed: int) -> Table:
    """Classification or regression on a table of rows."""
    n_rows = len(raw)
    rows = raw[raw[name].notna()].drop(columns=[c for c in choice.left_out if c in raw])
    values = rows[name]
    is_class = choice.target.startswith("class:") or not is_numeric(values) or values.nunique() == 2
    if is_class:
        counts = values.value_counts()
        rows = rows[values.isin(counts[counts >= MIN_CLASS_ROWS].index)]
    rows = rows.sample(min(len(rows), MAX_ROWS), random_state=seed).reset_index(drop=True)
    target = rows[name].astype(str).to_numpy() if is_class else rows[name].to_numpy(dtype=float)
    if len(rows) < MIN_ROWS or not 2 <= len(np.unique(target)) <= (MAX_CLASSES if is_class else n_rows):
        raise UnusableError(f"{len(rows)} rows, {len(np.unique(target))} different targets")
    features = clean(rows.drop(columns=name), pd.Series(pd.factorize(rows[name])[0] if is_class else target))
    problem = "classification" if is_class else "regression"
    facts = describe(features, target, n_rows) | describe_target(target, problem)
    return Table(slug, problem, features, target, facts, origin)


def is_numeric(values: pd.Series) -> bool:
    """Say whether a column holds numbers, truth values aside."""
    return pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)


def clean(features: pd.DataFrame, target: pd.Series) -> pd.DataFrame:
    """Leave out what says nothing, what names a row and what restates the target. Raises UnusableError."""
    kept: dict[str, pd.Series] = {}
    for name in features.columns:
        column = features[name]
        if column.nunique() < 2 or column.isna().mean() > 0.6:
            continue
        if not is_numeric(column):
            if column.nunique() <= len(column) / 4:
                kept[name] = column.astype(object).where(column.notna(), None).map(text_or_none)
        elif abs(column.corr(target, method="spearman")) <= SAME_RANKS:
            kept[name] = column.astype(float).replace([np.inf, -np.inf], np.nan)
    if len(kept) < 2:
        raise UnusableError(f"{len(kept)} usable columns")
    return pd.DataFrame(dict(list(kept.items())[:MAX_FEATURES]))


def text_or_none(value: str | float | None) -> str | None:
    """Write a value as text; None where it is missing."""
    return None if pd.isna(value) else str(value)


def categorical_columns(features: pd.DataFrame) -> list[str]:
    """Name the columns that hold no numbers."""
    return [name for name in features.columns if not is_numeric(features[name])]


def describe(features: pd.DataFrame, target: np.ndarray, n_rows: int) -> dict[str, float]:
    """Facts of the features: sizes, kinds, holes, how much they repeat each other."""
    texts = categorical_columns(features)
    numbers = features.drop(columns=texts)
    return {
        "n_rows": n_rows,
        "n_rows_used": len(target),
        "n_features": features.shape[1],
        "n_categorical": len(texts),
        "share_categorical": round(len(texts) / features.shape[1], 4),
        "missing_share": round(float(features.isna().to_numpy().mean()), 4),
        "max_levels": max((features[name].nunique() for name in texts), default=0),
        "rows_per_feature": round(len(target) / features.shape[1], 2),
        "feature_correlation": round(mean_correlation(numbers), 4),
        "feature_skew": round(median_skew(numbers), 4),
    }


def median_skew(numbers: pd.DataFrame) -> float:
    """Median absolute skew of the numeric columns; 0 without any."""
    return float(np.nan_to_num(numbers.skew().abs().median())) if numbers.shape[1] else 0.0


def mean_correlation(numbers: pd.DataFrame) -> float:
    """Mean absolute rank correlation between two different numeric columns; 0 below two."""
    if numbers.shape[1] < 2:
        return 0.0
    ranks = numbers.corr(method="spearman").abs().to_numpy()
    pairs = ranks[np.triu_indices_from(ranks, k=1)]
    return float(np.nanmean(pairs)) if np.isfinite(pairs).any() else 0.0


def describe_target(target: np.ndarray, problem: str) -> dict[str, float]:
    """Facts of the target: class balance, or skew and share of zeros."""
    if problem == "classification":
        shares = np.unique(target, return_counts=True)[1] / len(target)
        entropy = float(-(shares * np.log(shares)).sum() / np.log(len(shares)))
        return {
            "n_classes": len(shares),
            "minority_share": round(float(shares.min()), 4),
            "class_entropy": round(entropy, 4),
        }
    return {
        "target_skew": round(float(pd.Series(target).skew()), 4),
        "target_zero_share": round(float((target == 0).mean()), 4),
        "target_distinct": len(np.unique(target)),
    }
