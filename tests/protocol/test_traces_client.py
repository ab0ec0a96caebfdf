"""Traces and assessments by the stock client: recorded, searched with their spans, assessed, deleted."""

import json
from collections.abc import Callable
from pathlib import Path

from django_tenants.utils import tenant_context

from apps.tenants.models import Tenant
from apps.tracking.models import Assessment, EvaluationDataset, Trace, TraceFile
from tests.factories.clients import run_script
from tests.web import WebServer

KeyFor = Callable[..., str]
TRACING = """
import json, mlflow
from mlflow.entities import AssessmentSource, SpanType

home = mlflow.set_experiment("traced").experiment_id

@mlflow.trace(span_type=SpanType.TOOL)
def look_up(word):
    return {"word": word, "found": len(word)}

@mlflow.trace
def answer(question):
    with mlflow.start_span(name="think") as span:
        span.set_inputs({"q": question})
        span.set_outputs([look_up(word) for word in question.split()])
        span.set_attribute("depth", 2)
    if "?" not in question:
        raise ValueError("that is no question: ünï ✓")
    return "42"

with mlflow.start_run() as run:
    answer("what is it ?")
try:
    answer("tell me")
except ValueError:
    pass
for i in range(3):
    answer(f"again {i} ?")
mlflow.flush_trace_async_logging()

frame = mlflow.search_traces(locations=[home], order_by=["timestamp_ms ASC"])
client = mlflow.MlflowClient()
failed = mlflow.search_traces(locations=[home], filter_string="trace.status = 'ERROR'", return_type="list")
in_run = mlflow.search_traces(locations=[home], run_id=run.info.run_id, return_type="list")
first = mlflow.get_trace(frame.trace_id[0])
store = mlflow.tracking._tracking_service.utils._get_store()
whole = [store.get_trace(first.info.trace_id), *store.batch_get_traces([first.info.trace_id, "tr-nowhere"])]
told = [sorted((s.span_id, s.parent_id, s.name, s.start_time_ns, s.end_time_ns, json.dumps(s.attributes, sort_keys=True),
    s.status.status_code.value) for s in t.data.spans) for t in (first, *whole)]
client.set_trace_tag(first.info.trace_id, "reviewed", "yes ✓")
client.set_trace_tag(first.info.trace_id, "gone", "1")
client.delete_trace_tag(first.info.trace_id, "gone")
tagged = mlflow.search_traces(locations=[home], filter_string="tags.reviewed = 'yes ✓'", return_type="list")
page = client.search_traces(locations=[home], max_results=2)
rest = client.search_traces(locations=[home], max_results=5, page_token=page.token)

human = AssessmentSource(source_type="HUMAN", source_id="ann")
good = mlflow.log_feedback(trace_id=first.info.trace_id, name="good", value=True, source=human, rationale="it is 42")
wanted = mlflow.log_expectation(trace_id=first.info.trace_id, name="wanted", value={"answer": "42"}, source=human)
mlflow.update_assessment(first.info.trace_id, good.assessment_id, mlflow.entities.Feedback(name="good", value=False))
better = mlflow.override_feedback(
    trace_id=first.info.trace_id, assessment_id=good.assessment_id, value=0.9, rationale="on second thought")
judged = mlflow.search_traces(locations=[home], filter_string="feedback.good > 0.5", return_type="list")
read = mlflow.get_assessment(first.info.trace_id, wanted.assessment_id)
mlflow.delete_assessment(first.info.trace_id, wanted.assessment_id)
said = mlflow.get_trace(first.info.trace_id).info.assessments

gone = client.delete_traces(home, trace_ids=[failed[0].info.trace_id])
oldest = client.delete_traces(home, max_timestamp_millis=int(frame.request_time[4].timestamp() * 1000) if hasattr(
    frame.request_time[4], "timestamp") else int(frame.request_time[4]), max_traces=1)
print(json.dumps({
    "whole": len(whole), "alike": all(spans == told[0] for spans in told), "rows": len(frame), "states": list(frame.state), "failed": len(failed), "in_run": len(in_run),
    "spans": sorted((s.name, s.span_type, s.attributes.get("depth")) for s in first.data.spans),
    "inputs": first.data.spans[0].inputs, "outputs": first.data.spans[0].outputs,
    "error": [e.attributes["exception.message"] for s in failed[0].data.spans for e in s.events][:1],
    "tagged": [t.info.trace_id == first.info.trace_id for t in tagged], "reviewed": tagged[0].info.tags["reviewed"],
    "pages": [len(page), len(rest)], "first": first.info.trace_id, "location": first.info.tags["mlflow.artifactLocation"],
    "judged": [t.info.trace_id == first.info.trace_id for t in judged], "read": read.value,
    "said": [(a.name, a.feedback.value, a.valid, a.source.source_id) for a in said],
    "gone": gone, "oldest": oldest, "left": len(mlflow.search_traces(locations=[home])),
}))
"""


