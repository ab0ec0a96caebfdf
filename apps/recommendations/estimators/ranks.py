"""Recommendations room: outcomes -> ranks within their project, and what they say of each artifact. Pure.

Success is compared inside a project only, as a rank: levels and scales of projects differ too much.
A rank is a number from -1.7 (worst) to 1.7 (best) with mean 0 and variance 1 over a project's artifacts.
Like artifacts (same family, few unlike parameters) inform each other.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from apps.recommendations.estimators.folds import Ints
from apps.recommendations.estimators.tables import Floats, Table

UNIT = float(np.sqrt(12.0))
FAMILY_SHARE, LIKENESS_SHARE = 0.45, 0.35
MEAN_FAMILY_SHARE, MEAN_LIKENESS_SHARE = 0.4, 0.3
HALVING = 2.0
PRIOR_PAIRS = 20.0
NOISE = 0.3
PRIOR_USES = 3.0
BOUNDS_OF_PRIOR_USES = (0.5, 20.0)
FULL_COVER = 0.7


@dataclass(frozen=True, slots=True)
class Evidence:
    """What history says, in sums from which a project can be taken out again.

    Shapes  sums, counts (k,) of ranks; products, pairs (k, k) of residual ranks met in one project;
            squares is the sum of all squared ranks
    """

    sums: Floats
    counts: Floats
    products: Floats
    pairs: Floats
    squares: float


@dataclass(frozen=True, slots=True)
class Likeness:
    """How alike artifacts are. Shapes  family, parameters (k, k), 1 on the diagonal."""

    family: Floats
    parameters: Floats


@dataclass(frozen=True, slots=True)
class Beliefs:
    """Mean rank of each artifact and how ranks move together in one project.

    Shapes  means (k,); doubt (k, k) covariance of the means; within (k, k) covariance in a project
    """

    means: Floats
    doubt: Floats
    within: Floats
    noise: float


def project_ranks(outcome: Floats) -> Floats:
    """Ranks of one project's outcomes, ties shared. Shapes  (n,) -> (n,)."""
    return (np.asarray(stats.rankdata(outcome)) - 0.5 - len(outcome) / 2) / len(outcome) * UNIT


def likeness(families: Sequence[str], facts: Table) -> Likeness:
    """Compare every pair of artifacts: same family, and how many facts differ."""
    family = np.asarray(families, dtype=str)
    same = (family[:, None] == family[None, :]).astype(np.float64)
    unlike = np.zeros_like(same)
    for values in facts.columns.values():
        _, codes = np.unique(np.array([str(value) for value in values]), return_inverse=True)
        unlike += codes[:, None] != codes[None, :]
    return Likeness(same, same * np.exp(-unlike / HALVING))


def gather(projects: Ints, artifacts: Ints, ranks: Floats, *, count: int) -> Evidence:
    """Sum up history. Shapes  (n,) project and artifact numbers, (n,) ranks; count = artifacts."""
    sums = np.bincount(artifacts, ranks, minlength=count).astype(np.float64)
    counts = np.bincount(artifacts, minlength=count).astype(np.float64)
    means = sums / (counts + PRIOR_USES)
    products, pairs = np.zeros((count, count)), np.zeros((count, count))
    for rows in _by_project(projects):
        used = artifacts[rows]
        residual = centred_residual(ranks[rows], means[used], count)
        products[np.ix_(used, used)] += np.outer(residual, residual)
        pairs[np.ix_(used, used)] += 1.0
    return Evidence(sums, counts, products, pairs, float(ranks @ ranks))


def without(evidence: Evidence, used: Ints, ranks: Floats) -> Evidence:
    """The same history lacking one project."""
    count = len(evidence.sums)
    residual = centred_residual(ranks, (evidence.sums / (evidence.counts + PRIOR_USES))[used], count)
    products, pairs = evidence.products.copy(), evidence.pairs.copy()
    products[np.ix_(used, used)] -= np.outer(residual, residual)
    pairs[np.ix_(used, used)] -= 1.0
    return Evidence(
        evidence.sums - np.bincount(used, ranks, minlength=count),
        evidence.counts - np.bincount(used, minlength=count),
        products,
        pairs,
        evidence.squares - float(ranks @ ranks),
    )


