"""Traces for the scene: one with spans, an error and assessments, others for the list."""

import json
from typing import Any

from apps.tracking.files import blobs
from apps.tracking.models import Assessment, Run, Trace, TraceFile

HOSTILE = '<script>alert("x")</script><img src=x onerror=alert(1)>'
MS = 1_000_000
# Identity, parent, name, kind, from and to in milliseconds.
SPANS = [
    ("s0", None, "answer a question", "CHAIN", 0, 1240),
    ("s1", "s0", "find passages", "RETRIEVER", 4, 310),
    ("s2", "s1", "embed", "EMBEDDING", 6, 90),
    ("s3", "s1", "nearest_neighbours", "TOOL", 92, 300),
    ("s4", "s0", "ask the model", "CHAT_MODEL", 320, 1100),
    ("s5", "s4", f"call {HOSTILE}", "LLM", 330, 700),
    ("s6", "s4", "call the model again, with a name that is longer than any line can show", "LLM", 705, 1090),
    ("s7", "s0", "check the answer", "", 1105, 1235),
]


def span_of(identity: str, parent: str | None, name: str, kind: str, begin: int, end: int) -> dict[str, Any]:
    """A span as the client uploads it."""
    attributes = {"mlflow.spanType": json.dumps(kind), "llm.model": '"small-2"', "retries": "3"}
    attributes["mlflow.spanInputs"] = json.dumps(json.dumps({"question": "Which run is best?", "html": HOSTILE}))
    attributes["mlflow.spanOutputs"] = json.dumps({"answer": ["the one with the least loss"], "score": 0.93})
    is_bad = identity == "s5"
    return {
        "span_id": identity,
        "parent_span_id": parent,
        "name": name,
        "start_time_unix_nano": begin * MS,
        "end_time_unix_nano": end * MS,
        "attributes": attributes,
        "status": {"code": "STATUS_CODE_ERROR" if is_bad else "STATUS_CODE_OK", "message": "429" if is_bad else ""},
        "events": [{"name": "exception", "attributes": {"exception.type": "TooManyRequests"}}] if is_bad else [],
    }


def make_traces(run: Run, identity: str) -> None:
    """Write some traces of a run; the one of this id has spans and is assessed."""
    for index in range(12):
        Trace.objects.create(
            id=identity if index == 0 else f"tr-{index:02}",
            experiment=run.experiment,
            request_ms=run.start_ms + index * 1000,
            duration_ms=None if index == 3 else 1240 * (index + 1),
            state=("OK", "ERROR", "OK", "IN_PROGRESS")[index % 4],
            request_preview=f"Which run is best? {HOSTILE}",
            response_preview="The one with the least loss.",
            metadata={"mlflow.sourceRun": run.pk.hex, "mlflow.source.name": "serve.py"},
            tags={"mlflow.traceName": "answer a question", "customer": "blue", "stage": HOSTILE},
            run_ids=[run.pk.hex],
        )
    spans = json.dumps({"spans": [span_of(*one) for one in SPANS]})
    TraceFile.objects.create(trace_id=identity, path="traces.json", blob=blobs.store_text(spans))
    for name, value, source in (("helpful", True, "HUMAN"), ("score", 0.8, "LLM_JUDGE")):
        Assessment.objects.create(
            trace_id=identity,
            identity=f"a-{name}",
            name=name,
            kind="feedback",
            value=value,
            source_type=source,
            rationale=HOSTILE,
            span_id="s4",
            created_ms=run.start_ms,
            updated_ms=run.start_ms,
        )
