"""The tracking room: how long commits take until they are deployed: each counts in the first deployment that holds it.

What a deployment holds is all that came to the default branch before its commit did, as pushes tell: they have an order, a
clone's history is not needed. The first deployment that is known only says from where to count. A serving alias that moved
deploys the commit of the run that made its version.
"""

from dataclasses import dataclass
from datetime import datetime

from apps.tracking.delivery import rules, shipped
from apps.tracking.models.measures import Measure, spread
from maestro.database.statements import execute
from maestro.principals import Reach

MOST_ROWS = 50_000
HELD = """
WITH placed AS (
  SELECT d.connection_id, d.id, d.deployed_at, c.pushed_at, c.place
  FROM tracking_deployment d
  JOIN tracking_connection k ON k.id = d.connection_id
  JOIN tracking_commit c ON c.connection_id = d.connection_id AND c.sha = d.sha
  WHERE d.is_production AND d.deployed_at < %(until)s
    AND (%(all)s OR k.project_id = ANY(%(projects)s::uuid[]))
    AND NOT k.project_id = ANY(%(by_alias)s::uuid[])
  UNION ALL
  SELECT c.connection_id, m.id, m.at, c.pushed_at, c.place
  FROM unnest(%(moved_projects)s::uuid[], %(moved_ids)s::uuid[], %(moved_at)s::timestamptz[], %(moved_shas)s::text[])
    AS m(project, id, at, sha)
  JOIN tracking_connection k ON k.project_id = m.project
  JOIN tracking_commit c ON c.connection_id = k.id AND c.sha = m.sha
), fronts AS (
  SELECT *, max(extract(epoch FROM pushed_at) * 1000000 + place) OVER (
    PARTITION BY connection_id ORDER BY deployed_at, id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
  ) AS before
  FROM placed
)
SELECT c.sha, f.deployed_at, extract(epoch FROM f.deployed_at - c.committed_at)::float8
FROM fronts f
JOIN tracking_commit c ON c.connection_id = f.connection_id
  AND (c.pushed_at, c.place) <= (f.pushed_at, f.place)
  AND c.pushed_at >= to_timestamp(f.before / 1000000)
  AND extract(epoch FROM c.pushed_at) * 1000000 + c.place > f.before
WHERE f.deployed_at >= %(since)s AND NOT c.is_merge
ORDER BY f.deployed_at DESC, c.sha
LIMIT %(most)s
"""


@dataclass(frozen=True)
class Lead:
    """A commit and how long it took. Units  seconds."""

    sha: str
    deployed_at: datetime
    seconds: float


def leads(projects: Reach, since: datetime, until: datetime) -> list[Lead]:
    """The commits that were first deployed in a time, the newest first."""
    chosen = rules.chosen(projects)
    moved = [move for move in shipped.moves(projects, until, chosen) if move.commit]
    values = {
        "all": projects is None,
        "projects": [str(one) for one in projects or ()],
        "by_alias": [str(one) for one in chosen.by_alias],
        "moved_projects": [str(move.project) for move in moved],
        "moved_ids": [str(move.version_id) for move in moved],
        "moved_at": [move.at for move in moved],
        "moved_shas": [move.commit for move in moved],
        "since": since,
        "until": until,
        "most": MOST_ROWS,
    }
    return [Lead(*row) for row in execute(HELD, values)]


def lead_time(found: list[Lead]) -> Measure:
    """The change lead time of some commits."""
    return spread([one.seconds for one in found])
