"""Effects with known truth at full size: how far off, how often held, how many claims are wrong.

Own generator (tests/recommendations/simulated.py), so that the figures can be repeated by anyone.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.stats import spearmanr

from apps.recommendations.impact import estimate_impact
from tests.recommendations.simulated import tenant

ARTIFACTS = 30
SCENARIOS = {"observed": {}, "nonlinear": {"curved": True}, "hidden": {"hidden": True}}


@dataclass(frozen=True, slots=True)
class Figure:
    """One scenario and size, averaged over repeats."""

    scenario: str
    projects: int
    repeats: int
    spearman: float
    error: float
    raw_error: float
    coverage: float
    wrong: float
    seconds: float


def simulate(sizes: dict[int, int]) -> Iterator[Figure]:
    """Each scenario at each size, with that many repeats. Units  error in points, seconds of processor time."""
    for scenario, options in SCENARIOS.items():
        for projects, repeats in sizes.items():
            rows = [_one(projects, seed, options) for seed in range(900, 900 + repeats)]
            yield Figure(scenario, projects, repeats, *np.mean(rows, axis=0).tolist())


def _one(projects: int, seed: int, options: dict[str, bool]) -> tuple[float, ...]:
    made = tenant(projects, ARTIFACTS, seed=seed, **options)
    began = time.process_time()
    shown = [(e.effect, e.lo, e.hi, e.raw, truth) for e, truth in zip(estimate_impact(made.data).effects, made.truth,
             strict=True) if e.effect is not None]  # fmt: skip
    seconds = time.process_time() - began
    effect, lo, hi, raw, truth = np.array(shown, dtype=float).T
    claims = (lo > 0) | (hi < 0)
    wrong = float((np.sign(effect) != np.sign(truth))[claims].mean()) if claims.any() else 0.0
    return (float(spearmanr(effect, truth)[0]), float(np.sqrt(np.mean((effect - truth) ** 2))),
            float(np.sqrt(np.mean((raw - truth) ** 2))), float(((lo <= truth) & (truth <= hi)).mean()), wrong,
            seconds)  # fmt: skip
