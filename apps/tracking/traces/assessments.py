"""The tracking room: assessments of traces: given, changed, overridden and taken back."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction

from apps.tenants.access.audit.recording import record
from apps.tracking.actions import Act
from apps.tracking.models import Assessment, Trace
from maestro import limits
from maestro.errors import AlreadyExists, Invalid, NotFound
from maestro.principals import Actor

NAMED = {Assessment.Kind.FEEDBACK: "a Feedback", Assessment.Kind.EXPECTATION: "an Expectation"}


@dataclass(frozen=True)
class GivenAssessment:
    """An assessment as a client tells it. An empty id lets the server choose one."""

    name: str
    kind: str
    value: Any
    source_type: str
    source_id: str
    identity: str = ""
    error: dict[str, str] | None = None
    rationale: str = ""
    metadata: dict[str, str] = field(default_factory=dict)
    span_id: str = ""
    overrides: str = ""
    created_ms: int | None = None
    is_valid: bool = True


def row_of(trace_id: str, given: GivenAssessment, *, by: str, now: int) -> Assessment:
    """Lay an assessment out as a row."""
    return Assessment(
        trace_id=trace_id,
        identity=given.identity or f"a-{uuid.uuid4().hex}",
        name=given.name,
        kind=given.kind,
        value=given.value,
        error=given.error,
        source_type=given.source_type,
        source_id=given.source_id,
        rationale=given.rationale,
        metadata=given.metadata,
        span_id=given.span_id,
        overrides=given.overrides,
        is_valid=given.is_valid,
        created_ms=now if given.created_ms is None else given.created_ms,
        updated_ms=now if given.created_ms is None else given.created_ms,
        created_by=by,
    )


def add(trace_id: str, given: Iterable[GivenAssessment], *, by: str, now: int) -> None:
    """Add what a trace brought along, within its transaction; what is there already is passed over.

    Raises Invalid beyond the bound of a trace.
    """
    kept = list(Assessment.objects.filter(trace=trace_id))
    marks, identities = {mark(row) for row in kept}, {row.identity for row in kept}
    rows = [row_of(trace_id, item, by=by, now=now) for item in given]
    fresh = [row for row in rows if row.identity not in identities and mark(row) not in marks]
    require_room(len(kept) + len(fresh))
    Assessment.objects.bulk_create(fresh)


def mark(row: Assessment) -> tuple[Any, ...]:
    """Say what makes two assessments the same although neither has an id."""
    return (row.name, row.kind, row.source_type, row.source_id, row.created_ms, row.span_id)


def require_room(count: int) -> None:
    """Raise Invalid beyond the bound of a trace."""
    if count > limits.TRACE_ASSESSMENTS:
        raise Invalid(f"A trace takes at most {limits.TRACE_ASSESSMENTS} assessments.", "too_many_items")


def create(trace: Trace, given: GivenAssessment, *, by: str, now: int) -> Assessment:
    """Assess a trace. One that is overridden stays, marked as no longer valid.

    Raises NotFound for one to override that is not there, AlreadyExists for an id that is taken.
    """
    with transaction.atomic():
        Trace.objects.select_for_update().filter(pk=trace.pk).first()
        of_trace = Assessment.objects.filter(trace=trace)
        require_room(of_trace.count() + 1)
        if given.identity and of_trace.filter(identity=given.identity).exists():
            raise AlreadyExists(
                f"there is an assessment {given.identity!r} already", facts={"assessment": given.identity}
            )
        if given.overrides:
            of_trace.fetch(trace, given.overrides)
            of_trace.overridden(given.overrides, valid=False)
        made = row_of(trace.pk, given, by=by, now=now)
        made.save()
    return made


def change(trace: Trace, identity: str, changes: dict[str, Any], *, now: int) -> Assessment:
    """Change an assessment's name, value, rationale or metadata (merged). Its kind and its source stay.

    Raises NotFound, or Invalid for a value of the other kind.
    """
    with transaction.atomic():
        found = Assessment.objects.select_for_update().fetch(trace, identity)
        kind = changes.pop("kind", found.kind)
        if kind != found.kind:
            detail = f"an assessment that is {found.kind} takes no {kind}"
            raise Invalid(
                detail, "other_kind", facts={"given_kind": kind, "own_kind": NAMED[Assessment.Kind(found.kind)]}
            )
        metadata = found.metadata | changes.pop("metadata", {})
        for name, value in changes.items():
            setattr(found, name, value)
        found.metadata, found.updated_ms = metadata, max(now, found.created_ms)
        found.save()
    return found


def take_back(trace: Trace, identity: str, by: Actor) -> None:
    """Delete an assessment; what it overrode counts again. One that is not there is no error."""
    with transaction.atomic():
        of_trace = Assessment.objects.select_for_update().filter(trace=trace)
        try:
            found = of_trace.fetch(trace, identity)
        except NotFound:
            return
        if found.overrides:
            of_trace.overridden(found.overrides, valid=True)
        record(by, Act.ASSESSMENT_DELETE, object_type="Trace", object_id=trace.pk, before=told(found))
        found.delete()


def told(assessment: Assessment) -> dict[str, Any]:
    """Tell the log of an assessment."""
    names = ("identity", "name", "kind", "value", "source_type", "source_id", "rationale", "created_by")
    return {name: getattr(assessment, name) for name in names}
