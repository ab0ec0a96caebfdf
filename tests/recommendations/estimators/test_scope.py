"""A question beyond what the history holds is named so, and so is a forecast that rests on other classes."""

from typing import Any

import pytest

from apps.recommendations.estimators.scope import hedged, scope_of
from apps.recommendations.estimators.verdicts import OK, early, refused
from maestro.clock import span_words

FACTS = [
    {
        "complexity": 10 + k,
        "team_size": 2 + k % 3,
        "facts.encoding": "utf8",
        "problem_class": "regression",
        "start_quarter": k,
    }
    for k in range(40)
]
HOUR = 1 / 24
SCOPE = scope_of(FACTS, {"planned_duration_days": [0.001, HOUR, None]}, ["regression"] * 37 + ["forecasting"] * 3)


def test_a_plan_of_thirty_days_where_the_longest_was_an_hour_is_named() -> None:
    told = hedged(OK, SCOPE, {"complexity": 20, "planned_duration_days": 30.0}, "regression")
    assert (told.verdict.status, told.verdict.code, told.pooled) == ("early", "outside_history", False)
    assert told.outside == ({"fact": "planned_duration_days", "value": 30.0, "low": 0.001, "high": HOUR},)
    assert "planned duration 30 days (seen: 1.44 minutes to 1 hours)" in told.verdict.reason


@pytest.mark.parametrize(
    ("facts", "named"),
    [
        ({"complexity": 50}, "complexity 50 (seen: 10 to 49)"),
        ({"complexity": 9}, "complexity 9 (seen: 10 to 49)"),
        ({"facts.encoding": "latin1"}, "encoding latin1 (never seen)"),
        ({"planned_cost": 5.0}, "planned cost 5 (never seen)"),
    ],
)
def test_each_fact_beyond_the_history_is_named(facts: dict[str, Any], named: str) -> None:
    told = hedged(OK, SCOPE, facts, "regression")
    assert named in told.verdict.reason
    assert [one["fact"] for one in told.outside] == list(facts)


def test_what_lies_within_is_left_alone_and_time_is_no_fact() -> None:
    within = {"complexity": 10, "facts.encoding": "utf8", "start_quarter": 99, "past_projects": 9, "team_size": None}
    assert hedged(OK, SCOPE, within, "regression").verdict is OK


@pytest.mark.parametrize(("name", "count"), [("forecasting", 3), ("vision", 0)])
def test_a_forecast_for_a_class_with_few_outcomes_is_pooled(name: str, count: int) -> None:
    told = hedged(OK, SCOPE, {"complexity": 20}, name)
    assert (told.verdict.status, told.verdict.code, told.pooled) == ("early", "pooled", True)
    assert f"{count} of the 40 projects behind it are {name} projects" in told.verdict.reason
    assert not hedged(OK, SCOPE, {"complexity": 20}, "regression").pooled


def test_an_own_caution_keeps_its_code_and_a_refusal_its_silence() -> None:
    few = early("few_outcomes", "Based on 30 projects.")
    told = hedged(few, SCOPE, {"complexity": 99}, "regression")
    assert (told.verdict.code, told.verdict.reason.endswith("Based on 30 projects.")) == ("few_outcomes", True)
    no = refused("too_few_outcomes", "Only 3.")
    assert hedged(no, SCOPE, {"complexity": 99}, "vision").verdict is no


@pytest.mark.parametrize(
    ("days", "words"),
    [
        (0.00007, "6.05 seconds"),
        (0.0007, "1.01 minutes"),
        (0.2, "4.8 hours"),
        (30, "30 days"),
        (4000, "4,000 days"),
        (0, "0 days"),
        (-0.5, "-12 hours"),
    ],
)
def test_days_are_said_in_a_unit_that_can_be_read(days: float, words: str) -> None:
    assert span_words(days) == words
