"""The tracking room: what may be told to others, and writing down that it happened, in the transaction of the act.

A verb of any room calls `tell`. Nothing is written unless somebody listens, and who listens is asked in the same statement.
"""

# ruff: noqa: S608 statements are put together from constants of ours; every value is bound

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

import orjson
from django.db import connection

WORDS: Final = 5_000  # characters of a text of somebody's that are told
PAIRS: Final = 100  # notes of one thing that are told


class Happening(StrEnum):
    """What may be told, as `noun.what_became_of_it`."""

    RUN_FINISHED = "run.finished"
    RUN_FAILED = "run.failed"
    RUN_LOST = "run.lost"
    ARTIFACT_CREATED = "artifact.created"
    ARTIFACT_TAGGED = "artifact.tagged"
    ARTIFACT_UNTAGGED = "artifact.untagged"
    VERSION_REGISTERED = "version.registered"
    VERSION_TAGGED = "version.tagged"
    VERSION_UNTAGGED = "version.untagged"
    ALIAS_MOVED = "alias.moved"
    ALIAS_DELETED = "alias.deleted"
    GATE_REFUSED = "gate.refused"
    GATE_WAITING = "gate.waiting"
    GATE_PASSED = "gate.passed"
    IMPACT_CHANGED = "impact.changed"
    FORECAST_MISSED = "forecast.missed"
    STORAGE_NEARLY_FULL = "storage.nearly_full"


# What a test sends. Nobody chooses it.
TEST: Final = "webhook.test"
MLFLOW_EVENTS: Final = (
    "registered_model.created",
    "model_version.created",
    "model_version_tag.set",
    "model_version_tag.deleted",
    "model_version_alias.created",
    "model_version_alias.deleted",
    "prompt.created",
    "prompt_version.created",
    "prompt_tag.set",
    "prompt_tag.deleted",
    "prompt_version_tag.set",
    "prompt_version_tag.deleted",
    "prompt_alias.created",
    "prompt_alias.deleted",
)

# Needs `event`, `mlflow_event` and `project_id` of something that happened; says whether anybody listens.
LISTENED: Final = """EXISTS (SELECT FROM tracking_webhook w WHERE w.state = 'active'
 AND (w.project_id IS NULL OR w.project_id = {project}) AND w.events && ARRAY[{event}, {mlflow}]::varchar[])"""
TELL: Final = f"""INSERT INTO tracking_notice (event, mlflow_event, project_id, at, data, wide, is_spread)
 SELECT g.event, g.mlflow, g.project, coalesce(%(at)s::timestamptz, now()), g.data::jsonb, g.wide::jsonb, false
 FROM unnest(%(events)s::text[], %(mlflow)s::text[], %(projects)s::uuid[], %(data)s::text[], %(wide)s::text[])
  AS g (event, mlflow, project, data, wide)
 WHERE {LISTENED.format(project="g.project", event="g.event", mlflow="g.mlflow")}"""
# Ends of runs, told in the statement that ends them. Needs `run` (its rows as they are now) and the bound value `now`; the
# table itself still shows what was before.
TELL_RUNS: Final = f"""INSERT INTO tracking_notice (event, mlflow_event, project_id, at, data, wide, is_spread)
 SELECT 'run.' || lower(run.status), '', e.project_id, to_timestamp(%(now)s::bigint / 1000.0), jsonb_build_object(
   'run', jsonb_build_object('id', replace(run.id::text, '-', ''), 'name', left(run.name, 250), 'status', run.status,
    'started_ms', run.start_ms, 'ended_ms', run.end_ms),
   'experiment', jsonb_build_object('id', run.experiment_id::text, 'name', e.name)), '{{}}', false
 FROM run JOIN tracking_run was ON was.id = run.id JOIN tracking_experiment e ON e.id = run.experiment_id
 WHERE was.status <> run.status AND run.status IN ('FINISHED', 'FAILED', 'LOST')
  AND {LISTENED.format(project="e.project_id", event="'run.' || lower(run.status)", mlflow="NULL")}"""


@dataclass(frozen=True)
class Told:
    """Something that happened: `data` for who reaches its project, `wide` what more for who reaches all."""

    event: Happening
    project_id: UUID | None
    data: dict[str, Any]
    wide: dict[str, Any] = field(default_factory=dict)
    mlflow_event: str = ""


def tell(*what: Told, at: datetime | None = None) -> int:
    """Write down what happened, as far as anybody listens, in the transaction of the act. Returns how much."""
    return tell_all(what, at=at)


def tell_all(what: Sequence[Told], *, at: datetime | None = None) -> int:
    """Write down much that happened, now if no time is said. Returns how much somebody listens for."""
    if not what:
        return 0
    values: dict[str, Any] = {
        "at": at,
        "events": [one.event.value for one in what],
        "mlflow": [one.mlflow_event for one in what],
        "projects": [one.project_id for one in what],
        "data": [orjson.dumps(one.data).decode() for one in what],
        "wide": [orjson.dumps(one.wide).decode() for one in what],
    }
    with connection.cursor() as cursor:
        cursor.execute(TELL, values)
        return int(cursor.rowcount)


def cut(text: str) -> str:
    """As much of somebody's text as is told."""
    return text[:WORDS]
