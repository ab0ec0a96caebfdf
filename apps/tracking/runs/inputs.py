"""The tracking room: which datasets and models a run read."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

import orjson

from apps.tracking.metrics.ingest import RUN, SCOPE, TOUCH
from apps.tracking.refusals import not_writable
from maestro.database.statements import execute
from maestro.principals import Reach

# A dataset's row is made once an experiment; a second sight of it on a run adds only tags that it lacks.
LOG = """WITH {run},
 given AS MATERIALIZED (SELECT * FROM unnest(%(names)s::text[], %(digests)s::text[], %(types)s::text[],
   %(sources)s::text[], %(schemas)s::text[], %(profiles)s::text[], %(tags)s::text[])
   AS g (name, digest, source_type, source, schema, profile, tags)),
 made AS (INSERT INTO tracking_dataset AS d (experiment_id, name, digest, source_type, source, schema, profile,
   sees_all, sees)
  SELECT run.experiment_id, name, digest, source_type, source, schema, profile, {writer} FROM run, given
  ORDER BY name, digest ON CONFLICT (experiment_id, name, digest) DO UPDATE SET name = excluded.name,
   sees_all = d.sees_all OR (excluded.sees_all AND d.source = excluded.source) RETURNING id, name, digest),
 linked AS (INSERT INTO tracking_runinput AS i (run_id, dataset_id, tags, sees_all, sees)
  SELECT run.id, made.id, given.tags::jsonb, {writer} FROM run, given JOIN made USING (name, digest)
  ON CONFLICT (run_id, dataset_id) DO NOTHING),
 models AS (INSERT INTO tracking_runmodel (run_id, direction, model_id, step, sees_all, sees)
  SELECT run.id, 'input', m.id, 0, {writer} FROM run, unnest(%(models)s::text[]) AS m (id)
  ON CONFLICT (run_id, direction, model_id) DO NOTHING),
 {touch} SELECT count(*) FROM run"""

# What the writer could see: what they name is resolved as theirs.
WRITER = "%(projects)s::uuid[] IS NULL, %(projects)s::uuid[]"


@dataclass(frozen=True)
class GivenDataset:
    """A dataset as the client describes it, with the tags of this reading."""

    name: str
    digest: str
    source_type: str = ""
    source: str = ""
    schema: str = ""
    profile: str = ""
    tags: dict[str, str] = field(default_factory=dict)


def log(
    run_id: UUID,
    datasets: Sequence[GivenDataset],
    models: Sequence[str],
    *,
    projects: Reach,
    now: int,
) -> None:
    """Note what a run read, all or nothing; the same dataset twice is one input. Raises NotFound or Invalid."""
    each = list({(one.name, one.digest): one for one in datasets}.values())
    run = RUN.format(heartbeat=0, scope="" if projects is None else SCOPE)
    sql = LOG.format(run=run, writer=WRITER, touch=TOUCH.format(name="", due="true"))
    params = {
        "run": run_id,
        "projects": projects,
        "now": now,
        "names": [one.name for one in each],
        "digests": [one.digest for one in each],
        "types": [one.source_type for one in each],
        "sources": [one.source for one in each],
        "schemas": [one.schema for one in each],
        "profiles": [one.profile for one in each],
        "tags": [tags_json(one.tags) for one in each],
        "models": sorted(set(models)),
    }
    if not execute(sql, params)[0][0]:
        raise not_writable(run_id, projects)


def tags_json(tags: dict[str, str]) -> str:
    """Write tags as the list that MLflow's answers hold."""
    return orjson.dumps([{"key": key, "value": value} for key, value in tags.items()]).decode()


SUMMARIES = """SELECT DISTINCT d.experiment_id::text, d.name, d.digest,
  (SELECT c.value FROM jsonb_to_recordset(i.tags) AS c (key text, value text) WHERE c.key = 'mlflow.data.context' LIMIT 1)
 FROM tracking_dataset d JOIN tracking_runinput i ON i.dataset_id = d.id
 WHERE d.experiment_id = ANY(%(ids)s::bigint[]) ORDER BY 1, 2, 3, 4 LIMIT 1000"""


def summaries(experiments: Sequence[int]) -> list[dict[str, str]]:
    """List the datasets that runs of these experiments read, once for each context."""
    names = ("experiment_id", "name", "digest", "context")
    rows = execute(SUMMARIES, {"ids": list(experiments)})
    return [{name: value for name, value in zip(names, row, strict=True) if value is not None} for row in rows]
