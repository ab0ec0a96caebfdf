"""The registry room: which links lead one step further, in one statement: recorded edges, producers, uses, inputs.

Only what somebody reaches is met: what lies beyond is neither shown nor counted, nor is walked through.
"""

from collections.abc import Collection
from functools import cache
from typing import NamedTuple
from uuid import UUID

from apps.registry.lineage.graph import DATASET, KINDS, MODEL, PROJECT, RUN, VERSION, Key, Link
from maestro.database.arrays import Int8Array, UuidArray
from maestro.database.statements import execute
from maestro.principals import Reach

UP, DOWN = "up", "down"


class Shape(NamedTuple):
    """Rows that are links: the two ends as columns, what the link is called, and when it came about."""

    start: str
    start_id: str
    end: str
    end_id: str
    kind: str
    rows: str
    at_ms: str
    only: str = "true"


VERSIONS, USES = "registry_artifactversion v", "registry_usage u"
USED_MS = "extract(epoch FROM u.at) * 1000"
# Where a run's model was registered, the way leads from the run by its model, and not past it as well.
BY_MODEL = """NOT EXISTS (SELECT FROM registry_loggedmodel m WHERE m.id = v.logged_model_id AND m.run_id = v.run_id)"""
SHAPES = (
    Shape(RUN, "v.run_id", VERSION, "v.id", "produced", VERSIONS, "v.created_ms", BY_MODEL),
    Shape(MODEL, "v.logged_model_id", VERSION, "v.id", "registered", VERSIONS, "v.created_ms"),
    Shape(RUN, "m.run_id", MODEL, "m.id", "produced", "registry_loggedmodel m", "m.created_ms"),
    Shape(VERSION, "u.version_id", RUN, "u.run_id", "used", USES, USED_MS),
    Shape(VERSION, "u.version_id", PROJECT, "u.project_id", "used", USES, USED_MS, "u.run_id IS NULL"),
    Shape(DATASET, "i.dataset_id", RUN, "i.run_id", "read", "tracking_runinput i", "i.id"),
)
EDGE = """SELECT '{near}', e.{side}_{near}_id::text,
 CASE WHEN e.{other}_version_id IS NOT NULL THEN 'version' WHEN e.{other}_run_id IS NOT NULL THEN 'run' ELSE 'model' END,
 coalesce(e.{other}_version_id, e.{other}_run_id, e.{other}_model_id)::text, e.kind::text,
 (extract(epoch FROM e.created_at) * 1000)::float8 FROM registry_edge e WHERE e.{side}_{near}_id = ANY(%({near})s)"""
OTHER = """SELECT '{near}', {near_id}::text, '{far}', {far_id}::text, '{kind}', ({at_ms})::float8
 FROM {rows} WHERE {near_id} = ANY(%({near})s) AND {far_id} IS NOT NULL AND {only}"""
OF_PROJECT = "(SELECT FROM {} t JOIN tracking_experiment e ON e.id = t.experiment_id WHERE t.id = far::{} AND {})"
IN_REACH = "e.project_id = ANY(%(reach)s)"
WITHIN = f"""CASE far_kind WHEN 'version' THEN EXISTS (SELECT FROM registry_artifactversion v
  JOIN registry_artifact e ON e.id = v.artifact_id WHERE v.id = far::uuid AND (e.project_id IS NULL OR {IN_REACH}))
 WHEN 'run' THEN EXISTS {OF_PROJECT.format("tracking_run", "uuid", IN_REACH)}
 WHEN 'model' THEN EXISTS {OF_PROJECT.format("registry_loggedmodel", "uuid", IN_REACH)}
 WHEN 'dataset' THEN EXISTS {OF_PROJECT.format("tracking_dataset", "bigint", IN_REACH)}
 ELSE far::uuid = ANY(%(reach)s) END"""
# What lies in the trash is neither shown nor walked through.
HERE = "(far_kind <> 'version' OR far NOT IN (SELECT v.id::text FROM registry_artifactversion v WHERE v.deleted_ms IS NOT NULL))"
# The newest of each thing first, one of each in turn, so that a bound cuts all alike.
STEP = """WITH met (near_kind, near, far_kind, far, kind, at) AS ({links}),
 once AS (SELECT near_kind, near, far_kind, far, min(kind) AS kind, max(at) AS at FROM met GROUP BY 1, 2, 3, 4)
SELECT near_kind, near, far_kind, far, kind, turn > %(fan)s FROM (
 SELECT *, row_number() OVER (PARTITION BY near_kind, near ORDER BY at DESC, far DESC) AS turn FROM once WHERE {here} AND {within}
) turned WHERE turn <= %(fan)s + 1 ORDER BY turn, at DESC, far DESC LIMIT %(most)s"""


@cache
def statement(direction: str, *, is_bounded: bool) -> str:
    """Write the statement of one step, up or down, for who sees everything or some projects."""
    side, other = ("to", "from") if direction == UP else ("from", "to")
    branches = [EDGE.format(near=kind, side=side, other=other) for kind in (VERSION, RUN, MODEL)]
    for shape in SHAPES:
        start, end = (shape.start, shape.start_id), (shape.end, shape.end_id)
        (near, near_id), (far, far_id) = (end, start) if direction == UP else (start, end)
        fields = {"near": near, "near_id": near_id, "far": far, "far_id": far_id}
        branches.append(OTHER.format(**fields, kind=shape.kind, at_ms=shape.at_ms, rows=shape.rows, only=shape.only))
    text = STEP.format(links="\n UNION ALL ".join(branches), within=WITHIN if is_bounded else "true", here=HERE)
    return text


def step_from(
    frontier: Collection[Key], direction: str, reach: Reach, *, fan: int, most: int
) -> tuple[list[Link], bool]:
    """Find the links that lead one step further, at most `fan` from each thing; says whether there are more."""
    if not frontier:
        return [], False
    values = {kind: [identity for name, identity in frontier if name == kind] for kind in KINDS}
    numbers = Int8Array([int(one) for one in values.pop(DATASET)])
    bound: dict[str, object] = {kind: UuidArray([UUID(one) for one in ids]) for kind, ids in values.items()}
    bound |= {DATASET: numbers, "fan": fan, "most": most + 1}
    if reach is not None:
        bound["reach"] = UuidArray(reach)
    rows = execute(statement(direction, is_bounded=reach is not None), bound)
    links = [
        Link((far_kind, far), (near_kind, near), kind)
        if direction == UP
        else Link((near_kind, near), (far_kind, far), kind)
        for near_kind, near, far_kind, far, kind, is_over in rows[:most]
        if not is_over
    ]
    return links, len(rows) > most or any(row[-1] for row in rows)
