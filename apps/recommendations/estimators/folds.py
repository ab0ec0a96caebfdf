"""Recommendations room: who is left out together, and which rows are learnt from when there are very many. Pure.

Groups (projects, teams) are dealt to folds by a hash of their name, so the order of rows changes
nothing, and rows of one group are never on both sides.
"""

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from apps.recommendations.estimators.tables import Floats

Ints = NDArray[np.int64]


def deal_folds(groups: Sequence[str], folds: int, *, seed: int) -> Ints:
    """The fold of each row; whole groups, dealt as evenly as their sizes allow.

    Shapes  n group names -> (n,) ints below min(folds, number of groups)
    """
    sizes: dict[str, int] = {}
    for group in groups:
        sizes[group] = sizes.get(group, 0) + 1
    shuffled = sorted(sizes, key=lambda group: hashlib.sha256(f"{seed}|{group}".encode()).digest())
    # Big groups first: else one large project would double the size of its fold.
    typical = float(np.median(list(sizes.values()))) if sizes else 0.0
    ordered = sorted(shuffled, key=lambda group: -sizes[group] if sizes[group] > 2 * typical else 0)
    loads = [0] * max(1, min(folds, len(sizes)))
    fold_of: dict[str, int] = {}
    for group in ordered:
        lightest = loads.index(min(loads))
        fold_of[group] = lightest
        loads[lightest] += sizes[group]
    return np.array([fold_of[group] for group in groups], dtype=np.int64)


def group_codes(groups: Sequence[str]) -> tuple[Ints, int]:
    """Number the groups by name. Shapes  n names -> (n,) ints, how many groups."""
    names, codes = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
    return codes.astype(np.int64).reshape(-1), int(names.size)


def centred_within(values: Floats, codes: Ints, count: int) -> Floats:
    """Values less their group's mean. Shapes  (n,) or (n, k), (n,) -> as given."""
    sizes = np.maximum(np.bincount(codes, minlength=count), 1).astype(np.float64)
    if not values.size:
        return values
    table = values.reshape(len(values), -1)
    sums = np.zeros((count, table.shape[1]))
    np.add.at(sums, codes, table)
    out: Floats = (table - (sums / sizes[:, None])[codes]).reshape(values.shape)
    return out


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
