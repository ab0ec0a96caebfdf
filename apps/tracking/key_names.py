"""The tracking room: names of metrics, params and tags, found by a piece of text, and the values behind some of them.

Params and tags keep their names in their rows. Their index begins with the name, so the distinct ones are found by
hopping from one to the next; the number of rows behind a name does not matter.
"""

import uuid
from collections.abc import Sequence

from apps.tracking.listing import Column
from maestro.database.statements import execute

MAX_HOPS, MAX_HOMES = 20_000, 20
OWN = "mlflow.%"  # what the client notes of itself
METRICS = """SELECT k.name FROM tracking_metrickey k WHERE k.name ILIKE %(like)s ESCAPE '!'
  AND (%(homes)s::bigint[] IS NULL OR EXISTS (SELECT FROM unnest(%(homes)s::bigint[]) AS h (id) WHERE EXISTS
   (SELECT FROM tracking_latestmetric l WHERE l.experiment_id = h.id AND l.key_id = k.id)))
 ORDER BY length(k.name), k.name LIMIT %(most)s"""
HOP = """WITH RECURSIVE names (key, hop) AS (
  (SELECT key, 1 FROM {table} ORDER BY key LIMIT 1)
  UNION ALL SELECT (SELECT t.key FROM {table} t WHERE t.key > n.key ORDER BY t.key LIMIT 1), n.hop + 1
   FROM names n WHERE n.key IS NOT NULL AND n.hop < %(hops)s)
 SELECT key FROM names WHERE key ILIKE %(like)s ESCAPE '!' AND key NOT LIKE %(own)s LIMIT %(most)s"""
SAMPLE = """SELECT s.kind, s.name FROM (
  SELECT 'm' AS kind, k.name, count(*) AS n FROM unnest(%(runs)s::uuid[]) AS r (id)
   CROSS JOIN LATERAL (SELECT key_id FROM tracking_latestmetric WHERE run_id = r.id LIMIT %(each)s) l
   JOIN tracking_metrickey k ON k.id = l.key_id GROUP BY k.name
  UNION ALL SELECT 'p', l.key, count(*) FROM unnest(%(runs)s::uuid[]) AS r (id)
   CROSS JOIN LATERAL (SELECT key FROM tracking_param WHERE run_id = r.id LIMIT %(each)s) l GROUP BY l.key
  UNION ALL SELECT 't', l.key, count(*) FROM unnest(%(runs)s::uuid[]) AS r (id)
   CROSS JOIN LATERAL (SELECT key FROM tracking_tag WHERE run_id = r.id AND key NOT LIKE %(own)s LIMIT %(each)s) l
   GROUP BY l.key) s
 ORDER BY s.n DESC, s.name"""
VALUES = """SELECT l.run_id, 'm', k.name, l.value, NULL FROM tracking_latestmetric l JOIN tracking_metrickey k ON k.id = l.key_id
  WHERE l.run_id = ANY(%(runs)s::uuid[]) AND l.key_id = ANY(ARRAY(SELECT id FROM tracking_metrickey WHERE name = ANY(%(m)s::text[])))
 UNION ALL SELECT run_id, 'p', key, NULL, left(value, %(chars)s) FROM tracking_param
  WHERE run_id = ANY(%(runs)s::uuid[]) AND key = ANY(%(p)s::text[])
 UNION ALL SELECT run_id, 't', key, NULL, left(value, %(chars)s) FROM tracking_tag
  WHERE run_id = ANY(%(runs)s::uuid[]) AND key = ANY(%(t)s::text[])"""
STATEMENTS = {"m": METRICS, "p": HOP.format(table="tracking_param"), "t": HOP.format(table="tracking_tag")}


def escaped(text: str) -> str:
    """Write text so that LIKE takes each character for itself."""
    return text.replace("!", "!!").replace("%", "!%").replace("_", "!_")


def containing(kind: str, text: str, *, most: int, experiments: Sequence[int] = ()) -> list[str]:
    """Find names of a kind (m, p or t) that hold a text; metrics of these experiments, if they are few."""
    homes = list(experiments) if 0 < len(experiments) <= MAX_HOMES else None
    params = {"like": f"%{escaped(text)}%", "most": most, "hops": MAX_HOPS, "own": OWN, "homes": homes}
    return [row[0] for row in execute(STATEMENTS[kind], params, prepare=False)]


def common(runs: Sequence[uuid.UUID], *, most: int, each: int = 200) -> dict[str, list[str]]:
    """Name what these runs logged, most common first, by kind; of a run with very many keys only the first few."""
    found: dict[str, list[str]] = {"m": [], "p": [], "t": []}
    for kind, name in execute(SAMPLE, {"runs": list(runs), "each": each, "own": OWN}, prepare=False):
        if len(found[kind]) < most:
            found[kind].append(name)
    return found


def values(
    runs: Sequence[uuid.UUID], columns: Sequence[Column], *, chars: int = 200
) -> dict[tuple[uuid.UUID, str], float | str]:
    """Look up chosen columns of some runs by (run, column's key): each is one place in an index. Texts are cut."""
    names = {kind: [column.name for column in columns if column.kind == kind] for kind in STATEMENTS}
    rows = execute(VALUES, {"runs": list(runs), "chars": chars, **names}, prepare=False)
    return {(run, f"{kind}.{name}"): text if number is None else number for run, kind, name, number, text in rows}
