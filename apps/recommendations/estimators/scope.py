"""Recommendations room: what a history holds, and what of a question lies outside of it. Pure.

scope = scope_of(facts, plans, classes)              stored with the forecast
hedged(verdict, scope, facts, problem_class)         the verdict, whether it is pooled, what lies outside
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apps.recommendations.estimators.minimum_data import FORECAST_OUTCOMES
from apps.recommendations.estimators.verdicts import Verdict, early, worst
from maestro.clock import span_words

MOST_LEVELS, MOST_NAMED = 200, 4
# They grow with time alone: the next project is beyond them always.
PASSING = ("start_quarter", "past_projects", "problem_class")


@dataclass(frozen=True, slots=True)
class Hedged:
    """A forecast's verdict once it is known how far the history reaches.

    pooled    too few of the projects behind it are of the project's class to speak for that alone
    outside   facts beyond the history: `low` to `high` is what it holds, null where it holds none
    """

    verdict: Verdict
    pooled: bool = False
    outside: tuple[dict[str, Any], ...] = ()


def scope_of(
    facts: Sequence[Mapping[str, Any]], plans: Mapping[str, Iterable[float | None]], classes: Sequence[str]
) -> dict[str, Any]:
    """The range of each number, the levels of each text, the projects of each class.

    plans   a plan's name -> what such things really came to: a plan is held against both
    """
    ranges: dict[str, list[float]] = {}
    levels: dict[str, set[str]] = {}
    for row in facts:
        for name, value in row.items():
            if isinstance(value, str):
                levels.setdefault(name, set()).add(value)
            elif is_number(value):
                ranges[name] = widened(ranges.get(name), value)
    for name, values in plans.items():
        for one in values:
            if is_number(one):
                ranges[name] = widened(ranges.get(name), one)
    kept = {name: sorted(some) for name, some in sorted(levels.items()) if len(some) <= MOST_LEVELS}
    return {"ranges": dict(sorted(ranges.items())), "levels": kept, "classes": dict(sorted(Counter(classes).items()))}


def is_number(value: Any) -> bool:
    """Say whether a fact is a number; truth values are not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def widened(held: list[float] | None, value: Any) -> list[float]:
    """A range that holds one more value."""
    one = float(value)
    return [min(held[0], one), max(held[1], one)] if held else [one, one]


def outside(scope: Mapping[str, Any], facts: Mapping[str, Any]) -> tuple[dict[str, Any], ...]:
    """The facts that lie beyond what was seen."""
    return tuple(
        {"fact": name, "value": value, "low": held[0], "high": held[1]}
        for name, value in facts.items()
        if value is not None and name not in PASSING and (held := beyond(scope, name, value)) is not None
    )


def beyond(scope: Mapping[str, Any], name: str, value: Any) -> tuple[float | None, float | None] | None:
    """What the history holds of a fact that it does not reach; None for one that it does."""
    ranges, levels = scope["ranges"], scope["levels"]
    if isinstance(value, str):
        return (None, None) if name in levels and value not in levels[name] else None
    if not is_number(value):
        return None
    if name not in ranges:
        return None, None
    low, high = ranges[name]
    return None if low <= value <= high else (low, high)


def hedged(verdict: Verdict, scope: Mapping[str, Any], facts: Mapping[str, Any], problem_class: str) -> Hedged:
    """Hold a verdict against the history: beyond it, and for a small class, a number is early at best and says why."""
    if verdict.is_refused or not scope:
        return Hedged(verdict)
    classes = scope["classes"]
    of_class, every = classes.get(problem_class, 0), sum(classes.values())
    pooled = set(classes) != {problem_class} and of_class < FORECAST_OUTCOMES
    far = outside(scope, facts)
    said = [pooled_words(of_class, every, problem_class)] if pooled else []
    said += [outside_words(far)] if far else []
    if not said:
        return Hedged(verdict)
    found = worst(verdict, early("outside_history" if far else "pooled", ""))
    reason = " ".join([*said, *filter(None, [verdict.reason])])
    return Hedged(Verdict(found.status, found.code, reason, found.needs), pooled, far)


def pooled_words(of_class: int, every: int, problem_class: str) -> str:
    """Say whose projects a forecast rests on."""
    which = f"{problem_class} projects" if problem_class else "of a known class, as this project's is not"
    return f"Pooled over all problem classes: {of_class} of the {every} projects behind it are {which}."


def outside_words(far: Sequence[Mapping[str, Any]]) -> str:
    """Name what lies outside of the history, the first few."""
    named = "; ".join(fact_words(one) for one in far[:MOST_NAMED])
    more = f"; and {len(far) - MOST_NAMED} more" if len(far) > MOST_NAMED else ""
    return f"Outside of what the history holds: {named}{more}."


def fact_words(one: Mapping[str, Any]) -> str:
    """One fact beside what was seen of it."""
    name, value = str(one["fact"]), one["value"]
    label = name.removeprefix("facts.").removesuffix("_days").replace("_", " ")
    if one["low"] is None:
        return f"{label} {value[:40] if isinstance(value, str) else f'{value:g}'} (never seen)"
    if name.endswith("_days"):
        return f"{label} {span_words(value)} (seen: {span_words(one['low'])} to {span_words(one['high'])})"
    return f"{label} {value:g} (seen: {one['low']:g} to {one['high']:g})"
