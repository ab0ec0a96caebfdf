"""How often a contest of two models refuses the new one: one that is as good, and one that was spoilt.

usage: python -m bench.learning.contests [--tenants 60]

Each simulated tenant has 150 projects and 8 artifacts; models are trained on 120 and compared on the other 30. Printed:
the share refused by one standard error alone, and by the rule that serves (apps/recommendations/training/holdout.py).
Then how often a model makes no claim, since its error is above that of assuming no effect: where effects are as simulated,
and where outcomes were shuffled, so that there are none.
"""

import argparse
from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from apps.recommendations.estimators.data import ImpactData
from apps.recommendations.estimators.impact import estimate_impact
from apps.recommendations.training.holdout import Losses, is_worse, project_losses
from tests.factories.simulated import tenant

PROJECTS, TRAINED, ARTIFACTS, FIRST_SEED = 150, 120, 8, 10


def main() -> None:
    """Hold the contests and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tenants", type=int, default=60)
    found: dict[str, list[tuple[bool, bool]]] = {}
    tenants = parser.parse_args().tenants
    for seed in range(FIRST_SEED, FIRST_SEED + tenants):
        for name, refused in contests(seed):
            found.setdefault(name, []).append(refused)
    print("| new model | contests | refused by one standard error | refused by the rule |\n| --- | --- | --- | --- |")
    for name, rows in found.items():
        print(f"| {name} | {len(rows)} | " + " | ".join(f"{share:.2f}" for share in np.mean(rows, axis=0)) + " |")
    print("\n| tenant | tenants | makes no claim |\n| --- | --- | --- |")
    for name, silent in silences(range(FIRST_SEED, FIRST_SEED + tenants)).items():
        print(f"| {name} | {len(silent)} | {np.mean(silent):.2f} |")


def silences(seeds: Iterable[int]) -> dict[str, list[bool]]:
    """Whether a tenant's own earlier model foresees its later projects worse than no effect would."""
    found: dict[str, list[bool]] = {"effects as simulated": [], "no effect at all": []}
    for seed in seeds:
        made = tenant(PROJECTS, ARTIFACTS, seed=seed).data
        without = replace(made, outcome=np.random.default_rng(seed).permutation(made.outcome))
        for silent, data in zip(found.values(), (made, without), strict=True):
            train, test = data.take(np.arange(TRAINED)), data.take(np.arange(TRAINED, PROJECTS))
            silent.append(losses(train, train, test).lose)
    return found


def contests(seed: int) -> Iterator[tuple[str, tuple[bool, bool]]]:
    """One tenant: what the new model is, and whether each rule refuses it."""
    made = tenant(PROJECTS, ARTIFACTS, seed=seed).data
    train, test = made.take(np.arange(TRAINED)), made.take(np.arange(TRAINED, PROJECTS))
    serving = losses(train, train, test)
    for name, other, folds in rivals(train, seed):
        ours = losses(other, train, test, seed=folds).model
        gap = ours - serving.model
        by_error = bool(gap.mean() > gap.std(ddof=1) / np.sqrt(len(gap)))
        yield name, (by_error, is_worse(ours, serving.model))


def rivals(train: ImpactData, seed: int) -> Iterator[tuple[str, ImpactData, int]]:
    """As good: other folds, three outcomes changed. Spoilt: all outcomes shuffled, or half of them."""
    draw = np.random.default_rng(seed)
    few, all_, half = train.outcome.copy(), draw.permutation(train.outcome), train.outcome.copy()
    few[:3] += 5
    some = draw.permutation(TRAINED)[: TRAINED // 2]
    half[some] = draw.permutation(half[some])
    yield "other folds", train, 77
    yield "three outcomes changed", replace(train, outcome=few), 0
    yield "all outcomes shuffled", replace(train, outcome=all_), 0
    yield "half of the outcomes shuffled", replace(train, outcome=half), 0


def losses(learnt: ImpactData, train: ImpactData, test: ImpactData, *, seed: int = 0) -> Losses:
    """What a model that was trained on `learnt` foresees of the tested projects."""
    found = {one.artifact: one.effect for one in estimate_impact(learnt, seed=seed).effects if one.effect is not None}
    return project_losses(train, test, found)


if __name__ == "__main__":
    main()
