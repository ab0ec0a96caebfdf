"""The recommendations room: how well past claims held. Light: pages and the API read it."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from statistics import NormalDist, fmean, variance
from typing import Any, NamedTuple

from apps.recommendations.estimators import minimum_data
from apps.recommendations.estimators.verdicts import GAIN_LEVEL
from apps.recommendations.models import Advice, Forecast, ImpactModel

MOST_SETTLED = 2_000
RECENT = 50
FEWEST = 10


@dataclass(frozen=True, slots=True)
class Calibration:
    """How one target's forecasts did against what happened.

    coverage   share of actual values inside their interval; `claimed` is what the intervals mean to hold
    recent     the same over the latest 50; drifted if that lies outside what chance allows
    error      mean absolute error; bias is how far forecasts lie above the actual; both in the target's unit
    """

    target: str
    unit: str
    n: int
    claimed: float | None = None
    coverage: float | None = None
    recent: float | None = None
    drifted: bool | None = None
    error: float | None = None
    bias: float | None = None
    status: str = "ok"
    reason: str = ""
    needs: tuple[dict[str, Any], ...] = ()


class Settled(NamedTuple):
    """A forecast beside what happened; `low` and `high` are None where no interval could be given."""

    low: Any
    value: Any
    high: Any
    actual: Any


def settled(target: str) -> list[Forecast]:
    """The latest settled forecasts of a target, one a project: the last that was made before it ended."""
    known = Forecast.objects.settled().filter(target=target).select_related("project")
    latest = known.order_by("project_id", "-made_at", "-pk").distinct("project_id")
    return sorted(latest, key=lambda row: (row.settled_at or row.made_at, row.pk), reverse=True)[:MOST_SETTLED]


def calibration(targets: Iterable[str] = ("success", "duration", "cost", "effort")) -> list[Calibration]:
    """Each target's record; too short a one is refused."""
    return [calibrated(target, settled(target)) for target in targets]


def calibrated(target: str, rows: Sequence[Forecast]) -> Calibration:
    """One target's record."""
    unit = rows[0].unit if rows else ""
    if len(rows) < FEWEST:
        need = {"what": "forecasts whose project has ended", "have": len(rows), "at_least": FEWEST}
        said = f"Only {len(rows)} forecasts of {target} have met their outcome."
        return Calibration(target, unit, len(rows), status="refused", reason=said, needs=(need,))
    ended = [Settled(row.p10, row.p50, row.p90, row.actual) for row in rows]
    inside = [one.low <= one.actual <= one.high for one in ended if one.low is not None and one.high is not None]
    gaps = [one.value - one.actual for one in ended]
    claimed = rows[0].level or 0.8
    recent = share(inside[:RECENT])
    return Calibration(
        target,
        unit,
        len(rows),
        claimed,
        share(inside),
        recent,
        has_drifted(recent, claimed, len(inside[:RECENT])),
        sum(map(abs, gaps)) / len(gaps),
        sum(gaps) / len(gaps),
    )


def share(flags: Sequence[bool]) -> float | None:
    """The share that is true."""
    return sum(flags) / len(flags) if flags else None


def has_drifted(found: float | None, claimed: float, n: int) -> bool | None:
    """Say whether coverage lies more than two standard errors from what is claimed."""
    if found is None or n < FEWEST:
        return None
    return abs(found - claimed) > 2 * math.sqrt(claimed * (1 - claimed) / n)


@dataclass(frozen=True, slots=True)
class Followed:
    """How often advice was followed in projects that have ended, and how those ended that did and did not.

    advised, followed   pieces of advice that have met their project's end, and those among them that were used
    difference          mean success of projects that followed at least one, less that of those that followed none,
                        in points: an association; who follows advice is no random sample
    """

    advised: int
    followed: int
    projects_that_followed: int
    projects_that_did_not: int
    status: str
    reason: str = ""
    needs: Sequence[dict[str, Any]] = ()
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    level: float | None = None


def followed() -> Followed:
    """Compare projects that followed advice with those that did not; refused where either are too few."""
    done = Advice.objects.filter(kind=Advice.Kind.ARTIFACT).exclude(was_followed=None).exclude(outcome=None)
    # A piece of advice that several trainings repeated counts once.
    once: dict[tuple[Any, Any], bool] = {}
    outcomes: dict[Any, float] = {}
    for project, artifact, did, outcome in done.values_list("project_id", "artifact_id", "was_followed", "outcome"):
        once[project, artifact] = once.get((project, artifact), False) or bool(did)
        if outcome is not None:  # the query left those out; the type does not know it
            outcomes[project] = float(outcome)
    followers = {project for (project, _), did in once.items() if did}
    ours = [outcomes[project] for project in outcomes if project in followers]
    theirs = [outcomes[project] for project in outcomes if project not in followers]
    counts = (len(once), sum(once.values()), len(ours), len(theirs))
    smaller = min(len(ours), len(theirs))
    if smaller < minimum_data.ARM:
        needs = [
            {"what": "ended projects in the smaller of followed and not", "have": smaller, "at_least": minimum_data.ARM}
        ]
        said = f"{len(ours)} ended projects followed some advice and {len(theirs)} followed none: too few to compare."
        return Followed(*counts, "refused", said, needs)
    gap, reach = fmean(ours) - fmean(theirs), welch_reach(ours, theirs)
    status = "early" if smaller <= minimum_data.ARM_FULL else "ok"
    return Followed(*counts, status, difference=gap, low=gap - reach, high=gap + reach, level=GAIN_LEVEL)


def welch_reach(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Half the width of the interval of a difference of means, unlike variances allowed (Welch)."""
    one, two = variance(ours) / len(ours), variance(theirs) / len(theirs)
    if one + two <= 0:
        return 0.0
    freedom = (one + two) ** 2 / (one**2 / (len(ours) - 1) + two**2 / (len(theirs) - 1))
    normal = NormalDist().inv_cdf(0.5 + GAIN_LEVEL / 2)
    # Hill's expansion of the t quantile; at 11 degrees of freedom and more it is right to three digits.
    t = (
        normal
        + (normal**3 + normal) / (4 * freedom)
        + (5 * normal**5 + 16 * normal**3 + 3 * normal) / (96 * freedom**2)
    )
    return float(t * math.sqrt(one + two))


def claims() -> list[dict[str, Any]]:
    """For each training: how many of the champion's intervals held the new estimates."""
    rows = ImpactModel.objects.filter(target="impact").exclude(figures__claims=None).select_related("training")
    return [
        {"training": str(row.training_id), "unit": row.unit, "at": row.created_at, **row.figures["claims"]}
        for row in rows[:100]
        if row.figures.get("claims")
    ]


def calibration_page() -> dict[str, Any]:
    """All of it, as the API and the page show it."""
    return {"forecasts": [asdict(one) for one in calibration()], "advice": asdict(followed()), "claims": claims()}
