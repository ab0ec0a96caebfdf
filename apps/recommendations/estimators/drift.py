"""The recommendations room: are today's projects like those that were learnt from? Pure.

For numbers, the difference of means in standard deviations of the earlier projects; for text, half the sum of
differences of shares (0 to 1). Above 0.5 and 0.25 a fact is said to have drifted.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from apps.recommendations.estimators.tables import Column, Table

NUMBER_BOUND, TEXT_BOUND = 0.5, 0.25
FEWEST = 10
SHOWN = 20


def drift_of(earlier: Table, later: Table) -> dict[str, Any]:
    """How the later projects differ from the earlier ones, strongest first."""
    if earlier.rows < FEWEST or later.rows < FEWEST:
        need = {"what": "projects in the later part", "have": later.rows, "at_least": FEWEST}
        return {"status": "refused", "reason": "There are too few projects to compare.", "needs": [need]}
    shifts = [shift_of(name, earlier.columns[name], later.columns[name]) for name in both(earlier, later)]
    known = sorted((one for one in shifts if one), key=lambda one: (-one["shift"], one["covariate"]))
    return {"status": "ok", "earlier": earlier.rows, "later": later.rows, "shifts": known[:SHOWN]}


def both(earlier: Table, later: Table) -> Sequence[str]:
    """Columns that both tables have, of one type."""
    return [
        name
        for name, column in earlier.columns.items()
        if name in later.columns and later.columns[name].dtype == column.dtype
    ]


def shift_of(name: str, before: Column, after: Column) -> dict[str, Any] | None:
    """One fact's shift; None where nothing is known."""
    if before.dtype == object:
        shift, bound = text_shift(before, after), TEXT_BOUND
    else:
        shift, bound = number_shift(before, after), NUMBER_BOUND
    return None if shift is None else {"covariate": name, "shift": round(shift, 4), "drifted": shift > bound}


def number_shift(before: Column, after: Column) -> float | None:
    """Difference of means in earlier standard deviations."""
    one, two = before[~np.isnan(before)], after[~np.isnan(after)]
    if len(one) < 2 or len(two) < 2:
        return None
    spread = float(one.std())
    gap = abs(float(two.mean()) - float(one.mean()))
    if not spread > 0:
        return 0.0 if gap == 0 else 10.0
    return min(gap / spread, 10.0)


def text_shift(before: Column, after: Column) -> float | None:
    """Half the sum of the differences of shares."""
    one, two = Counter(before.tolist()), Counter(after.tolist())
    if not one or not two:
        return None
    levels = set(one) | set(two)
    return 0.5 * sum(abs(one[level] / len(before) - two[level] / len(after)) for level in levels)
