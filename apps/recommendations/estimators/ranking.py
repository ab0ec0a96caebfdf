"""Recommendations room: which artifact to try next on a project. Pure.

    ranker = train_ranker(RankingData(projects, artifacts, outcome, catalogue, families, facts))
    ranker.verdict, ranker.basis, ranker.quality         NDCG@5 of each method, projects left out
    rank(ranker, {"artifact": success of a run already seen})   -> Ranking with Advice, best first

Methods compete on projects left out. Once runs of the new project are seen: the mean rank against the model (mean
rank shared by like artifacts, then kriging on the runs seen); the model is shown only where it wins. Before any:
the mean rank against the shared one, which must win by more than two standard errors, since nothing is known to beat
the mean rank reliably then. Popularity is no sign of quality and is not used.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from scipy import stats

from apps.recommendations.estimators import minimum_data
from apps.recommendations.estimators.folds import Ints
from apps.recommendations.estimators.ranks import (
    UNIT,
    Evidence,
    Likeness,
    believe,
    gather,
    krige,
    likeness,
    mean_ranks,
    project_ranks,
    without,
)
from apps.recommendations.estimators.tables import Floats, Table
from apps.recommendations.estimators.verdicts import Verdict

JUDGED_PROJECTS, JUDGED_SEEN, TOP = 40, 5, 5
LEAST_RUNS = 2
# Standard errors by which sharing must lead before any run is seen.
CLEARLY = 2.0
METHODS = ("mean_rank", "shared_mean", "model", "cold_mean_rank", "cold_shared_mean")
Basis = Literal["none", "mean_rank", "model"]
Cold = Literal["mean_rank", "shared_mean"]


@dataclass(frozen=True, slots=True)
class RankingData:
    """Every known outcome of an artifact on a project, and what is known of the artifacts.

    Shapes  projects, artifacts n names; outcome (n,), more is better; catalogue, families k names;
            facts k rows (parameters and the like)
    """

    projects: tuple[str, ...]
    artifacts: tuple[str, ...]
    outcome: Floats
    catalogue: tuple[str, ...]
    families: tuple[str, ...]
    facts: Table


@dataclass(frozen=True, slots=True)
class Ranker:
    """What was learnt.

    judged   NDCG@5 on each left-out project: "mean_rank", "shared_mean", "model" after five of its runs were seen,
             "cold_mean_rank", "cold_shared_mean" before any
    quality  their means
    cold     what orders artifacts for a project without runs, where the basis is the model
    """

    verdict: Verdict
    basis: Basis
    catalogue: tuple[str, ...]
    projects: int
    spread: float
    cold: Cold = "mean_rank"
    judged: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    evidence: Evidence | None = None
    alike: Likeness | None = None
    ranks: Mapping[str, tuple[Ints, Floats]] = field(default_factory=dict)

    @property
    def quality(self) -> dict[str, float]:
        """Mean NDCG@5 of each method on projects left out."""
        return {method: float(np.mean(scores)) for method, scores in self.judged.items() if scores}


@dataclass(frozen=True, slots=True)
class Advice:
    """One artifact for one project.

    Units  standing 0..100, the share of the catalogue it is expected to beat, with lo and hi;
           gain in outcome units over a typical artifact; used = projects behind it
    """

    artifact: str
    standing: float
    lo: float
    hi: float
    gain: float
    used: int
    reason: str
    score: float


@dataclass(frozen=True, slots=True)
class Ranking:
    """Advice, best first; empty if refused (list by recency instead, without a score)."""

    verdict: Verdict
    basis: Basis
    advice: tuple[Advice, ...]


def train_ranker(data: RankingData, *, seed: int = 0) -> Ranker:
    """Learn from history and judge the methods on projects left out."""
    order = sorted(range(len(data.catalogue)), key=lambda k: data.catalogue[k])
    catalogue = tuple(data.catalogue[k] for k in order)
    history = _history(data, catalogue)
    verdict = minimum_data.ranking(len(history))
    spread = float(np.median([np.std(outcome) for _, _, outcome in history.values()])) if history else 0.0
    shell = Ranker(verdict, "none", catalogue, len(history), spread)
    if verdict.is_refused:
        return shell
    alike = likeness([data.families[k] for k in order], data.facts.take(np.array(order)))
    names = sorted(history)
    numbers = np.concatenate([np.full(len(history[name][0]), p) for p, name in enumerate(names)])
    used = np.concatenate([history[name][0] for name in names])
    evidence = gather(numbers, used, np.concatenate([history[name][1] for name in names]), count=len(catalogue))
    judged = _judge(history, evidence, alike, seed=seed)
    wins = _lead(judged["model"], judged["mean_rank"]) > 0
    basis: Basis = "model" if wins and verdict.status == "ok" else "mean_rank"
    cold: Cold = "shared_mean" if _lead(judged["cold_shared_mean"], judged["cold_mean_rank"]) > CLEARLY else "mean_rank"
    ranks = {name: (used, ranks) for name, (used, ranks, _) in history.items()}
    return Ranker(verdict, basis, catalogue, len(history), spread, cold, judged, evidence, alike, ranks)


def _lead(ours: tuple[float, ...], theirs: tuple[float, ...]) -> float:
    """How far ahead one method is on the same projects, in standard errors of the paired difference."""
    gap = np.array(ours) - np.array(theirs)
    if not len(gap) or not gap.any():
        return 0.0
    error = float(gap.std(ddof=1)) / np.sqrt(len(gap)) if len(gap) > 1 else float("inf")
    return float(gap.mean()) / max(error, 1e-12)


def rank(ranker: Ranker, seen: Mapping[str, float], *, project: str = "", level: float = 0.8) -> Ranking:
    """Order the catalogue for one project, given the outcomes seen on it.

    `project` names it if its runs are part of the history: they are taken out of the beliefs first.
    """
    if ranker.verdict.is_refused or ranker.evidence is None or ranker.alike is None:
        return Ranking(ranker.verdict, "none", ())
    numbers = {name: k for k, name in enumerate(ranker.catalogue)}
    known = sorted((numbers[name], value) for name, value in seen.items() if name in numbers and np.isfinite(value))
    at = np.array([number for number, _ in known], dtype=np.int64)
    ranks = project_ranks(np.array([value for _, value in known], dtype=np.float64))
    own = ranker.ranks.get(project)
    evidence = ranker.evidence if own is None else without(ranker.evidence, *own)
    is_model = ranker.basis == "model"
    is_shared = is_model and (len(at) > 0 or ranker.cold == "shared_mean")
    expected, deviations = krige(believe(evidence, ranker.alike), at, ranks) if is_shared else mean_ranks(evidence)
    reach = float(stats.norm.ppf(0.5 + level / 2)) * deviations
    ordered = np.argsort(-expected, kind="stable")
    reason = _reason(ranker, len(at) if is_model else 0)
    advice = tuple(_advice(ranker, int(k), expected, reach, reason=reason) for k in ordered)
    return Ranking(ranker.verdict, ranker.basis, advice)


def _advice(ranker: Ranker, k: int, expected: Floats, reach: Floats, *, reason: str) -> Advice:
    used = int(ranker.evidence.counts[k]) if ranker.evidence else 0
    standing, lo, hi = (_share(expected[k] + side * reach[k]) for side in (0.0, -1.0, 1.0))
    why = reason if used else f"never used; judged by its like; {reason}"
    return Advice(
        ranker.catalogue[k], standing, lo, hi, float(expected[k]) * ranker.spread, used, why, float(expected[k])
    )


def _share(rank_value: float) -> float:
    return float(np.clip(100 * (rank_value / UNIT + 0.5), 0.0, 100.0))


def _reason(ranker: Ranker, seen: int) -> str:
    if seen:
        return f"what goes with the {seen} runs seen here, across {ranker.projects} projects"
    return f"what did well across {ranker.projects} projects"


def _history(data: RankingData, catalogue: tuple[str, ...]) -> dict[str, tuple[Ints, Floats, Floats]]:
    """Per project: artifact numbers, ranks, outcomes. Repeated uses are averaged; one use cannot be ranked."""
    numbers = {name: k for k, name in enumerate(catalogue)}
    met: dict[str, dict[int, list[float]]] = {}
    for project, artifact, outcome in zip(data.projects, data.artifacts, data.outcome.tolist(), strict=True):
        if artifact in numbers and np.isfinite(outcome):
            met.setdefault(project, {}).setdefault(numbers[artifact], []).append(float(np.clip(outcome, -1e100, 1e100)))
    out: dict[str, tuple[Ints, Floats, Floats]] = {}
    for project, uses in met.items():
        if len(uses) >= LEAST_RUNS:
            used = np.array(sorted(uses), dtype=np.int64)
            outcome = np.array([float(np.mean(sorted(uses[k]))) for k in used.tolist()])
            out[project] = (used, project_ranks(outcome), outcome)
    return out


def _judge(
    history: dict[str, tuple[Ints, Floats, Floats]], evidence: Evidence, alike: Likeness, *, seed: int
) -> dict[str, tuple[float, ...]]:
    """NDCG@5 of each method on projects left out: before any of their runs is seen, and after five are."""

    def place(name: str) -> bytes:
        return hashlib.sha256(f"{seed}|{name}".encode()).digest()

    judged = sorted((name for name, (used, _, _) in history.items() if len(used) >= 2 * JUDGED_SEEN), key=place)
    scores: dict[str, list[float]] = {method: [] for method in METHODS}
    for name in judged[:JUDGED_PROJECTS]:
        used, ranks, outcome = history[name]
        left = without(evidence, used, ranks)
        beliefs, (ordinary, _) = believe(left, alike), mean_ranks(left)
        shuffled = sorted(range(len(used)), key=lambda row: place(f"{name}|{row}"))
        seen, rest = np.array(shuffled[:JUDGED_SEEN]), np.array(shuffled[JUDGED_SEEN:])
        model, _ = krige(beliefs, used[seen], project_ranks(outcome[seen]))
        warm = {"mean_rank": ordinary, "shared_mean": beliefs.means, "model": model}
        cold = {"cold_mean_rank": ordinary, "cold_shared_mean": beliefs.means}
        for guesses, rows in ((warm, rest), (cold, np.arange(len(used)))):
            for method, guess in guesses.items():
                gained = ndcg(outcome[rows], guess[used[rows]])
                scores[method] += [] if gained is None else [gained]
    return {method: tuple(values) for method, values in scores.items()}


def ndcg(outcome: Floats, guess: Floats) -> float | None:
    """NDCG@5 with gain 0 for the median artifact or worse and 1 for the best; None if all are alike.

    Shapes  (n,) what happened, (n,) scores
    """
    best, median = float(outcome.max()), float(np.median(outcome))
    if not best > median:
        return None
    gains = np.clip((outcome - median) / (best - median), 0.0, 1.0)
    discounts = 1 / np.log2(np.arange(2, min(TOP, len(gains)) + 2))
    found = gains[np.argsort(-guess, kind="stable")][: len(discounts)]
    return float((found * discounts).sum() / (np.sort(gains)[::-1][: len(discounts)] * discounts).sum())
