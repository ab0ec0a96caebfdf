"""Fill an MLflow store with a little of everything, by the whole mlflow client. argv: the store's address.

`mlflow-3.17.2.tar.xz` was made by it twice, once for a folder (MLFLOW_ALLOW_FILE_STORE=true, file:///…/mlruns) and once
for a SQLite file (sqlite:////…/sqlite/mlflow.db), and holds both.
"""

import math
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from mlflow.data.pandas_dataset import from_pandas
from mlflow.entities import LoggedModelOutput, Metric, SpanEvent

START = 1_700_000_000_000


def fill_runs(client: mlflow.MlflowClient, home: str) -> None:
    """A parent and its child, one that failed, one in the trash, one that runs, one that read a dataset."""
    with mlflow.start_run(run_name="parent", tags={"team": "blue", "text": "a: b\n- c\t'\"ü 😀"}) as parent:
        identity = parent.info.run_id
        mlflow.log_params({"lr": 0.1, "text": "tab\tnew\nline 😀", "empty": "", "long": "x" * 5000, "a/b.c": "1"})
        client.log_batch(identity, metrics=[Metric("loss", 1 / (i + 1), START + i, i) for i in range(50)])
        odd = [math.nan, math.inf, -math.inf, 1e-320, 0.1]
        client.log_batch(identity, metrics=[Metric("odd", v, START + i, -5 + i) for i, v in enumerate(odd)])
        client.log_batch(identity, metrics=[Metric("a/b metric", 2.5, START, 0)])
        mlflow.log_text("hello\n", "notes/hello.txt")
        Path("deep").mkdir()
        Path("deep/ünï 95%_ci.txt").write_text("x\n")
        Path("data.bin").write_bytes(bytes(range(256)) * 8)
        mlflow.log_artifacts("deep", "out/deep")
        mlflow.log_artifact("data.bin")
        with mlflow.start_run(run_name="child", nested=True):
            mlflow.log_metric("acc", 0.5)
    failed = client.create_run(home, run_name="failed", start_time=START)
    client.set_terminated(failed.info.run_id, "FAILED", end_time=START + 9_000)
    client.delete_run(client.create_run(home, run_name="trashed").info.run_id)
    running = client.create_run(home, run_name="running")
    client.log_metric(running.info.run_id, "loss", 3.0, timestamp=START, step=1)
    with mlflow.start_run(run_name="reads"):
        table = from_pandas(pd.DataFrame({"a": [1.0, 2.0]}), name="table")
        mlflow.log_input(table, context="training")


def fill_models(client: mlflow.MlflowClient, home: str) -> None:
    """A logged model, a registered one with versions of it and of a run's files, an empty one, a prompt."""
    with mlflow.start_run(run_name="trains") as run:
        identity = run.info.run_id
        told: dict[str, Any] = {"params": {"depth": "3"}, "tags": {"k": "v"}, "model_type": "clf"}
        logged = client.create_logged_model(home, name="double", source_run_id=identity, **told)
        folder = Path("model")
        (folder / "weights").mkdir(parents=True)
        (folder / "MLmodel").write_text("flavors: {}\n")
        (folder / "weights/w.bin").write_bytes(b"w" * 100)
        client.log_model_artifacts(logged.model_id, str(folder))
        client.finalize_logged_model(logged.model_id, "READY")
        client.log_outputs(identity, [LoggedModelOutput(logged.model_id, 7)])
        mlflow.log_metric("auc", 0.91, step=3, model_id=logged.model_id)
        mlflow.log_artifacts(str(folder), "old model")
    client.create_registered_model("churn", tags={"owner": "ml"}, description="Churn\n*model*")
    more: dict[str, Any] = {"tags": {"a": "b"}, "description": "first", "model_id": logged.model_id}
    first = client.create_model_version("churn", f"models:/{logged.model_id}", identity, **more)
    uri = client.get_run(identity).info.artifact_uri
    second = client.create_model_version("churn", f"{uri}/old model", identity)
    client.create_model_version("churn", f"runs:/{identity}/old model", identity)
    client.delete_model_version("churn", second.version)
    client.transition_model_version_stage("churn", first.version, "Production")
    client.set_registered_model_alias("churn", "champion", first.version)
    client.create_registered_model("empty")
    mlflow.genai.register_prompt("ask", "Say {{x}}", commit_message="one")


@mlflow.trace
def ask(question: str) -> str:
    """A request that is traced."""
    with mlflow.start_span(name="inner") as span:
        span.set_inputs({"q": question})
        span.set_attribute("n", 3)
        span.add_event(SpanEvent("e", attributes={"a": 1}))  # type: ignore[abstract]
    return question.upper()


def fill_traces(client: mlflow.MlflowClient, home: str) -> None:
    """Two traces, one of them in a run, one with a tag and assessments."""
    with mlflow.start_run(run_name="traced"):
        ask("one")
    ask("two")
    if not sys.argv[1].startswith("file:"):
        mlflow.flush_trace_async_logging()
    newest = client.search_traces(locations=[home])[0].info.trace_id
    client.set_trace_tag(newest, "seen", "yes")
    mlflow.log_feedback(trace_id=newest, name="good", value=True, rationale="why")
    mlflow.log_expectation(trace_id=newest, name="answer", value={"a": [1]})


def main() -> None:
    """Fill the store."""
    mlflow.set_tracking_uri(sys.argv[1])
    mlflow.set_registry_uri(sys.argv[1])
    client = mlflow.MlflowClient()
    os.chdir(tempfile.mkdtemp())
    home = client.create_experiment("churn model", tags={"team": "blue", "mlflow.note.content": "# Churn\nä tab\t"})
    other = client.create_experiment("gone")
    with mlflow.start_run(experiment_id=other):
        mlflow.log_metric("m", 1.0)
    client.delete_experiment(other)
    mlflow.set_experiment("churn model")
    fill_runs(client, home)
    fill_models(client, home)
    fill_traces(client, home)


if __name__ == "__main__":
    main()