def test_traces_and_assessments_live_as_the_documentation_says(
    committed: Tenant, web: WebServer, key_for: KeyFor, tmp_path: Path
) -> None:
    told = json.loads(run_script(web, key_for(committed), TRACING, tmp_path).splitlines()[-1])
    assert (told["rows"], told["failed"], told["in_run"]) == (5, 1, 1)
    assert (told["whole"], told["alike"]) == (2, True)
    assert told["states"] == ["OK", "ERROR", "OK", "OK", "OK"]
    assert [tuple(span) for span in told["spans"]] == [("answer", "UNKNOWN", None)] + [
        ("look_up", "TOOL", None)
    ] * 4 + [("think", "UNKNOWN", 2)]
    assert (told["inputs"], told["outputs"]) == ({"question": "what is it ?"}, "42")
    assert told["error"] == ["that is no question: ünï ✓"]
    assert (told["tagged"], told["reviewed"], told["pages"]) == ([True], "yes ✓", [2, 3])
    assert told["location"].endswith(f"/traces/{told['first']}/artifacts")
    assert (told["judged"], told["read"]) == ([True], {"answer": "42"})
    assert told["said"] == [["good", False, False, "ann"], ["good", 0.9, True, "default"]]
    assert (told["gone"], told["oldest"], told["left"]) == (1, 1, 3)
    with tenant_context(committed):
        assert Trace.objects.count() == 3
        assert TraceFile.objects.filter(path="traces.json").count() == 3
        assert not Assessment.objects.exists()


ANOTHER = """
import os, mlflow
from mlflow.exceptions import MlflowException
with mlflow.start_span("s") as span:
    pass
mlflow.flush_trace_async_logging()
print(span.trace_id)
os.environ["MLFLOW_TRACKING_TOKEN"] = os.environ["TOKEN_OF_ANOTHER"]
answers = []
for call in (lambda: mlflow.get_trace(span.trace_id), lambda: mlflow.MlflowClient().set_trace_tag(span.trace_id, "a", "b"),
             lambda: mlflow.log_feedback(trace_id=span.trace_id, name="x", value=1)):
    try:
        answers.append(repr(call()))
    except MlflowException as error:
        answers.append(error.error_code)
print(answers, len(mlflow.search_traces(locations=["0"])))
"""


def test_another_tenant_finds_no_trace(
    committed: Tenant, other_committed: Tenant, web: WebServer, key_for: KeyFor, tmp_path: Path
) -> None:
    theirs = key_for(other_committed)
    told = run_script(web, key_for(committed), ANOTHER, tmp_path, TOKEN_OF_ANOTHER=theirs)
    identity, answer = told.splitlines()[-2:]
    assert answer == "['None', 'RESOURCE_DOES_NOT_EXIST', 'RESOURCE_DOES_NOT_EXIST'] 0"
    with tenant_context(committed):
        trace = Trace.objects.get()
        assert (trace.pk, trace.tags.get("a"), trace.assessments.count()) == (identity, None, 0)


EVALUATING = """
import json, mlflow
from mlflow.genai import datasets
home = mlflow.set_experiment("asked").experiment_id
made = datasets.create_dataset(name="faq", experiment_id=home, tags={"team": "blue"})
made.merge_records([
    {"inputs": {"question": f"q{i}"}, "expectations": {"answer": i}} for i in range(3)
])
made.merge_records([{"inputs": {"question": "q1"}, "expectations": {"tone": "kind"}}])
with mlflow.start_span("served") as span:
    span.set_inputs({"question": "from a trace"})
    span.set_outputs("yes")
mlflow.flush_trace_async_logging()
made.merge_records(mlflow.search_traces(locations=[home], return_type="list"))
read = datasets.get_dataset(dataset_id=made.dataset_id)
records = {row["inputs"]["question"]: row for row in read.to_df().to_dict("records")}
datasets.set_dataset_tags(made.dataset_id, {"state": "checked"})
datasets.delete_dataset_tag(made.dataset_id, "team")
removed = read.delete_records([records["q2"]["dataset_record_id"]])
found = datasets.search_datasets(experiment_ids=[home], filter_string="tags.state = 'checked'")
left = datasets.get_dataset(dataset_id=made.dataset_id)
print(json.dumps({
    "name": read.name, "questions": sorted(records), "merged": records["q1"]["expectations"],
    "from": [records["from a trace"]["source_type"], records["from a trace"]["source_id"] == span.trace_id],
    "removed": removed, "found": [d.dataset_id == made.dataset_id for d in found], "tags": left.tags,
    "left": len(left.to_df()), "home": left.experiment_ids == [home],
}))
datasets.delete_dataset(dataset_id=made.dataset_id)
"""


def test_evaluation_datasets_live_as_the_documentation_says(
    committed: Tenant, web: WebServer, key_for: KeyFor, tmp_path: Path
) -> None:
    told = json.loads(run_script(web, key_for(committed), EVALUATING, tmp_path).splitlines()[-1])
    assert told["questions"] == ["from a trace", "q0", "q1", "q2"]
    assert (told["merged"], told["from"]) == ({"answer": 1, "tone": "kind"}, ["TRACE", True])
    assert (told["removed"], told["found"], told["left"], told["home"]) == (1, [True], 3, True)
    assert (told["name"], told["tags"]["state"], "team" in told["tags"]) == ("faq", "checked", False)
    with tenant_context(committed):
        assert not EvaluationDataset.objects.exists()
