"""One day's work by stock clients of three versions, checked from the server's side."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from django_tenants.utils import tenant_context

from apps.registry.models import ArtifactVersion
from apps.tenants.models import Tenant
from apps.tracking.models import LatestMetric, MetricKey, Run, RunFile, RunInput, Trace, TraceFile
from tests.clients import python_of
from tests.factories.clients import run_script
from tests.web import WebServer

KeyFor = Callable[..., str]
DAY = r"""
import json, math, pathlib, mlflow, pandas as pd
from mlflow.entities import Metric, Param, RunTag
from mlflow.exceptions import MlflowException
told = {"version": mlflow.__version__}
three = int(mlflow.__version__.split(".")[0]) >= 3
home = mlflow.set_experiment("day").experiment_id
client = mlflow.MlflowClient()

pathlib.Path("out/deep").mkdir(parents=True)
pathlib.Path("out/deep/ünï.txt").write_text("x\n")
pathlib.Path("out/data.bin").write_bytes(bytes(range(256)) * 64)
with mlflow.start_run(run_name="parent", tags={"team": "blue"}) as parent:
    mlflow.log_params({"lr": 0.1, "text": "tab\tnew\nline 😀"})
    mlflow.log_metrics({"nan": math.nan, "inf": math.inf})
    for step in range(5):
        mlflow.log_metric("loss", 1 / (step + 1), step=step)
    mlflow.log_input(mlflow.data.from_pandas(pd.DataFrame({"a": [1.0]}), name="d"), context="training")
    mlflow.log_text("hello", "notes/hello.txt")
    mlflow.log_dict({"a": [1]}, "notes/a.json")
    mlflow.log_artifacts("out", "out")
    mlflow.set_tag("mlflow.note.content", "a note")
    for i in range(2):
        with mlflow.start_run(run_name=f"child {i}", nested=True):
            mlflow.log_metric("acc", i / 2)
many = [Metric("many", i / 7, 1000 + i, i) for i in range(1500)]
client.log_batch(parent.info.run_id, metrics=many[:1000], params=[Param("p", "v")], tags=[RunTag("t", "v")])
client.log_batch(parent.info.run_id, metrics=many[1000:])

found = client.get_run(parent.info.run_id)
told["metrics"] = {k: repr(v) for k, v in sorted(found.data.metrics.items())}
told["inputs"] = [i.dataset.name for i in found.inputs.dataset_inputs]
told["history"] = len(client.get_metric_history(parent.info.run_id, "many"))
told["files"] = sorted(f.path for f in client.list_artifacts(parent.info.run_id, "out"))
told["same"] = pathlib.Path(mlflow.artifacts.download_artifacts(
    run_id=parent.info.run_id, artifact_path="out/data.bin")).read_bytes() == pathlib.Path("out/data.bin").read_bytes()
told["children"] = [r.info.run_name for r in client.search_runs(
    [home], f"tags.mlflow.parentRunId = '{parent.info.run_id}'", order_by=["metrics.acc DESC"])]
told["pages"] = [len(client.search_runs([home], max_results=2)), len(mlflow.search_runs([home]))]
told["refusals"] = []
for call in (lambda: client.log_param(parent.info.run_id, "lr", "9"), lambda: client.create_experiment("day"),
             lambda: client.get_run("0" * 32), lambda: client.get_model_version_by_alias("nowhere", "x")):
    try:
        call()
    except MlflowException as error:
        told["refusals"].append(error.error_code)

