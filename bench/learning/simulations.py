"""Effects with known truth at full size: how far off, how often held, how many claims are wrong.

Own generator (tests/factories/simulated.py), so that the figures can be repeated by anyone.

usage: python -m bench.learning.simulations [--sizes 200:40,1000:10,5000:2] [--first-seed 5000]
"""

import argparse
import os
import resource
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

from apps.recommendations.estimators.impact import estimate_impact
from tests.factories.simulated import tenant

RESULT = Path(__file__).parents[1] / "results" / "simulations.md"
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


def main() -> None:
    """Run the simulations and write their page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sizes", default="200:40,1000:10,5000:2", help="projects:repeats, by commas")
    parser.add_argument("--first-seed", type=int, default=5000)
    options = parser.parse_args()
    sizes = {int(size): int(count) for size, count in (part.split(":") for part in options.sizes.split(","))}
    lines = table_of(sizes, first_seed=options.first_seed)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    page = [
        "# Effects with known truth",
        "",
        f"Written by `python -m bench.learning.simulations --sizes {options.sizes} --first-seed {options.first_seed}` "
        f"on {time.strftime('%Y-%m-%d')}; own generator, {ARTIFACTS} artifacts, one thread. Coverage is that of 90 % "
        "intervals; a claim is an interval without zero, and wrong if the truth has not its sign.",
        "",
        *lines,
        "",
        f"Most memory of the process: {peak:.0f} MB. Load of the machine at the end (15 minutes): "
        f"{os.getloadavg()[2]:.1f}.",
    ]
    RESULT.write_text("\n".join(page) + "\n", encoding="utf-8")


def table_of(sizes: Mapping[int, int], *, first_seed: int) -> list[str]:
    """The figures as lines of Markdown, each said as it comes."""
    lines = [
        "| scenario | projects | repeats | Spearman | error, points | raw difference's error | coverage of 90 % "
        "| wrong claims | processor seconds |",
        "|" + " --- |" * 9,
    ]
    for f in simulate(sizes, first_seed=first_seed):
        lines.append(
            f"| {f.scenario} | {f.projects} | {f.repeats} | {f.spearman:.3f} | {f.error:.2f} | {f.raw_error:.2f} "
            f"| {f.coverage:.3f} | {f.wrong:.2f} | {f.seconds:.2f} |"
        )
        print(lines[-1], flush=True)
    return lines


def simulate(sizes: Mapping[int, int], *, first_seed: int) -> Iterator[Figure]:
    """Each scenario at each size, with that many repeats. Units  error in points, seconds of processor time."""
    for scenario, options in SCENARIOS.items():
        for projects, repeats in sizes.items():
            rows = [_one(projects, seed, options) for seed in range(first_seed, first_seed + repeats)]
            yield Figure(scenario, projects, repeats, *np.mean(rows, axis=0).tolist())


def _one(projects: int, seed: int, options: dict[str, bool]) -> tuple[float, ...]:
    made = tenant(projects, ARTIFACTS, seed=seed, **options)
    began = time.process_time()
    shown = [
        (e.effect, e.lo, e.hi, e.raw, truth)
        for e, truth in zip(estimate_impact(made.data).effects, made.truth, strict=True)
        if e.effect is not None
    ]
    seconds = time.process_time() - began
    effect, lo, hi, raw, truth = np.array(shown, dtype=float).T
    claims = (lo > 0) | (hi < 0)
    wrong = float((np.sign(effect) != np.sign(truth))[claims].mean()) if claims.any() else 0.0
    return (
        float(spearmanr(effect, truth)[0]),
        float(np.sqrt(np.mean((effect - truth) ** 2))),
        float(np.sqrt(np.mean((raw - truth) ** 2))),
        float(((lo <= truth) & (truth <= hi)).mean()),
        wrong,
        seconds,
    )


if __name__ == "__main__":
    main()