def centred_residual(ranks: Floats, means: Floats, count: int) -> Floats:
    """Ranks less the artifacts' means; a project with few artifacts may hold only good ones, so centre."""
    residual = ranks - means
    return residual - residual.mean() if len(ranks) < FULL_COVER * count else residual


def mean_ranks(evidence: Evidence) -> tuple[Floats, Floats]:
    """Each artifact's own mean rank, and how far its rank in one more project may lie from that.

    Shrunk to the average as far as artifacts differ less than their ranks do: variances within and between
    artifacts by moments, so that the data say how much.
    Shapes  (k,), (k,)
    """
    used = np.maximum(evidence.counts, 0.0)
    met = used > 0
    uses, artifacts = float(used.sum()), int(met.sum())
    explained = float((evidence.sums[met] ** 2 / used[met]).sum())
    within = max(evidence.squares - explained, 0.0) / max(uses - artifacts, 1.0)
    between = max(explained - artifacts * within, 0.0) / max(uses, 1.0)
    prior = float(np.clip(within / max(between, 1e-9), *BOUNDS_OF_PRIOR_USES))
    return evidence.sums / (used + prior), np.sqrt((within + 1e-9) * (1 + 1 / (used + prior)))


def _by_project(projects: Ints) -> list[Ints]:
    order = np.argsort(projects, kind="stable")
    edges = np.flatnonzero(np.diff(projects[order])) + 1
    return [rows for rows in np.split(order, edges) if len(rows)]


def believe(evidence: Evidence, alike: Likeness) -> Beliefs:
    """Means shrunk to those of like artifacts; covariance shrunk to likeness.

    Means: a normal prior whose covariance is shared by family and parameters, and a variance of one
    rank unit a use. Covariance: the prior counts as 20 projects.
    """
    count, own = len(evidence.sums), np.eye(len(evidence.sums))
    used = np.maximum(evidence.counts, 0.0)
    shrunk = evidence.sums / (used + PRIOR_USES)
    spread = max(float(np.mean(shrunk**2)), 0.02)
    rest = 1 - MEAN_FAMILY_SHARE - MEAN_LIKENESS_SHARE
    prior = spread * (MEAN_FAMILY_SHARE * alike.family + MEAN_LIKENESS_SHARE * alike.parameters + rest * own)
    # Information form: an artifact never used has no information rather than an infinite variance.
    half = np.sqrt(used)
    core = np.linalg.inv(np.eye(count) + half[:, None] * prior * half[None, :])
    gain = prior * half[None, :] @ core
    means = gain @ np.divide(evidence.sums, half, out=np.zeros(count), where=half > 0)
    total = float(np.trace(evidence.products)) / max(float(np.trace(evidence.pairs)), 1.0)
    rest = 1 - FAMILY_SHARE - LIKENESS_SHARE
    guess = total * (FAMILY_SHARE * alike.family + LIKENESS_SHARE * alike.parameters + rest * own)
    within = (evidence.products + PRIOR_PAIRS * guess) / (np.maximum(evidence.pairs, 0.0) + PRIOR_PAIRS)
    return Beliefs(means, prior - gain @ (half[:, None] * prior), within, NOISE * total + 1e-9)


def krige(beliefs: Beliefs, seen: Ints, ranks: Floats) -> tuple[Floats, Floats]:
    """Expected rank of every artifact in this project, given runs seen on it; and its deviation.

    The project's own level is unknown: it is estimated with them (ordinary kriging).
    Shapes  seen, ranks (m,) -> (k,), (k,)
    """
    covariance = beliefs.within + beliefs.doubt
    if not len(seen):
        return beliefs.means, np.sqrt(np.maximum(np.diag(covariance), 0.0))
    inverse = np.linalg.inv(covariance[np.ix_(seen, seen)] + beliefs.noise * np.eye(len(seen)))
    ones = np.ones(len(seen))
    apart = ranks - beliefs.means[seen]
    level = float(ones @ inverse @ apart) / max(float(ones @ inverse @ ones), 1e-9)
    across = covariance[:, seen]
    expected = beliefs.means + across @ (inverse @ (apart - level * ones))
    left = np.diag(covariance) - np.einsum("ij,jk,ik->i", across, inverse, across)
    return expected, np.sqrt(np.maximum(left, 0.0))