class Double(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return model_input * 2

with mlflow.start_run() as run:
    where = {"name": "model"} if three else {"artifact_path": "model"}
    logged = mlflow.pyfunc.log_model(python_model=Double(), pip_requirements=["mlflow"], **where)
version = mlflow.register_model(logged.model_uri, "double")
client.set_registered_model_alias("double", "champion", version.version)
client.set_model_version_tag("double", version.version, "checked", "yes")
client.update_registered_model("double", description="doubles")
frame = pd.DataFrame({"a": [1.0, 2.0]})
told["predictions"] = [mlflow.pyfunc.load_model(uri).predict(frame)["a"].tolist()
    for uri in (logged.model_uri, "models:/double@champion", "models:/double/1", f"runs:/{run.info.run_id}/model")]
told["found"] = [v.version for v in client.search_model_versions("name = 'double'")]
told["checked"] = client.get_model_version_by_alias("double", "champion").tags
client.delete_run(parent.info.run_id)
told["trash"] = [r.info.run_name for r in client.search_runs([home], run_view_type=mlflow.entities.ViewType.DELETED_ONLY)]
client.restore_run(parent.info.run_id)

if three:
    @mlflow.trace
    def ask(question):
        with mlflow.start_span(name="inner") as span:
            span.set_inputs({"q": question})
        return question.upper()
    for question in ("one", "two"):
        ask(question)
    mlflow.flush_trace_async_logging()
    rows = client.search_traces(experiment_ids=[home], order_by=["timestamp_ms ASC"])
    told["spans"] = [[s.name for s in t.data.spans] for t in rows]
    client.set_trace_tag(rows[0].info.trace_id, "seen", "yes")
    mlflow.log_feedback(trace_id=rows[0].info.trace_id, name="good", value=True)
    told["answer"] = mlflow.get_trace(rows[0].info.trace_id).data.spans[0].outputs
    told["deleted"] = client.delete_traces(home, trace_ids=[rows[1].info.trace_id])
print(json.dumps(told))
"""


BACKGROUND = r"""
import json, pathlib, mlflow, pandas as pd
told = {"version": mlflow.__version__}
home = mlflow.set_experiment("background").experiment_id
client = mlflow.MlflowClient()
with mlflow.start_run(run_name="first") as run:
    waiting = [mlflow.log_metric("loss", 1 / (step + 1), step=step, synchronous=False) for step in range(200)]
    waiting += [mlflow.log_params({"long": "x" * 9000, "minus": "-0.9"}, synchronous=False)]
    for one in waiting:
        one.wait()
    mlflow.log_table(pd.DataFrame({"a": [1, 2]}), "tables/t.json")
    mlflow.log_dict({"a": [1]}, "notes/a.yaml")
    # What log_image of 2.13 to 2.22 names its files, where anything may look like an escape.
    for name in ("loss%step%0%timestamp%1717%2309.png", "what?really.txt"):
        pathlib.Path(name).write_text(name)
    client.log_artifact(run.info.run_id, "loss%step%0%timestamp%1717%2309.png", "images")
    try:
        client.log_artifact(run.info.run_id, "what?really.txt")
        told["question mark"] = "taken"
    except Exception as error:
        told["question mark"] = type(error).__name__
with mlflow.start_run(run_id=run.info.run_id):
    mlflow.log_metric("loss", 0.0, step=200)
    with mlflow.start_run(nested=True, run_name="inner"):
        mlflow.log_param("p", 1)
found = client.get_run(run.info.run_id)
told["params"] = [len(found.data.params["long"]), found.data.params["minus"]]
told["history"] = len(client.get_metric_history(run.info.run_id, "loss"))
told["status"] = found.info.status
told["one"] = client.search_runs([home], f"run_id IN {tuple([run.info.run_id])}")[0].info.run_name
print(json.dumps(told))
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["skinny-2.22", "skinny-3.4", "full-3.17"])
def test_work_in_the_background_loses_nothing(
    committed: Tenant, web: WebServer, key_for: KeyFor, tmp_path: Path, name: str
) -> None:
    """Batches of a thread, long params, names that look like escapes, a run taken up again, a filter as Python writes it."""
    told = json.loads(
        run_script(web, key_for(committed), BACKGROUND, tmp_path, python=python_of(name)).splitlines()[-1]
    )
    assert (told["params"], told["history"], told["status"]) == ([6_000, "-0.9"], 201, "FINISHED")
    image = "images/loss%step%0%timestamp%1717%2309.png"
    assert told["one"] == "first"
    with tenant_context(committed):
        files = set(RunFile.objects.filter(run__name="first").values_list("path", flat=True))
    # Whether the client encodes the question mark or not, no file is written under another's name.
    assert files == {image, "tables/t.json", "notes/a.yaml"} | (
        {"what?really.txt"} if told["question mark"] == "taken" else set()
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", ["skinny-2.22", "skinny-3.4", "full-3.17"])
def test_a_day_with_a_client_of_each_version(
    committed: Tenant, web: WebServer, key_for: KeyFor, tmp_path: Path, name: str
) -> None:
    told = json.loads(run_script(web, key_for(committed), DAY, tmp_path, python=python_of(name)).splitlines()[-1])
    assert told["version"].startswith(name.partition("-")[2])
    assert told["metrics"] == {"inf": "inf", "loss": "0.2", "many": repr(1499 / 7), "nan": "nan"}
    assert (told["inputs"], told["history"]) == (["d"], 1500)
    assert (told["files"], told["same"]) == (["out/data.bin", "out/deep"], True)
    assert (told["children"], told["pages"]) == (["child 1", "child 0"], [2, 3])
    assert told["refusals"] == [
        "INVALID_PARAMETER_VALUE",
        "RESOURCE_ALREADY_EXISTS",
        "RESOURCE_DOES_NOT_EXIST",
        "RESOURCE_DOES_NOT_EXIST",
    ]
    assert told["predictions"] == [[2.0, 4.0]] * 4
    assert ([str(v) for v in told["found"]], told["checked"]["checked"], told["trash"]) == (["1"], "yes", ["parent"])
    with tenant_context(committed):
        look_at_the_server(has_traces=not name.startswith("skinny-2"))
    if not name.startswith("skinny-2"):
        assert (told["spans"], told["answer"], told["deleted"]) == ([["ask", "inner"]] * 2, "ONE", 1)


def look_at_the_server(*, has_traces: bool) -> None:
    """Check what a day left behind."""
    parent = Run.objects.get(name="parent")
    assert (parent.status, parent.deleted_ms) == ("FINISHED", None)
    assert {param.key: param.value for param in parent.params.all()} == {
        "lr": "0.1",
        "text": "tab\tnew\nline 😀",
        "p": "v",
    }
    assert {tag.key: tag.value for tag in parent.tags.all()}.items() >= {"team": "blue", "t": "v"}.items()
    loss = LatestMetric.objects.get(run=parent, key=MetricKey.objects.get(name="loss"))
    assert (loss.value, loss.step) == (0.2, 4)
    assert set(RunFile.objects.filter(run=parent).values_list("path", flat=True)) == {
        "notes/hello.txt",
        "notes/a.json",
        "out/data.bin",
        "out/deep/ünï.txt",
    }
    assert RunInput.objects.filter(run=parent).count() == 1
    version = ArtifactVersion.objects.get()
    assert version.files.filter(path="MLmodel").exists()
    assert Trace.objects.count() == TraceFile.objects.count() == int(has_traces)
    assert not has_traces or Trace.objects.get().tags["seen"] == "yes"
    assert not has_traces or Trace.objects.get().assessments.get().value is True
