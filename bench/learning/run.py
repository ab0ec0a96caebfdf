"""Measure what the product learns, beside simpler methods, and write bench/results/learning.md.

usage: python -m bench.learning.run [--make FILE --score FILE --data DIR [--bars FILE]] [--sizes 50,200,1000]

Without --make only the own simulations run. --make is a script that cuts real histories into cases
(`--dev DATA --out DIR --sim-n SIZES`), --score one that scores a file of answers
(`--cases DIR --predictions FILE --json OUT [--bars FILE]`).
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from apps.recommendations.cases.backtest import run_cases
from bench.learning.baselines import BASELINES, write_baseline
from bench.learning.cost import measure_costs
from bench.learning.simulations import table_of

RESULT = Path(__file__).parents[1] / "results" / "learning.md"
COLUMNS = {
    "reco": ("ndcg5", "regret1", "regret5"),
    "predict": ("mae_ratio", "cover80", "interval_score"),
    "impact": ("spearman", "rmse", "cover90", "wrong_claims", "refused"),
}


def main() -> None:
    """Run what was asked for and write the page."""
    options = _options()
    page = [
        "# Learning: what was measured",
        "",
        f"Written by `python -m bench.learning.run` on {time.strftime('%Y-%m-%d')}; how is in ../learning/README.md.",
        "",
    ]
    if options.make:
        page += _real(options)
    page += _simulated(options.repeats)
    page += measure_costs()
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text("\n".join(page) + "\n", encoding="utf-8")
    print(f"wrote {RESULT}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--make", type=Path)
    parser.add_argument("--score", type=Path)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--bars", type=Path)
    parser.add_argument("--sizes", default="50,200,1000")
    parser.add_argument("--repeats", type=int, default=2)
    options = parser.parse_args()
    if options.make and not (options.score and options.data):
        parser.error("--make needs --score and --data")
    return options


def _real(options: argparse.Namespace) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        cases, answers = Path(folder) / "cases", Path(folder) / "answers.csv"
        _run([options.make, "--dev", options.data, "--out", cases, "--sim-n", options.sizes])
        run_cases(cases, answers, lambda number, of, name: print(f"[{number}/{of}] {name}", file=sys.stderr))
        scores = {"ours": _scored(options, cases, answers)}
        for name in BASELINES:
            simpler = Path(folder) / "simpler.csv"
            write_baseline(name, cases, simpler)
            scores[name] = _scored(options, cases, simpler)
        bars = _bars(options, cases, answers) if options.bars else []
    return [line for kind in COLUMNS for line in _table(kind, scores)] + bars


def _run(command: list[object]) -> str:
    done = subprocess.run([sys.executable, *map(str, command)], check=False, capture_output=True, text=True)
    if not done.stdout and done.returncode:
        raise SystemExit(done.stderr)
    return done.stdout


def _scored(options: argparse.Namespace, cases: Path, answers: Path) -> dict[str, dict[str, float]]:
    found = answers.with_suffix(".json")
    _run([options.score, "--cases", cases, "--predictions", answers, "--json", found])
    stored: dict[str, dict[str, float]] = json.loads(found.read_text())
    return stored


def _bars(options: argparse.Namespace, cases: Path, answers: Path) -> list[str]:
    shown = _run([options.score, "--cases", cases, "--predictions", answers, "--bars", options.bars])
    lines = [line for line in shown.splitlines() if line.startswith(("PASS", "FAIL")) or "passed" in line]
    return ["## Bars", "", "```text", *lines, "```", ""]


def _table(kind: str, scores: dict[str, dict[str, dict[str, float]]]) -> list[str]:
    """One row a cell for ours; then the mean of all cells, for each method."""
    columns = COLUMNS[kind]
    lines = [f"## {kind}", "", "| cell | " + " | ".join(columns) + " |", "| --- |" + " --- |" * len(columns)]
    for cell, figures in scores["ours"].items():
        if cell.startswith(kind):
            lines.append(f"| {cell} | " + " | ".join(_shown(figures.get(column)) for column in columns) + " |")
    lines += ["", "| mean of the cells that both answer | " + " | ".join(columns) + " |", lines[3]]
    for method, cells in scores.items():
        shared = [cell for cell in cells if cell.startswith(kind) and _is_answered(scores["ours"][cell])]
        if shared:
            means = [_mean([cells[cell].get(column) for cell in shared]) for column in columns]
            lines.append(f"| {method} | " + " | ".join(_shown(mean) for mean in means) + " |")
    return [*lines, ""]


def _is_answered(figures: dict[str, float]) -> bool:
    return any(figures.get(name) is not None for name in ("ndcg5", "mae_ratio", "rmse"))


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _shown(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _simulated(repeats: int) -> list[str]:
    table = table_of({200: 5 * repeats, 1000: repeats}, first_seed=900)
    return ["## Effects with known truth (own simulation, 30 artifacts)", "", *table, ""]


if __name__ == "__main__":
    main()
