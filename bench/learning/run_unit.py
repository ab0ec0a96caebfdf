"""How much data the run unit needs: simulate projects with known effects and see when intervals hold.

usage: python -m bench.learning.run_unit [--repeats 40] [--output FILE.md]

Effects are in deviations of a project's runs. The refusals are switched off, so that the cells below
the minimum are seen too. Each row averages over all artifacts and repeats.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from apps.recommendations.estimators import minimum_data
from apps.recommendations.estimators.run_impact import estimate_run_impact
from apps.recommendations.estimators.tables import Floats
from tests.factories.simulated import workshop

ARTIFACTS = 8
PROJECTS = (5, 8, 12, 20, 30, 60)
RUNS = (3, 5, 10, 30)
KNOWN = (1.0, 0.4)


@dataclass(frozen=True, slots=True)
class Cell:
    """One size of workshop."""

    projects: int
    runs: int
    known: float
    trend: float = 0.0
    recorded: bool = True


def measure(cell: Cell, repeats: int) -> dict[str, float]:
    """Coverage of the 90 % interval, error against saying nothing, claims and how many are wrong."""
    rows = [_compared(cell, repeat) for repeat in range(repeats)]
    table = np.vstack([row for row in rows if len(row)]) if any(len(row) for row in rows) else np.zeros((0, 5))
    if not len(table):
        return {}
    effect, lo, hi, truth, both = table.T
    claims = (lo > 0) | (hi < 0)
    wrong = np.sign(effect[claims]) != np.sign(truth[claims])
    return {
        "both": float(both.mean()),
        "coverage": float(((lo <= truth) & (truth <= hi)).mean()),
        "error": float(np.sqrt(np.mean((effect - truth) ** 2) / np.mean(truth**2))),
        "slope": float((effect * truth).sum() / (truth**2).sum()),
        "claims": float(claims.sum() / repeats),
        "wrong": float(wrong.mean()) if claims.any() else 0.0,
    }


def _compared(cell: Cell, repeat: int) -> Floats:
    made = workshop(
        cell.projects,
        cell.runs,
        ARTIFACTS,
        seed=7919 * repeat + 31 * cell.projects + cell.runs,
        trend=cell.trend,
        recorded=cell.recorded,
        known=cell.known,
    )
    result = estimate_run_impact(made.data, seed=repeat)
    owners = np.asarray(made.data.projects)
    rows = []
    for column, (effect, truth) in enumerate(zip(result.effects, made.truth, strict=True)):
        if effect.effect is not None and effect.lo is not None and effect.hi is not None:
            used = made.data.usage[:, column]
            both = sum(0 < used[owners == name].mean() < 1 for name in np.unique(owners))
            rows.append((effect.effect, effect.lo, effect.hi, float(truth), float(both)))
    return np.array(rows).reshape(-1, 5)


def cells() -> list[Cell]:
    """Every size, and the trend with and without the run's place at two of them."""
    plain = [Cell(p, r, k) for k in KNOWN for p in PROJECTS for r in RUNS]
    return plain + [Cell(p, 10, 1.0, 1.5, told) for p in (12, 30, 60) for told in (True, False)]


def main() -> None:
    """Print the table, and write it if asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--repeats", type=int, default=40)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    for name in ("RUN_PROJECTS", "RUNS_PER_PROJECT", "RUN_ARM_PROJECTS"):
        setattr(minimum_data, name, 2)
    lines = [
        "| projects | runs each | projects with both | trend | coverage of 90 % | error / saying nothing | slope "
        "| claims of 8 | wrong sign |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for cell in cells():
        found = measure(cell, options.repeats)
        trend = "none" if not cell.trend else ("recorded" if cell.recorded else "not recorded")
        if found:
            lines.append(
                f"| {cell.projects} | {cell.runs} | {found['both']:.1f} | {trend} | {found['coverage']:.2f} | "
                f"{found['error']:.2f} | {found['slope']:.2f} | {found['claims']:.1f} | "
                f"{found['wrong']:.2f} |"
            )
            print(lines[-1], flush=True)
    if options.output:
        options.output.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
