"""The registry room: traces of an MLflow source, with their spans as the file that clients would have uploaded."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from django.db import transaction

from apps.registry.imports import contents
from apps.registry.imports.contents import SourceFile
from apps.registry.imports.mlflow.given import Source, TracedRequest
from apps.registry.imports.mlflow.identities import Identities
from apps.registry.imports.mlflow.runs import files_at
from apps.registry.imports.report import Report
from apps.tracking.models import Experiment, Run, Trace, TraceFile
from apps.tracking.traces import recording
from apps.tracking.traces.recording import SOURCE_RUN, GivenTrace
from apps.tracking.traces.spans import FILE
from maestro.principals import Actor


def bring(
    given: TracedRequest,
    home: Experiment,
    source: Source,
    identities: Identities,
    report: Report,
    *,
    by: Actor,
    now: int,
) -> None:
    """Take in a trace, and compare it with what is here then."""
    old = given.trace.trace_id
    trace = renamed(given, identities, home)
    report.map("trace", old, trace.trace_id)
    known = {row.path: row.blob for row in TraceFile.objects.filter(trace=trace.trace_id).select_related("blob")}
    listed = files_at(source, "trace", old, given.place, report)
    listed = [file for file in listed if given.spans is None or file.path != FILE] + spans_of(given)
    brought = contents.bring(listed, known, report, f"trace {old}", project=home.project)
    runs = identities.run_ids(given.run_ids)
    with transaction.atomic():
        is_new = not Trace.objects.filter(pk=trace.trace_id).exists()
        if is_new:
            recording.record_trace(trace, Experiment.objects.all(), by=by.name, now=now)
            report.tally("trace").new += 1
        rows = [TraceFile(trace_id=trace.trace_id, path=path, blob=blob) for path, blob in brought.blobs.items()]
        TraceFile.objects.bulk_create(rows, ignore_conflicts=True)
        for run in Run.objects.filter(pk__in=runs.values()):
            recording.link(Trace.objects.all(), [trace.trace_id], run.pk, runs=Run.objects.all())
    here = Trace.objects.prefetch_related("assessments").get(pk=trace.trace_id)
    files = {row.path: row.blob for row in here.files.select_related("blob")}
    told = facts_of(here, here.assessments.all()) | {"files": contents.as_said(brought.said, files)}
    report.compare("trace", {old: facts_of(trace, trace.assessments) | {"files": brought.said}}, {old: told})


def renamed(given: TracedRequest, identities: Identities, home: Experiment) -> GivenTrace:
    """Give a trace, its experiment and its run the ids that they have here."""
    metadata = dict(given.trace.metadata)
    if run := metadata.get(SOURCE_RUN):
        metadata[SOURCE_RUN] = identities.run_ids([run])[run].hex
    identity = identities.trace_id(given.trace.trace_id)
    tags = recording.without_ours(given.trace.tags)
    return replace(given.trace, trace_id=identity, experiment_id=home.pk, metadata=metadata, tags=tags)


def spans_of(given: TracedRequest) -> list[SourceFile]:
    """The file of a trace's spans, where they are rows in the source."""
    read = given.spans
    if read is None:
        return []

    def pieces() -> Iterator[bytes]:
        yield read()

    return [SourceFile(FILE, None, pieces)]


def facts_of(trace: GivenTrace | Trace, assessments: Iterable[Any]) -> dict[str, Any]:
    """Write a trace of the source, or one that is here, without its files."""
    return {
        "request_ms": trace.request_ms,
        "duration_ms": trace.duration_ms,
        "state": trace.state,
        "request": trace.request_preview,
        "response": trace.response_preview,
        "metadata": trace.metadata,
        "tags": trace.tags,
        "assessments": sorted(f"{one.identity} {one.name} {one.value}" for one in assessments),
    }
