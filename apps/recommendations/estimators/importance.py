"""Recommendations room: which params of runs go with a metric: permutation importance on runs held out. Pure.

    found = weigh(ParamData(keys, params, metric))
    found.verdict, found.skill, found.weights      strongest first; none if refused

The metric enters as its rank, so that one diverged run does not decide. LightGBM foresees the rank from the params
on four fifths of the runs; on the fifth that it has not seen, a param's weight is the error that shuffling this
param alone adds, as a share of the ranks' variance. If the model does not foresee held-out runs better than their
mean does, there is nothing to explain, and no weight is given.

Params that put the runs into the same order, or share them out in the same way, cannot be told apart and are weighed as one.

Source  Breiman, Random Forests (2001); the intervals: Nadeau and Bengio, Inference for the Generalization Error (2003)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from apps.recommendations.estimators import minimum_data
from apps.recommendations.estimators.boosting import boost
from apps.recommendations.estimators.features import Encoder, fit_encoder
from apps.recommendations.estimators.folds import Ints, deal_folds
from apps.recommendations.estimators.tables import Floats, Table
from apps.recommendations.estimators.verdicts import Verdict, refused

FOLDS, SHUFFLES = 5, 4
# Of many runs folds differ less, and take longer.
DEALS, FEW_DEALS, MANY_RUNS = 4, 2, 400
ROUNDS = 40
OPTIONS = {"num_leaves": 8, "learning_rate": 0.05, "min_data_in_bin": 1, "lambda_l2": 1.0}
LEVEL = 0.8


@dataclass(frozen=True, slots=True)
class ParamData:
    """Runs with their params and one metric.

    Shapes  keys n run ids; params n rows; metric (n,), finite
    """

    keys: tuple[str, ...]
    params: Table
    metric: Floats


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over held-out folds, with its interval. Units: shares of the ranks' variance."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Weight:
    """Params that split the runs in the same way, mostly one, and what shuffling them costs.

    runs   how many runs have one of them
    trend  rank correlation with the metric, where the param is a number
    """

    params: tuple[str, ...]
    share: Estimate
    runs: int
    trend: float | None

    @property
    def is_clear(self) -> bool:
        """Whether the interval leaves out zero."""
        return self.share.low > 0


@dataclass(frozen=True, slots=True)
class Weighed:
    """What was found. `skill` is the share of the ranks' variance that was foreseen of runs held out.

    unused  params that say nothing here: the same in all runs, or a different text in nearly each
    """

    verdict: Verdict
    runs: int
    skill: Estimate | None = None
    weights: tuple[Weight, ...] = ()
    unused: tuple[str, ...] = ()


def weigh(data: ParamData, *, seed: int = 0) -> Weighed:
    """Weigh every param, or say why not."""
    encoder = fit_encoder(data.params)
    x = encoder.trees(data.params)
    groups = alike(encoder, x)
    named = {name for names, _ in groups for name in names}
    unused = tuple(name for name in data.params.names if name not in named)
    usable = has_any(data.params, sorted(named))
    runs = int(usable.sum())
    verdict = minimum_data.importance(runs, len(groups), float(np.ptp(data.metric[usable])) if runs else 0.0)
    if verdict.is_refused:
        return Weighed(verdict, runs, unused=unused)
    ranks = centred_ranks(data.metric[usable])
    keys = [key for key, is_usable in zip(data.keys, usable.tolist(), strict=True) if is_usable]
    gains, losses = held_out(x[usable], ranks, keys, [columns for _, columns in groups], seed=seed)
    skill = over_folds(gains)
    if not skill.low > 0:
        return Weighed(no_better(skill), runs, skill, unused=unused)
    table = data.params.take(np.flatnonzero(usable))
    weights = [
        Weight(names, over_folds(losses[:, place]), int(has_any(table, names).sum()), trend(table, names[0], ranks))
        for place, (names, _) in enumerate(groups)
    ]
    ordered = sorted(weights, key=lambda weight: (-weight.share.value, weight.params))
    return Weighed(verdict, runs, skill, tuple(ordered), unused)


def no_better(skill: Estimate) -> Verdict:
    """The refusal of a model that held-out runs do not bear out."""
    told = (
        f"Of runs held out the params foresee {100 * skill.value:.0f} % of the variance of the metric's ranks "
        f"({100 * LEVEL:.0f} % interval {100 * skill.low:.0f} to {100 * skill.high:.0f}): no better than the mean does. "
        "So no param's weight can be told from chance."
    )
    return refused("no_better_than_mean", told)


def alike(encoder: Encoder, x: Floats) -> list[tuple[tuple[str, ...], Ints]]:
    """The params with their columns of x, those that split the runs in the same way as one. In the order of names."""
    sources = np.array(encoder.tree_sources, dtype=object)
    found: dict[bytes, list[str]] = {}
    columns: dict[str, Ints] = {}
    for name in sorted(set(encoder.tree_sources)):
        columns[name] = np.flatnonzero(sources == name)
        found.setdefault(split_of(x[:, columns[name]]), []).append(name)
    return [(tuple(names), np.concatenate([columns[name] for name in names])) for names in found.values()]


def split_of(columns: Floats) -> bytes:
    """What a model may make of columns: the order of a number, either way round; of texts, who shares one."""
    _, codes = np.unique(np.nan_to_num(columns, nan=-1.7e308), axis=0, return_inverse=True)
    order = codes.reshape(-1).astype(np.int64)
    if columns.shape[1] == 1 and order.max() > 1:
        known = ~np.isnan(columns[:, 0])
        ranks = np.where(known, np.unique(columns[:, 0], return_inverse=True)[1].reshape(-1), -1)
        turned = np.where(known, ranks[known].max() - ranks, -1)
        return b"n" + min(ranks.astype(np.int64).tobytes(), turned.astype(np.int64).tobytes())
    _, first, inverse = np.unique(order, return_index=True, return_inverse=True)
    return b"t" + np.argsort(np.argsort(first))[inverse].astype(np.int64).tobytes()


def has_any(table: Table, names: Sequence[str]) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which rows have a value in one of the columns. Shapes  n rows -> (n,)."""
    known = np.zeros(table.rows, dtype=np.bool_)
    for name in names:
        values = table.columns[name]
        known |= np.array([value is not None for value in values]) if values.dtype == object else ~np.isnan(values)
    return known


