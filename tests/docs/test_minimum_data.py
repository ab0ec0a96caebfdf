"""docs/learning.md says how many projects each answer needs; the code is asked, just below each bound and at it."""

from collections.abc import Callable

import pytest

from apps.recommendations.answers import calibration
from apps.recommendations.estimators import minimum_data as least
from apps.recommendations.training import holdout
from tests.docs.blocks import tables

Statuses = Callable[[int], str]
# What a row of the page counts -> what the code says to so many.
ASKED: dict[str, Statuses] = {
    "impact: finished projects with an outcome": lambda n: least.tenant_impact(n, 4, 1.0).status,
    "impact: the same, for each artifact compared": lambda n: least.tenant_impact(n * 200, 200, 1.0).status,
    "impact of an artifact: projects in the smaller of used and not used": lambda n: least.artifact_arms(n).status,
    "impact by runs: projects with 5 runs that have a goal metric": lambda n: least.run_impact(n, 4).status,
    "impact by runs, of an artifact: projects with runs both with and without it": lambda n: (
        least.run_artifact(n).status
    ),
    "forecast: projects with this outcome": lambda n: least.forecast(n).status,
    "interval of 80 %: projects behind it": lambda n: least.interval(n, 0.8).status,
    "ranking: projects with outcomes": lambda n: least.ranking(n).status,
    "team size: successful projects": lambda n: least.forecast(n).status,
    "params: finished runs with the metric and a param that varies": lambda n: least.importance(n, 3, 1.0).status,
}
CONSTANTS = {
    "impact of a class alone: its finished projects": least.IMPACT_PROJECTS,
    "impact of a class alone by runs: its projects with runs": least.RUN_PROJECTS,
    "forecast not pooled: of them, of the project's class": least.FORECAST_OUTCOMES,
    "backtest: projects, so that some can be held back": 2 * holdout.FEWEST_TESTED,
    "calibration: forecasts whose project has ended": calibration.FEWEST,
    "advice followed: ended projects in the smaller of followed and not": least.ARM,
}
(TABLE,) = [table for table in tables("docs/learning.md") if table.columns[0] == "what is counted"]


@pytest.mark.parametrize("row", TABLE.rows, ids=[row[0] for row in TABLE.rows])
def test_a_row_of_minimum_data_is_what_the_code_says(row: list[str]) -> None:
    what, refused, early, full = row[0], int(row[1]), row[2], int(row[3])
    if what in CONSTANTS:
        assert refused == CONSTANTS[what]
        return
    asked = ASKED[what]
    assert (asked(refused - 1), asked(refused) != "refused") == ("refused", True)
    assert asked(full) == "ok"
    if early:
        assert (asked(int(early)), full) == ("early", int(early) + 1)


def test_every_bound_of_the_code_has_its_row() -> None:
    assert {row[0] for row in TABLE.rows} == {*ASKED, *CONSTANTS}
    assert "5 runs" in TABLE.rows[3][0]
    assert least.RUNS_PER_PROJECT == 5
