"""What a retrain costs in processor time, against one plain LightGBM training on the same matrix."""

import resource
import time
from collections.abc import Callable

import lightgbm
import numpy as np

from apps.recommendations.estimators.data import ForecastData
from apps.recommendations.estimators.forecasting import train_forecast
from apps.recommendations.estimators.learners import fit_features
from apps.recommendations.estimators.tables import table_from_columns

SIZES = (300, 1000, 5000)
COLUMNS = 30
REPEATS = 3


def measure_costs() -> list[str]:
    """The section of the page."""
    lines = [
        "## Cost of a retrain of one forecast with its interval",
        "",
        "Processor time, one thread; plain = `lightgbm.train` with its default 100 rounds and 31 leaves, data set "
        "made from the array included.",
        "",
        "| projects | plain, s | ours, s | ratio |",
        "| --- | --- | --- | --- |",
    ]
    for rows in SIZES:
        plain, ours = _measured(rows)
        lines.append(f"| {rows} | {plain:.2f} | {ours:.2f} | {ours / plain:.1f} |")
        print(lines[-1], flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return [*lines, "", f"Peak memory of the whole process: {peak:.0f} MB.", ""]


def _measured(rows: int) -> tuple[float, float]:
    draw = np.random.default_rng(rows)
    x = draw.normal(size=(rows, COLUMNS))
    y = np.exp(x[:, 0] + 0.5 * x[:, 1] * x[:, 2] + draw.normal(0, 0.5, rows))
    table = table_from_columns({f"x{k:02d}": x[:, k] for k in range(COLUMNS)}, rows=rows)
    keys = tuple(f"project {row:06d}" for row in range(rows))
    data = ForecastData(keys, keys, y, None, table, "days")
    matrix = fit_features(table, np.log(y), np.arange(rows)).trees
    options = {"objective": "regression", "num_threads": 1, "verbosity": -1}
    plain = _least(lambda: lightgbm.train(options, lightgbm.Dataset(matrix, np.log(y)), num_boost_round=100))
    return plain, _least(lambda: train_forecast(data))


def _least(work: Callable[[], object]) -> float:
    """The least of a few timings, since a shared machine only ever adds."""
    taken = []
    for _ in range(REPEATS):
        began = time.process_time()
        work()
        taken.append(time.process_time() - began)
    return min(taken)
