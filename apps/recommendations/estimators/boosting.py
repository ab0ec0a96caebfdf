"""Recommendations room: LightGBM, the same bits every time, and its text format. Pure.

The only module here that loads LightGBM, so that processes which only read stored scores can
avoid it by not importing the estimators.
"""

import hashlib
from typing import Any

import lightgbm
import numpy as np
from lightgbm import Booster

from apps.recommendations.estimators.tables import Floats

# One thread and column-wise histograms: sums run in one order, so a training repeats bit for bit.
_FIXED: dict[str, Any] = {"verbosity": -1, "num_threads": 1, "deterministic": True, "force_col_wise": True}


def boost(
    x: Floats,
    y: Floats,
    *,
    rounds: int,
    seed: int,
    options: dict[str, Any] | None = None,
    query_sizes: list[int] | None = None,
) -> Booster:
    """Train one model.

    Shapes  x (n, q) with NaN as missing; y (n,); query_sizes sum to n, for ranking only
    """
    parameters = {"objective": "regression", **_FIXED, "seed": seed, **(options or {})}
    data = lightgbm.Dataset(x, y, group=query_sizes, params=parameters, free_raw_data=True)
    try:
        # Kept as trained: writing a model to text and reading it again, as LightGBM does otherwise, takes a fifth of
        # the time of a small training.
        return lightgbm.train(parameters, data, num_boost_round=rounds, keep_training_booster=True)
    except lightgbm.basic.LightGBMError:
        # No column can be split with leaves this large: the mean is all there is to learn.
        return _mean_only(x.shape[1], float(np.mean(y)))


def _mean_only(columns: int, mean: float) -> Booster:
    """A model of as many columns that always answers `mean`."""
    x = np.zeros((100, columns))
    x[::2, 0] = 1.0
    data = lightgbm.Dataset(x, np.full(100, mean), params=_FIXED)
    return lightgbm.train({"objective": "regression", **_FIXED}, data, num_boost_round=1)


def to_text(booster: Booster) -> str:
    """The model in LightGBM's own text format, which loads without executing anything."""
    return str(booster.model_to_string())


def from_text(text: str, *, sha256: str | None = None) -> Booster:
    """Load a stored model. Raises ValueError if the text is not the one that was stored."""
    if sha256 is not None and digest(text) != sha256:
        raise ValueError("the stored model text does not match its sha256")
    return Booster(model_str=text)


def digest(text: str) -> str:
    """sha256 of a stored text, in hex."""
    return hashlib.sha256(text.encode()).hexdigest()
