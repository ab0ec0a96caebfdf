"""The tracking room: traces: recorded, noted, linked to runs, deleted for good. Their spans are files behind the proxy."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson
from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from apps.tenants.access.audit.recording import record
from apps.tracking.actions import Act
from apps.tracking.files.folders import Root
from apps.tracking.files.quotas import share_of
from apps.tracking.models import Experiment, Run, Trace, TraceLink
from apps.tracking.refusals import experiment_is_deleted, no_experiment, no_run, no_tag
from apps.tracking.traces.assessments import GivenAssessment, add
from maestro import limits
from maestro.database.statements import execute
from maestro.errors import AlreadyExists, Invalid
from maestro.principals import Actor

SOURCE_RUN = "mlflow.sourceRun"
LOCATION_TAG, SPANS_TAG = "mlflow.artifactLocation", "mlflow.trace.spansLocation"
# Clients open the address in the first and look for spans where the second says: both are the server's word.
SERVERS_OWN = frozenset({LOCATION_TAG, SPANS_TAG})
MOST_DELETED = 100_000
DELETED_AT_ONCE = 1_000
MOST_LINKS = 100

RECORD = """INSERT INTO tracking_trace AS t (id, experiment_id, request_ms, duration_ms, state, client_request_id,
  request_preview, response_preview, metadata, tags, run_ids, created_by)
 VALUES (%(id)s, %(experiment)s, %(request_ms)s, %(duration_ms)s, %(state)s, %(client)s, %(request)s, %(response)s,
  %(metadata)s::jsonb, %(tags)s::jsonb, %(runs)s::varchar(32)[], %(by)s)
 ON CONFLICT (id) DO UPDATE SET request_ms = excluded.request_ms, duration_ms = excluded.duration_ms,
  state = excluded.state, client_request_id = excluded.client_request_id, request_preview = excluded.request_preview,
  response_preview = excluded.response_preview, metadata = t.metadata || excluded.metadata,
  tags = t.tags || excluded.tags, run_ids = t.run_ids || (SELECT coalesce(array_agg(x), '{}') FROM
   unnest(excluded.run_ids) x WHERE x <> ALL (t.run_ids))
  WHERE t.experiment_id = excluded.experiment_id RETURNING
   (SELECT count(*) FROM jsonb_object_keys(t.tags)), (SELECT count(*) FROM jsonb_object_keys(t.metadata))"""
LINK = """UPDATE tracking_trace SET run_ids = run_ids || %(run)s::varchar(32)
 WHERE id = ANY(%(ids)s::text[]) AND %(run)s <> ALL (run_ids) RETURNING id"""

# Whoever records a trace and whoever links it meet here, so that no link falls between the two.
HOLD = """SELECT pg_advisory_xact_lock(q.k) FROM
 (SELECT hashtextextended(x, 7) AS k FROM unnest(%(ids)s::text[]) x ORDER BY 1) q"""
ARRIVED = """WITH due AS (DELETE FROM tracking_tracelink l USING tracking_run r, tracking_experiment e
  WHERE l.trace_id = %(id)s AND r.id = l.run_id AND e.id = r.experiment_id
  RETURNING replace(r.id::text, '-', '')::varchar(32) AS run, e.project_id)
 UPDATE tracking_trace t SET run_ids = t.run_ids || ARRAY(SELECT due.run FROM due
  WHERE due.project_id IS NOT DISTINCT FROM %(project)s::uuid AND due.run <> ALL (t.run_ids))
 WHERE t.id = %(id)s AND EXISTS (SELECT FROM due) RETURNING t.id"""
AWAITED = timedelta(days=1)


@dataclass(frozen=True)
class GivenTrace:
    """A trace as a client tells it, at its end."""

    trace_id: str
    experiment_id: int
    request_ms: int
    duration_ms: int | None
    state: str
    client_request_id: str = ""
    request_preview: str = ""
    response_preview: str = ""
    metadata: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    assessments: Sequence[GivenAssessment] = ()


def record_trace(given: GivenTrace, experiments: "QuerySet[Experiment]", *, by: str, now: int) -> Trace:
    """Record a trace. The same id again, in the same experiment, is merged: a client that repeats itself harms nothing.

    Raises NotFound for the experiment, Invalid if it is in the trash or too much is noted, AlreadyExists for an id of another.
    """
    home = experiments.filter(pk=given.experiment_id).first()
    if home is None:
        raise no_experiment(given.experiment_id)
    require_active(home)
    run = given.metadata.get(SOURCE_RUN, "")
    params = {
        "id": given.trace_id,
        "experiment": home.pk,
        "request_ms": given.request_ms,
        "duration_ms": given.duration_ms,
        "state": given.state,
        "client": given.client_request_id,
        "request": given.request_preview,
        "response": given.response_preview,
        "metadata": orjson.dumps(given.metadata).decode(),
        "tags": orjson.dumps(without_ours(given.tags)).decode(),
        "runs": [run] if 0 < len(run) <= 32 else [],
        "by": by,
    }
    with transaction.atomic():
        execute(HOLD, {"ids": [given.trace_id]})
        counts = execute(RECORD, params)
        if not counts:
            raise AlreadyExists(f"another experiment has the trace {given.trace_id!r}", facts={"trace": given.trace_id})
        for name, count in zip(("tags", "metadata"), counts[0], strict=True):
            require_room(name, count)
        execute(ARRIVED, {"id": given.trace_id, "project": home.project_id})
        add(given.trace_id, given.assessments, by=by, now=now)
    return Trace.objects.fetch(given.trace_id)


def require_room(name: str, count: int) -> None:
    """Raise Invalid for more than a trace takes, also where they came one after the other."""
    if count > limits.TRACE_NOTES:
        raise Invalid(f"A trace takes at most {limits.TRACE_NOTES} {name}.", "too_many_items")


def require_active(home: Experiment) -> None:
    """Raise Invalid for an experiment in the trash."""
    if home.deleted_ms is not None:
        raise experiment_is_deleted(home.pk)


def without_ours(tags: dict[str, str]) -> dict[str, str]:
    """Leave out what only the server says."""
    return {key: value for key, value in tags.items() if key not in SERVERS_OWN}


def servers_own(key: str) -> Invalid:
    """Say that a tag is the server's own."""
    return Invalid(f"the tag {key!r} is the server's own", "servers_own_tag", facts={"tag": key})