def centred_ranks(metric: Floats) -> Floats:
    """Ranks with mean 0 and variance 1, ties shared. Shapes  (n,) -> (n,)."""
    ranks = np.asarray(stats.rankdata(metric), dtype=np.float64)
    spread = float(ranks.std())
    out: Floats = (ranks - ranks.mean()) / (spread or 1.0)
    return out


def held_out(
    x: Floats, ranks: Floats, keys: Sequence[str], groups: Sequence[Ints], *, seed: int
) -> tuple[Floats, Floats]:
    """What the model gains over the mean on each fold held out, and loses when a group of columns is shuffled there.

    Shapes  x (n, q), ranks (n,) -> (J,), (J, groups) with J folds over all deals; squared errors, variance 1
    """
    gains, losses, draw = [], [], np.random.default_rng(seed)
    for deal in range(DEALS if len(keys) <= MANY_RUNS else FEW_DEALS):
        fold_of = deal_folds(keys, FOLDS, seed=seed + deal)
        for fold in range(FOLDS):
            out = fold_of == fold
            model = fit(x[~out], ranks[~out], seed=seed)
            error = float(np.mean((ranks[out] - np.asarray(model.predict(x[out]))) ** 2))
            gains.append(float(np.mean((ranks[out] - ranks[~out].mean()) ** 2)) - error)
            losses.append([without(model, x[out], ranks[out], columns, draw) - error for columns in groups])
    return np.array(gains), np.array(losses).reshape(len(gains), len(groups))


def fit(x: Floats, ranks: Floats, *, seed: int) -> Any:
    """The model of the ranks; leaves no smaller than the runs can carry."""
    smallest = int(np.clip(len(ranks) // 20, 3, 20))
    return boost(x, ranks, rounds=ROUNDS, seed=seed, options={**OPTIONS, "min_data_in_leaf": smallest})


def without(model: Any, x: Floats, ranks: Floats, columns: Ints, draw: np.random.Generator) -> float:
    """The squared error once these columns are shuffled."""
    is_read = np.asarray(model.feature_importance("split"))[columns].any()
    rows = shuffles(x, columns, draw) if is_read else x
    guess = np.asarray(model.predict(rows)).reshape(-1, len(x))
    return float(np.mean((ranks - guess) ** 2))


def shuffles(x: Floats, columns: Ints, draw: np.random.Generator) -> Floats:
    """The rows SHUFFLES times over, each time with these columns dealt anew among them. Shapes (n, q) -> (S n, q)."""
    out = np.tile(x, (SHUFFLES, 1))
    for turn in range(SHUFFLES):
        rows = np.arange(turn * len(x), (turn + 1) * len(x))
        out[np.ix_(rows, columns)] = x[draw.permutation(len(x))][:, columns]
    return out


def over_folds(values: Floats) -> Estimate:
    """The mean over folds and its interval, widened since folds share what they were trained on. Shapes  (J,)."""
    count = len(values)
    deviation = float(np.sqrt((1 / count + 1 / (FOLDS - 1)) * values.var(ddof=1)))
    reach = float(stats.t.ppf(0.5 + LEVEL / 2, count - 1)) * deviation
    mean = float(values.mean())
    return Estimate(mean, mean - reach, mean + reach)


def trend(table: Table, name: str, ranks: Floats) -> float | None:
    """Rank correlation of a numeric param with the metric; None for text, or where fewer than three runs have it."""
    values = table.columns[name]
    if values.dtype == object:
        return None
    known = ~np.isnan(values)
    if known.sum() < 3 or np.ptp(values[known]) == 0 or np.ptp(ranks[known]) == 0:
        return None
    return float(stats.spearmanr(values[known], ranks[known]).statistic)
