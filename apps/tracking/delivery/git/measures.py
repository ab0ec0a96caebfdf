"""The tracking room: what commits say of a team's work: how many come, of how many people, how large, how long they last.

Of a repository that a clone or a CI job told of, by these; of any other, by its pushes, which tell no lines.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from apps.tracking.models.measures import Measure, share, spread
from maestro.database.statements import execute
from maestro.principals import Reach

KEYS = ("commits_per_week", "contributors", "concentration", "churn", "rework_churn")
REWORKED_AFTER, WINDOW = timedelta(days=21), timedelta(days=28)
# Commits of people, none a merge; each in the week of its tenant's zone.
COMMITS = """
WITH of AS (
  SELECT id FROM tracking_connection WHERE %(all)s OR project_id = ANY(%(projects)s::uuid[])
), told AS (
  SELECT connection_id, author, committed_at, additions + deletions AS lines FROM tracking_commitlines
  WHERE connection_id IN (SELECT id FROM of) AND committed_at >= %(since)s AND committed_at < %(until)s
    AND NOT is_merge AND NOT is_bot AND NOT is_odd
  UNION ALL
  SELECT connection_id, author, committed_at, NULL FROM tracking_commit c
  WHERE connection_id IN (SELECT id FROM of) AND committed_at >= %(since)s AND committed_at < %(until)s
    AND NOT is_merge AND NOT is_bot
    AND NOT EXISTS (SELECT FROM tracking_commitlines l WHERE l.connection_id = c.connection_id)
)
"""
WEEKS = f"""{COMMITS}
SELECT date_trunc('week', committed_at, %(zone)s) AS week, count(*), sum(lines)::bigint FROM told GROUP BY 1 ORDER BY 1
"""  # noqa: S608 constants of ours
AUTHORS = f"""{COMMITS}
SELECT count(*) FROM told WHERE author <> '' GROUP BY connection_id, author ORDER BY 1 DESC
"""  # noqa: S608 constants of ours
REWORK = """
SELECT l.sha, l.landed_at, l.landed_additions, l.reworked FROM tracking_commitlines l
JOIN tracking_connection k ON k.id = l.connection_id
WHERE (%(all)s OR k.project_id = ANY(%(projects)s::uuid[])) AND l.landed_at >= %(since)s AND l.landed_at < %(until)s
  AND NOT l.is_bot AND NOT l.is_odd AND l.landed_additions > 0 ORDER BY l.landed_at DESC LIMIT 50000
"""


@dataclass(frozen=True)
class Week:
    """A week with what was committed in it; `lines` None where nothing tells them."""

    at: datetime
    commits: int
    lines: int | None


def values_of(projects: Reach, since: datetime, until: datetime, zone: str = "UTC") -> dict[str, Any]:
    """What the statements are asked with."""
    named = [str(one) for one in projects or ()]
    return {"all": projects is None, "projects": named, "since": since, "until": until, "zone": zone}


def weekly(projects: Reach, since: datetime, until: datetime, zone: str = "UTC") -> list[Week]:
    """Commits by the week, which begins on Monday; weeks without any are left out."""
    return [Week(*row) for row in execute(WEEKS, values_of(projects, since, until, zone))]


def authors(projects: Reach, until: datetime) -> list[int]:
    """How many commits each of the people made within 28 days before a time, the most first; nobody is named."""
    return [many for (many,) in execute(AUTHORS, values_of(projects, until - WINDOW, until))]


def reworked(projects: Reach, since: datetime, until: datetime) -> list[tuple[str, datetime, int, int]]:
    """Commits of the main line that are 21 days old, with the lines they brought and those that were deleted within as long."""
    rows = execute(REWORK, values_of(projects, since, min(until, until - REWORKED_AFTER)))
    return [(str(sha), at, int(added), int(lost)) for sha, at, added, lost in rows]


def smallest_half(counts: list[int]) -> int:
    """How few people made half of the commits. `counts` has the most first."""
    half, so_far = sum(counts) / 2, 0
    for place, many in enumerate(counts, 1):
        so_far += many
        if so_far >= half:
            return place
    return 0


def measures(
    projects: Reach, since: datetime, until: datetime, weeks: Sequence[Week] | None = None
) -> dict[str, Measure]:
    """All of them; `weeks` if they are known."""
    weeks = weekly(projects, since, until) if weeks is None else weeks
    people = authors(projects, until)
    rows, many = reworked(projects, since, until), sum(week.commits for week in weeks)
    per_week = spread([week.commits for week in weeks])
    churn = spread([week.lines for week in weeks if week.lines is not None])
    lost, gained = sum(row[3] for row in rows), sum(row[2] for row in rows)
    return {
        "commits_per_week": Measure(many, None, per_week.median, per_week.p90),
        "contributors": Measure(sum(people), float(len(people))),
        # Of fewer than five people it would tell who did what.
        "concentration": Measure(len(people), float(smallest_half(people))),
        "churn": churn,
        "rework_churn": Measure(len(rows), share(lost, gained).value),
    }
