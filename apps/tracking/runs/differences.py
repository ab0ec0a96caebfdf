"""The tracking room: what differs between some runs, found by the database, whatever the number of their keys."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from apps.tracking.search.key_names import OWN, escaped
from apps.tracking.search.listing import Column
from maestro.database.statements import execute

# A run that lacks a key differs from one that has it. Postgres takes NaN for equal to itself.
KEYS = """WITH g AS (
  SELECT 'm' AS kind, k.name, l.differs FROM (
    SELECT key_id, count(*) < %(runs_n)s OR min(value) <> max(value) AS differs FROM tracking_latestmetric
    WHERE run_id = ANY(%(runs)s::uuid[]) GROUP BY key_id) l JOIN tracking_metrickey k ON k.id = l.key_id
  UNION ALL SELECT 'p', key, count(*) < %(runs_n)s OR min(value) <> max(value) FROM tracking_param
   WHERE run_id = ANY(%(runs)s::uuid[]) GROUP BY key
  UNION ALL SELECT 't', key, count(*) < %(runs_n)s OR min(value) <> max(value) FROM tracking_tag
   WHERE run_id = ANY(%(runs)s::uuid[]) AND key NOT LIKE %(own)s GROUP BY key)
 SELECT kind, name, differs, count(*) OVER (), sum(differs::int) OVER () FROM g{named}
 ORDER BY {order} kind, name OFFSET %(skip)s LIMIT %(most)s"""
# Asked of each value, not of each key: left out where no text is searched for.
NAMED = " WHERE name ILIKE %(like)s ESCAPE '!'"


@dataclass(frozen=True, slots=True)
class Keys:
    """Some keys of the compared runs, and how many there are in all and that differ."""

    columns: list[Column]
    differing: frozenset[str]
    count: int
    differing_count: int

    @property
    def same_count(self) -> int:
        """How many say the same in every run."""
        return self.count - self.differing_count


def keys_of(runs: Sequence[uuid.UUID], *, differing_only: bool, most: int, skip: int = 0, text: str = "") -> Keys:
    """List metrics, params and tags of these runs whose name holds a text, those alone that differ if asked."""
    params = {
        "runs": list(runs),
        "runs_n": len(runs),
        "own": OWN,
        "like": f"%{escaped(text)}%",
        "skip": skip,
        "most": most,
    }
    sql = KEYS.format(named=NAMED if text else "", order="NOT differs," if differing_only else "")
    rows = execute(sql, params, prepare=False)
    kept = [row for row in rows if row[2] or not differing_only]
    columns = [Column(kind, name) for kind, name, *_ in kept]
    differing = frozenset(f"{kind}.{name}" for kind, name, differs, *_ in kept if differs)
    return Keys(columns, differing, rows[0][3] if rows else 0, int(rows[0][4]) if rows else 0)
