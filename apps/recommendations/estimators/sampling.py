"""Recommendations room: which rows are learnt from when there are very many. Pure."""

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from apps.recommendations.estimators.folds import Ints


def capped_rows(keys: Sequence[str], groups: Sequence[str], known: NDArray[np.bool_], *, most: int) -> Ints:
    """Rows that are known, in the order of their keys; at most `most`, as many of each project.

    Which rows of a large project stay is decided by a hash of their key, so a training repeats.
    """
    rows = sorted(np.flatnonzero(known).tolist(), key=lambda row: keys[row])
    if len(rows) > most:
        allowed = max(1, most // len({groups[row] for row in rows}))
        taken: dict[str, int] = {}
        kept = []
        for row in sorted(rows, key=lambda row: hashlib.sha256(keys[row].encode()).digest()):
            taken[groups[row]] = taken.get(groups[row], 0) + 1
            kept += [row] if taken[groups[row]] <= allowed else []
        rows = sorted(kept, key=lambda row: keys[row])
    return np.array(rows, dtype=np.int64)
