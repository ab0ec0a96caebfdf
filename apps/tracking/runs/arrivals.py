"""The tracking room: whole runs that come from elsewhere, many at once, with all that they logged.

A run that is here already gets what it lacks: points, params, tags, files, and an end if it had none. Nothing of it
is changed otherwise. Call it in a transaction.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from apps.tracking.metrics import digests
from apps.tracking.metrics.digests import Brought
from apps.tracking.metrics.ingest import NAME_TAG, PACK_FROM
from apps.tracking.metrics.points import Points, is_ascending
from apps.tracking.models import Blob, Dataset, RunFile, RunInput, RunModel
from apps.tracking.runs import documents
from apps.tracking.runs.folding import CHUNK_POINTS
from apps.tracking.runs.inputs import GivenDataset
from maestro.database.arrays import Float8Array, Int8Array
from maestro.database.copying import copy_rows
from maestro.database.statements import execute

BEGIN = """INSERT INTO tracking_run (id, experiment_id, name, user_name, status, start_ms, end_ms, deleted_ms,
  last_write_ms, created_by, location, is_folded)
 SELECT g.id, g.experiment, g.name, g.user_name, g.status, g.start_ms, g.end_ms, g.deleted_ms, %(now)s, %(by)s, '', false
 FROM unnest(%(ids)s::uuid[], %(experiments)s::bigint[], %(names)s::text[], %(users)s::text[], %(statuses)s::text[],
  %(starts)s::bigint[], %(ends)s::bigint[], %(deleted)s::bigint[])
  AS g (id, experiment, name, user_name, status, start_ms, end_ms, deleted_ms)
 ON CONFLICT (id) DO NOTHING RETURNING id"""
END = """UPDATE tracking_run r SET status = g.status, end_ms = g.end_ms, is_folded = false
 FROM unnest(%(ids)s::uuid[], %(statuses)s::text[], %(ends)s::bigint[]) AS g (id, status, end_ms)
 WHERE r.id = g.id AND r.end_ms IS NULL AND r.status IN ('RUNNING', 'SCHEDULED', 'LOST')
  AND g.status IN ('FINISHED', 'FAILED', 'KILLED')"""
PAIRS = {
    "params": """INSERT INTO tracking_param (run_id, key, value)
 SELECT * FROM unnest(%(runs)s::uuid[], %(keys)s::text[], %(values)s::text[]) ON CONFLICT (run_id, key) DO NOTHING""",
    "tags": """INSERT INTO tracking_tag (run_id, key, value)
 SELECT * FROM unnest(%(runs)s::uuid[], %(keys)s::text[], %(values)s::text[]) ON CONFLICT (run_id, key) DO NOTHING""",
}
NAME_KEYS = """INSERT INTO tracking_metrickey (name) SELECT DISTINCT n FROM unnest(%(names)s::text[]) AS n
 WHERE NOT EXISTS (SELECT FROM tracking_metrickey k WHERE k.name = n) ORDER BY n ON CONFLICT (name) DO NOTHING"""
KEYS = "SELECT name, id FROM tracking_metrickey WHERE name = ANY(%(names)s::text[])"
LATEST = """INSERT INTO tracking_latestmetric AS l (run_id, key_id, experiment_id, step, timestamp_ms, value)
 SELECT * FROM unnest(%(runs)s::uuid[], %(keys)s::int[], %(experiments)s::bigint[], %(steps)s::bigint[],
  %(times)s::bigint[], %(values)s::float8[])
 ON CONFLICT (run_id, key_id) DO UPDATE
 SET step = excluded.step, timestamp_ms = excluded.timestamp_ms, value = excluded.value
 WHERE (excluded.step, excluded.timestamp_ms, excluded.value) > (l.step, l.timestamp_ms, l.value)"""
POINT_COLUMNS = [
    ("run_id", "uuid"),
    ("key_id", "int4"),
    ("step", "int8"),
    ("timestamp_ms", "int8"),
    ("value", "float8"),
]
CHUNK_COLUMNS = [
    ("run_id", "uuid"),
    ("key_id", "int4"),
    ("count", "int4"),
    ("first_step", "int8"),
    ("last_step", "int8"),
    ("first_ms", "int8"),
    ("last_ms", "int8"),
    ("is_ascending", "bool"),
    ("steps", "int8[]"),
    ("timestamps_ms", "int8[]"),
    ("values", "float8[]"),
]


@dataclass
class Arrival:
    """A run from elsewhere, under the id that it shall have here."""

    run_id: UUID
    experiment_id: int
    name: str
    user: str
    status: str
    start_ms: int
    end_ms: int | None = None
    deleted_ms: int | None = None
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    series: dict[str, Brought] = field(default_factory=dict)
    datasets: list[GivenDataset] = field(default_factory=list)
    models_read: list[str] = field(default_factory=list)
    models_made: dict[str, int] = field(default_factory=dict)
    files: dict[str, Blob] = field(default_factory=dict)


@dataclass(frozen=True)
class Series:
    """Points of a run that are to be written."""

    run_id: UUID
    experiment_id: int
    key: str
    points: Points


def arrive(arrivals: Sequence[Arrival], *, by: str, now: int) -> set[UUID]:
    """Write runs with all that they logged; returns the ids of those that are new."""
    new = begin(arrivals, by=by, now=now)
    known = [one.run_id for one in arrivals if one.run_id not in new]
    write_pairs("params", [(one.run_id, one.params) for one in arrivals])
    write_pairs("tags", [(one.run_id, one.tags | {NAME_TAG: one.name}) for one in arrivals])
    write_series(arrivals, known)
    write_inputs(arrivals)
    files = [RunFile(run_id=a.run_id, path=path, blob=blob) for a in arrivals for path, blob in a.files.items()]
    RunFile.objects.bulk_create(files, ignore_conflicts=True)
    documents.unfold(known)
    return new


def begin(arrivals: Sequence[Arrival], *, by: str, now: int) -> set[UUID]:
    """Write the rows of runs, and the ends of those that are here without one; returns the new ones."""
    params = {
        "ids": [one.run_id for one in arrivals],
        "experiments": [one.experiment_id for one in arrivals],
        "names": [one.name for one in arrivals],
        "users": [one.user for one in arrivals],
        "statuses": [one.status for one in arrivals],
        "starts": [one.start_ms for one in arrivals],
        "ends": [one.end_ms for one in arrivals],
        "deleted": [one.deleted_ms for one in arrivals],
    }
    new = {row[0] for row in execute(BEGIN, params | {"by": by, "now": now})}
    execute(END, {name: params[name] for name in ("ids", "statuses", "ends")})
    return new


def write_pairs(kind: str, owners: Sequence[tuple[UUID, dict[str, str]]]) -> None:
    """Write params or tags; names that are there keep their values."""
    rows = [(run_id, name, value) for run_id, some in owners for name, value in some.items()]
    runs, names, values = ([row[place] for row in rows] for place in range(3))
    execute(PAIRS[kind], {"runs": runs, "keys": names, "values": values})


def write_series(arrivals: Sequence[Arrival], known: Sequence[UUID]) -> None:
    """Write the points that are not here yet, packed where there are many, and the latest values."""
    here = digests.stored(known) if known else {}
    wanted = []
    for one in arrivals:
        for key, brought in one.series.items():
            points = digests.beyond(brought.points(), here.get(one.run_id, {}).get(key))
            if len(points):
                wanted.append(Series(one.run_id, one.experiment_id, key, points))
    names = sorted({series.key for series in wanted})
    execute(NAME_KEYS, {"names": names})
    keys: dict[str, int] = dict(execute(KEYS, {"names": names}))  # type: ignore[arg-type]
    copy_rows("tracking_metricchunk", CHUNK_COLUMNS, (row for one in wanted for row in chunks(one, keys[one.key])))
    copy_rows("tracking_metricpoint", POINT_COLUMNS, (row for one in wanted for row in singles(one, keys[one.key])))
    write_latest(wanted, keys)


def chunks(series: Series, key_id: int) -> Iterator[list[Any]]:
    """Pack a long series into chunks."""
    points = series.points
    if len(points) < PACK_FROM:
        return
    for start in range(0, len(points), CHUNK_POINTS):
        part = points.slice(start, start + CHUNK_POINTS)
        steps, times, values = part.steps.tolist(), part.times.tolist(), part.values.tolist()
        edges = [len(steps), min(steps), max(steps), min(times), max(times), is_ascending(part.steps)]
        yield [series.run_id, key_id, *edges, Int8Array(steps), Int8Array(times), Float8Array(values)]


def singles(series: Series, key_id: int) -> Iterator[list[Any]]:
    """Lay a short series out as rows."""
    points = series.points
    if len(points) < PACK_FROM:
        columns = (points.steps.tolist(), points.times.tolist(), points.values.tolist())
        yield from ([series.run_id, key_id, *point] for point in zip(*columns, strict=True))


def write_latest(wanted: Sequence[Series], keys: dict[str, int]) -> None:
    """Lift the latest value of each metric; NaN counts as the greatest value, as in Postgres."""
    latest = []
    for one in wanted:
        columns = (one.points.steps.tolist(), one.points.times.tolist(), one.points.values.tolist())
        latest.append(max(zip(*columns, strict=True), key=lambda p: (p[0], p[1], p[2] != p[2], p[2])))
    params = {
        "runs": [one.run_id for one in wanted],
        "keys": [keys[one.key] for one in wanted],
        "experiments": [one.experiment_id for one in wanted],
        "steps": [point[0] for point in latest],
        "times": [point[1] for point in latest],
        "values": [point[2] for point in latest],
    }
    execute(LATEST, params)


def write_inputs(arrivals: Sequence[Arrival]) -> None:
    """Note which datasets and models runs read, and which models they made."""
    given = {(a.experiment_id, one.name, one.digest): one for a in arrivals for one in a.datasets}
    rows = [
        Dataset(
            experiment_id=home,
            name=one.name,
            digest=one.digest,
            source_type=one.source_type,
            source=one.source,
            schema=one.schema,
            profile=one.profile,
            sees_all=True,
        )
        for (home, _, _), one in given.items()
    ]
    Dataset.objects.bulk_create(rows, ignore_conflicts=True)
    homes = {home for home, _, _ in given}
    names = {name for _, name, _ in given}
    found = Dataset.objects.filter(experiment__in=homes, name__in=names) if given else []
    numbers = {(one.experiment_id, one.name, one.digest): one.pk for one in found}
    inputs = [
        RunInput(
            run_id=a.run_id,
            dataset_id=numbers[a.experiment_id, one.name, one.digest],
            tags=[{"key": key, "value": value} for key, value in one.tags.items()],
            sees_all=True,
        )
        for a in arrivals
        for one in a.datasets
    ]
    RunInput.objects.bulk_create(inputs, ignore_conflicts=True)
    RunModel.objects.bulk_create([link for a in arrivals for link in links_of(a)], ignore_conflicts=True)


def links_of(arrival: Arrival) -> Iterator[RunModel]:
    """Write a run's links to models as rows."""
    for model in arrival.models_read:
        yield RunModel(run_id=arrival.run_id, direction="input", model_id=model, sees_all=True)
    for model, step in arrival.models_made.items():
        yield RunModel(run_id=arrival.run_id, direction="output", model_id=model, step=step, sees_all=True)
