"""What a simpler method would have answered to the same cases: the rows beside ours in the table.

reco     random, most used, mean rank, plain LightGBM on project and artifact columns
predict  median with the plain quantiles, plain LightGBM with quantile models for the interval
impact   difference of means with its 90 % interval
"""

import csv
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from apps.recommendations.cases.backtest import HEADER, Answer, list_cases
from apps.recommendations.cases.files import read_forecast, read_impact, read_ranking, read_sheet, read_task
from apps.recommendations.estimators.boosting import boost
from apps.recommendations.estimators.data import ForecastData
from apps.recommendations.estimators.features import fit_encoder
from apps.recommendations.estimators.ranking import RankingData
from apps.recommendations.estimators.ranks import project_ranks
from apps.recommendations.estimators.tables import Floats, Table, table_from_columns

Scores = dict[str, float]


def write_baseline(name: str, cases: Path, output: Path) -> None:
    """Answer every case that the baseline knows about."""
    kind, answer = BASELINES[name]
    with output.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        for case in list_cases(cases, only=kind):
            writer.writerows(row.cells() for row in answer(case))


def _ranked(scores: Callable[[RankingData, list[str], Path], dict[str, Scores]]) -> Callable[[Path], Iterator[Answer]]:
    def answer(case: Path) -> Iterator[Answer]:
        data, queries = read_ranking(case)
        for project, found in scores(data, queries, case).items():
            for artifact, value in found.items():
                yield Answer(case.name, project, artifact, value, None, None, "ok")

    return answer


def _random(data: RankingData, queries: list[str], case: Path) -> dict[str, Scores]:
    draw = np.random.default_rng(len(case.name))
    return {query: {name: float(draw.random()) for name in data.catalogue} for query in queries}


def _most_used(data: RankingData, queries: list[str], case: Path) -> dict[str, Scores]:
    count = {name: float(data.artifacts.count(name)) for name in data.catalogue}
    return dict.fromkeys(queries, count)


def _mean_rank(data: RankingData, queries: list[str], case: Path) -> dict[str, Scores]:
    rows: dict[str, list[int]] = {}
    for row, project in enumerate(data.projects):
        rows.setdefault(project, []).append(row)
    found: dict[str, list[float]] = {name: [] for name in data.catalogue}
    for places in rows.values():
        for place, value in zip(places, project_ranks(data.outcome[places]), strict=True):
            found[data.artifacts[place]].append(float(value))
    means = {name: sum(values) / (len(values) + 3) for name, values in found.items()}
    return dict.fromkeys(queries, means)


def _plain_boosting(data: RankingData, queries: list[str], case: Path) -> dict[str, Scores]:
    projects = read_sheet(case / "projects.csv")
    place = {name: row for row, name in enumerate(projects.columns["project_id"])}
    facts = {n: c for n, c in projects.columns.items() if n not in {"project_id", "tenant"}}
    known = _codes(table_from_columns(facts, rows=projects.rows))
    artifacts = np.column_stack([_codes(data.facts), _levels(data.families)])
    number = {name: row for row, name in enumerate(data.catalogue)}
    rows = [(place[p], number[a]) for p, a in zip(data.projects, data.artifacts, strict=True)]
    at, used = np.array(rows).T
    model = boost(np.column_stack([known[at], artifacts[used]]), data.outcome, rounds=100, seed=0)
    out = {}
    for query in queries:
        x = np.column_stack([np.repeat(known[[place[query]]], len(artifacts), axis=0), artifacts])
        out[query] = dict(zip(data.catalogue, np.asarray(model.predict(x)).tolist(), strict=True))
    return out


def _codes(table: Table) -> Floats:
    columns = [_levels(values) if values.dtype == object else values for values in table.columns.values()]
    return np.column_stack([*columns, np.zeros(table.rows)])


def _levels(values: object) -> Floats:
    return np.unique(np.array([str(value) for value in values]), return_inverse=True)[1].astype(float)  # type: ignore[attr-defined]


def _forecasts(
    fit: Callable[[ForecastData, Table], tuple[Floats, Floats, Floats]],
) -> Callable[[Path], Iterator[Answer]]:
    def answer(case: Path) -> Iterator[Answer]:
        data, table, ids = read_forecast(case, read_task(case))
        value, lo, hi = fit(data, table)
        for k, row in enumerate(ids):
            yield Answer(case.name, row, "", float(value[k]), float(min(lo[k], hi[k])), float(max(lo[k], hi[k])), "ok")

    return answer


def _median(data: ForecastData, table: Table) -> tuple[Floats, Floats, Floats]:
    low, middle, high = np.nanquantile(data.target, [0.1, 0.5, 0.9])
    ones = np.ones(table.rows)
    return middle * ones, low * ones, high * ones


def _plain_quantiles(data: ForecastData, table: Table) -> tuple[Floats, Floats, Floats]:
    is_log = not data.unit.startswith(("points", "people"))
    target = np.log(np.maximum(data.target, 1e-3)) if is_log else data.target
    encoder = fit_encoder(data.covariates)
    x, asked = encoder.trees(data.covariates), encoder.trees(table)
    out = []
    for options in (
        {"objective": "l1"},
        {"objective": "quantile", "alpha": 0.1},
        {"objective": "quantile", "alpha": 0.9},
    ):
        out.append(np.asarray(boost(x, target, rounds=100, seed=0, options=options).predict(asked)))
    value, lo, hi = (np.exp(part) for part in out) if is_log else out
    return value, lo, hi


def _mean_difference(case: Path) -> Iterator[Answer]:
    data = read_impact(case, read_task(case))
    for k, artifact in enumerate(data.artifacts):
        with_it, without = data.outcome[data.usage[:, k] > 0], data.outcome[data.usage[:, k] == 0]
        if min(len(with_it), len(without)) < 2:
            yield Answer(case.name, "", artifact, None, None, None, "refused")
            continue
        value = float(with_it.mean() - without.mean())
        reach = 1.645 * float(np.sqrt(with_it.var(ddof=1) / len(with_it) + without.var(ddof=1) / len(without)))
        yield Answer(case.name, "", artifact, value, value - reach, value + reach, "ok")


BASELINES: dict[str, tuple[str, Callable[[Path], Iterator[Answer]]]] = {
    "random": ("reco", _ranked(_random)),
    "most used": ("reco", _ranked(_most_used)),
    "mean rank": ("reco", _ranked(_mean_rank)),
    "plain LightGBM": ("reco", _ranked(_plain_boosting)),
    "median": ("predict", _forecasts(_median)),
    "plain LightGBM quantiles": ("predict", _forecasts(_plain_quantiles)),
    "mean difference": ("impact", _mean_difference),
}
