"""The recommendations room: would yesterday's model have helped today? Pure.

A time-ordered backtest: estimate on the projects before a moment t, judge on those of the quarter after it.
An effect has no truth to be compared with, so effects are judged by what they foresee: the outcome of the
later projects, given what those used, against assuming that no artifact matters (the baseline).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np

from apps.recommendations.estimators.data import ImpactData
from apps.recommendations.estimators.features import fit_encoder
from apps.recommendations.estimators.folds import centred_within, group_codes
from apps.recommendations.estimators.run_impact import RunData
from apps.recommendations.estimators.tables import Floats
from apps.recommendations.past.history import ProjectRow, quarter_of

FEWEST_TESTED = 10
SHARE_TESTED = 0.2
RIDGE = 10.0
# The share of the rival's loss below which a difference is none.
MATERIAL = 0.05


@dataclass(frozen=True, slots=True)
class Rival:
    """The model that serves, and the projects it was trained on."""

    model: str
    seen: frozenset[UUID]


NO_RIVAL = Rival("", frozenset())


@dataclass(frozen=True, slots=True)
class Losses:
    """Squared errors, one a tested project. Shapes  model, baseline (n,)"""

    model: Floats
    baseline: Floats

    @property
    def ratio(self) -> float:
        """Below 1 is better than assuming that nothing matters."""
        base = float(self.baseline.mean()) if len(self.baseline) else 0.0
        return float(self.model.mean()) / base if base > 0 else 1.0

    @property
    def lose(self) -> bool:
        """Say whether the model's error lies above the baseline's. Without anything tested it does not."""
        return self.ratio > 1 + 1e-9


def is_worse(ours: Floats, theirs: Floats) -> bool:
    """Say whether our losses lie above theirs by more than one standard error of the paired difference, and by MATERIAL.

    Without the second bound chance alone refuses one in six of the models that are as good: their losses differ by
    a hundredth and all in one direction (docs/learning.md has the figures).
    """
    gap = ours - theirs
    if len(gap) < 2:
        return False
    error = float(gap.std(ddof=1)) / np.sqrt(len(gap))
    return bool(gap.mean() > error and gap.mean() > MATERIAL * max(float(theirs.mean()), 1e-12))


def split(rows: Sequence[ProjectRow], rival: Rival) -> tuple[list[ProjectRow], list[ProjectRow], str]:
    """Projects to train on and to test on, and the model that serves if it has seen none of the tested ones.

    Tested are those whose outcome became known since that model was trained, where they are enough; else the latest.
    """
    fresh = [row for row in rows if row.id not in rival.seen]
    if rival.model and FEWEST_TESTED <= len(fresh) <= len(rows) / 2:
        return [row for row in rows if row.id in rival.seen], fresh, rival.model
    earlier, later = split_by_time(rows)
    is_fair = bool(later) and not any(row.id in rival.seen for row in later)
    return earlier, later, rival.model if is_fair else ""


def split_by_time(rows: Sequence[ProjectRow]) -> tuple[list[ProjectRow], list[ProjectRow]]:
    """Earlier and later projects: the last quarter is tested, or the last fifth where a quarter is too few or too many."""
    ordered = sorted(rows, key=lambda row: (row.ended or row.began, row.slug))
    if len(ordered) < 2 * FEWEST_TESTED:
        return list(ordered), []
    last = quarter_of(ordered[-1].ended or ordered[-1].began)
    cut = next(k for k, row in enumerate(ordered) if quarter_of(row.ended or row.began) == last)
    tested = len(ordered) - cut
    if not FEWEST_TESTED <= tested <= len(ordered) / 2:
        cut = len(ordered) - max(FEWEST_TESTED, round(SHARE_TESTED * len(ordered)))
    return list(ordered[:cut]), list(ordered[cut:])


def project_losses(train: ImpactData, test: ImpactData, effects: Mapping[str, float]) -> Losses:
    """Judge effects on later finished projects, adjusting for what was known with ridges of the earlier ones."""
    encoder = fit_encoder(train.covariates)
    seen, unseen = encoder.linear(train.covariates), encoder.linear(test.covariates)
    theta = np.array([effects.get(name, 0.0) for name in train.artifacts])
    targets = np.column_stack([train.outcome, train.usage])
    expected = fit_ridge(seen, targets, unseen)
    left = test.outcome - expected[:, 0]
    moved = (test.usage - expected[:, 1:]) @ theta
    return Losses((left - moved) ** 2, left**2)


def run_losses(test: RunData, effects: Mapping[str, float]) -> Losses:
    """Judge effects on the runs of later projects, each project centred and scaled by itself."""
    if not len(test.keys):
        return Losses(np.zeros(0), np.zeros(0))
    codes, count = group_codes(test.projects)
    theta = np.array([effects.get(name, 0.0) for name in test.artifacts])
    sizes = np.bincount(codes, minlength=count)
    outcome = centred_within(np.clip(test.outcome, -1e100, 1e100), codes, count)
    spread = np.sqrt(np.bincount(codes, outcome**2, minlength=count) / np.maximum(sizes - 1, 1))
    outcome = outcome / np.where(spread > 0, spread, 1.0)[codes]
    moved = centred_within(test.usage, codes, count) @ theta
    model = np.bincount(codes, (outcome - moved) ** 2, minlength=count) / sizes
    baseline = np.bincount(codes, outcome**2, minlength=count) / sizes
    judged = (sizes >= 2) & (spread > 0)
    return Losses(model[judged], baseline[judged])


def fit_ridge(seen: Floats, targets: Floats, unseen: Floats) -> Floats:
    """Ridge on standardised columns, the mean left free. Shapes  (n, p), (n, m), (t, p) -> (t, m)"""
    center, mean = seen.mean(axis=0), targets.mean(axis=0)
    x = seen - center
    weights = np.linalg.solve(x.T @ x + RIDGE * np.eye(x.shape[1]), x.T @ (targets - mean))
    out: Floats = mean + (unseen - center) @ weights
    return out
