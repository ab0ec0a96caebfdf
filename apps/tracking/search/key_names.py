"""The tracking room: names of metrics, params and tags, found by a piece of text, and the values behind some of them.

Params and tags keep their names in their rows. Their index begins with the name, so the distinct ones are found by
hopping from one to the next; the number of rows behind a name does not matter.
"""

import uuid
from collections import Counter
from collections.abc import Sequence
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef, Subquery

from apps.tracking.models import LatestMetric, MetricKey, Param, Tag
from apps.tracking.models.runs import RunQuerySet
from apps.tracking.search.listing import Column
from maestro.database.statements import execute

MAX_HOPS = 20_000
FIRST = 5  # runs that are asked before all: a common text is found there
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
# Runs of an experiment share most names, so each is compared with the text once; OFFSET 0 keeps the two steps apart.
OF_RUNS = """SELECT key FROM (SELECT DISTINCT key FROM {table} WHERE run_id = ANY(%(runs)s::uuid[]) OFFSET 0) t
 WHERE key ILIKE %(like)s ESCAPE '!' AND key NOT LIKE %(own)s ORDER BY 1 LIMIT %(most)s"""
VALUES = """SELECT r.id, 'm', k.name, l.value, NULL FROM unnest(%(runs)s::uuid[]) AS r (id)
  CROSS JOIN (SELECT id, name FROM tracking_metrickey WHERE name = ANY(%(m)s::text[])) k
  CROSS JOIN LATERAL (SELECT value FROM tracking_latestmetric WHERE run_id = r.id AND key_id = k.id OFFSET 0) l
 UNION ALL SELECT r.id, 'p', k.key, NULL, left(l.value, %(chars)s) FROM unnest(%(runs)s::uuid[]) AS r (id)
  CROSS JOIN unnest(%(p)s::text[]) AS k (key)
  CROSS JOIN LATERAL (SELECT value FROM tracking_param WHERE run_id = r.id AND key = k.key OFFSET 0) l
 UNION ALL SELECT r.id, 't', k.key, NULL, left(l.value, %(chars)s) FROM unnest(%(runs)s::uuid[]) AS r (id)
  CROSS JOIN unnest(%(t)s::text[]) AS k (key)
  CROSS JOIN LATERAL (SELECT value FROM tracking_tag WHERE run_id = r.id AND key = k.key OFFSET 0) l
 UNION ALL SELECT NULL, 'n', NULL, (SELECT count(*) FROM (SELECT FROM tracking_run
  WHERE experiment_id = ANY(%(homes)s::bigint[]) AND deleted_ms IS NULL LIMIT %(counted)s) c)::float8, NULL"""
STATEMENTS = {"m": METRICS, "p": HOP.format(table="tracking_param"), "t": HOP.format(table="tracking_tag")}


def escaped(text: str) -> str:
    """Write text so that LIKE takes each character for itself."""
    return text.replace("!", "!!").replace("%", "!%").replace("_", "!_")


def containing(kind: str, text: str, *, most: int, experiments: Sequence[int] | None = None) -> list[str]:
    """Find names of a kind (m, p or t) that hold a text; of metrics those of some experiments, if they are given."""
    homes = list(experiments) if experiments is not None else None
    params = {"like": f"%{escaped(text)}%", "most": most, "hops": MAX_HOPS, "own": OWN, "homes": homes}
    return [row[0] for row in execute(STATEMENTS[kind], params, prepare=False)]


def containing_in(kind: str, text: str, *, most: int, runs: Sequence[uuid.UUID]) -> list[str]:
    """Find names of params (p) or tags (t) of these runs that hold a text, those of the first runs first."""
    table = {"p": "tracking_param", "t": "tracking_tag"}[kind]
    found: list[str] = []
    for asked in (runs[:FIRST], runs):
        params = {"like": f"%{escaped(text)}%", "most": most, "own": OWN, "runs": list(asked)}
        found = [row[0] for row in execute(OF_RUNS.format(table=table), params, prepare=False)]
        if len(found) >= most or len(asked) == len(runs):
            break
    return found


def with_names(runs: RunQuerySet, *, each: int) -> RunQuerySet:
    """Annotate `metric_names`, `param_names` and `tag_names`: of a run with very many keys only the first few."""
    own = {"run": OuterRef("pk")}
    # A look-up a row: joined, all names of the tenant are gathered once for each run.
    word = MetricKey.objects.filter(pk=OuterRef("key_id")).values("name")[:1]
    metrics = LatestMetric.objects.filter(**own).values(word=Subquery(word))
    params = Param.objects.filter(**own).values("key")
    tags = Tag.objects.filter(**own).exclude(key__startswith="mlflow.").values("key")
    return runs.annotate(
        metric_names=ArraySubquery(metrics[:each]),
        param_names=ArraySubquery(params[:each]),
        tag_names=ArraySubquery(tags[:each]),
    )


def common(runs: Sequence[Any], *, most: int) -> dict[str, list[str]]:
    """Name what runs `with_names` logged, most common first, by kind."""
    found = {}
    for kind, field in (("m", "metric_names"), ("p", "param_names"), ("t", "tag_names")):
        counted = Counter(name for run in runs for name in getattr(run, field))
        found[kind] = sorted(counted, key=lambda name: (-counted[name], name))[:most]
    return found


Values = dict[tuple[uuid.UUID, str], float | str]


def values(runs: Sequence[uuid.UUID], columns: Sequence[Column], *, chars: int = 200) -> Values:
    """Look up chosen columns of some runs by (run, column's key): each is one place in an index. Texts are cut."""
    return values_and_count(runs, columns, (), chars=chars)[0]


def values_and_count(
    runs: Sequence[uuid.UUID], columns: Sequence[Column], homes: Sequence[int], *, most: int = 0, chars: int = 200
) -> tuple[Values, int]:
    """Look up the same, and count the runs of some experiments up to a bound, in one statement."""
    names = {kind: sorted({column.name for column in columns if column.kind == kind}) for kind in STATEMENTS}
    params = {"runs": list(runs), "chars": chars, "homes": list(homes), "counted": most, **names}
    rows = execute(VALUES, params, prepare=False)
    found = {(run, f"{kind}.{name}"): text if number is None else number for run, kind, name, number, text in rows}
    return found, int(found.pop((None, "n.None"), 0))