def set_tag(traces: "QuerySet[Trace]", identity: str, key: str, value: str) -> None:
    """Note something on a trace. Raises NotFound, or Invalid for the server's own tags and for too many."""
    if key in SERVERS_OWN:
        raise servers_own(key)
    with transaction.atomic():
        trace = fetch_locked(traces, identity)
        trace.tags[key] = value
        require_room("tags", len(trace.tags))
        trace.save(update_fields=["tags"])


def drop_tag(traces: "QuerySet[Trace]", identity: str, key: str) -> None:
    """Take a note off a trace. Raises NotFound if it is not there, Invalid for the server's own tags."""
    if key in SERVERS_OWN:
        raise servers_own(key)
    with transaction.atomic():
        trace = fetch_locked(traces, identity)
        if trace.tags.pop(key, None) is None:
            raise no_tag(key, trace=identity)
        trace.save(update_fields=["tags"])


def fetch_locked(traces: "QuerySet[Trace]", identity: str) -> Trace:
    """Fetch a trace and hold its row to the end of the transaction. Raises NotFound."""
    return traces.select_for_update(of=("self",)).fetch(identity)  # type: ignore[attr-defined,no-any-return]


def link(traces: "QuerySet[Trace]", identities: Iterable[str], run_id: UUID, *, runs: "QuerySet[Run]") -> int:
    """Link traces to a run, those that are not here yet when they arrive within a day, in the run's project.

    Raises NotFound for the run.
    """
    if not runs.filter(pk=run_id).exists():
        raise no_run(run_id)
    wanted = set(identities)
    with transaction.atomic():
        execute(HOLD, {"ids": list(wanted)})
        seen = list(traces.filter(pk__in=wanted).values_list("pk", flat=True))
        expect(wanted - set(seen), run_id)
        return len(execute(LINK, {"run": run_id.hex, "ids": seen}))


def expect(identities: Iterable[str], run_id: UUID) -> None:
    """Remember to link traces that are not here, and forget what did not come within a day."""
    links = [TraceLink(trace_id=identity, run_id=run_id) for identity in identities]
    if links:
        TraceLink.objects.filter(at__lt=Now() - AWAITED).delete()
        TraceLink.objects.bulk_create(links, ignore_conflicts=True)


def destroy(
    traces: "QuerySet[Trace]", by: Actor, *, experiment: int, told: Mapping[str, Any], most: int = MOST_DELETED
) -> int:
    """Delete some of an experiment's traces for good, and record it. Returns how many; `told` says how they were chosen."""
    with transaction.atomic():
        gone = delete(traces, most=min(most, MOST_DELETED))
        if gone:
            before = {"traces": gone, **told}
            record(by, Act.TRACES_DELETE, object_type="Experiment", object_id=experiment, before=before)
    return gone


def delete(traces: "QuerySet[Trace]", *, most: int = MOST_DELETED) -> int:
    """Delete traces for good, the oldest first, with their files' names and assessments. Returns how many.

    Call it in a transaction. The bytes go with the next sweep.
    """
    deleted = 0
    while deleted < most:
        oldest = traces.order_by("request_ms", "pk").values_list("pk", flat=True)
        some = list(oldest[: min(DELETED_AT_ONCE, most - deleted)])
        if not some:
            break
        Trace.objects.filter(pk__in=some).delete()
        deleted += len(some)
    return deleted


def trace_root(identity: str) -> Root | None:
    """Find a trace's folder of files."""
    trace = Trace.objects.select_related("experiment__project").filter(pk=identity).first()
    if trace is None:
        return None
    home = trace.experiment
    refusal = "" if home.deleted_ms is None else f"the experiment {home.pk} is deleted; its traces take no files"
    return Root(trace.artifact_uri, trace.files, home.project_id, refusal, share=share_of(home.project))


def ordered(traces: "QuerySet[Trace]", identities: Sequence[str]) -> list[Trace]:
    """Fetch traces with all that is said of them, in the order of some ids; what is not there is left out."""
    found = traces.select_related("experiment").prefetch_related("assessments").in_bulk(list(identities))
    return [found[identity] for identity in dict.fromkeys(identities) if identity in found]
