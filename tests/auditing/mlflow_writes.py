"""Every writing route of the MLflow door. What runs log of themselves is exempt, by decision: each run's own rows say
who made it and when, and a log of the log would cost as much as the log. Trash, names and places are not exempt."""

import json
import uuid
from typing import Any

from tests.factories.stage import MLFLOW, Call, Stage, Write

A = "/api/2.0/mlflow/"
FILES = "/api/2.0/mlflow-artifacts/artifacts/<path:path>"


def post(path: str, body: Any) -> Any:
    return lambda stage: Call("POST", MLFLOW + path, body(stage))


def trashed_experiment(stage: Stage) -> dict[str, str]:
    number = stage.experiment()
    stage.mlflow("experiments/delete", {"experiment_id": number})
    return {"experiment_id": number}


def tagged_experiment(stage: Stage) -> dict[str, str]:
    number = stage.experiment()
    stage.mlflow("experiments/set-experiment-tag", {"experiment_id": number, "key": "k", "value": "v"})
    return {"experiment_id": number, "key": "k"}


def trashed_run(stage: Stage) -> dict[str, str]:
    run = stage.run()["run_id"]
    stage.mlflow("runs/delete", {"run_id": run})
    return {"run_id": run}


def tagged_run(stage: Stage) -> dict[str, str]:
    run = stage.run()["run_id"]
    stage.mlflow("runs/set-tag", {"run_id": run, "key": "k", "value": "v"})
    return {"run_id": run, "key": "k"}


def replaced_file(stage: Stage) -> Call:
    return Call("PUT", stage.file_of_a_run(), b"other bytes", content_type="application/octet-stream")


def tagged_logged_model(stage: Stage) -> Call:
    path = f"{MLFLOW}logged-models/{stage.logged_model()}/tags"
    stage.ask("PATCH", path, {"tags": [{"key": "k", "value": "v"}]})
    return Call("DELETE", f"{path}/k")


def version_body(s: Stage, **more: Any) -> dict[str, Any]:
    artifact = s.artifact()
    return {"name": artifact, "version": s.version(artifact)} | more


def tagged(kind: str, body: dict[str, Any], stage: Stage) -> dict[str, Any]:
    stage.mlflow(f"{kind}/set-tag", body | {"key": "k", "value": "v"})
    return body | {"key": "k"}


def aliased(stage: Stage) -> dict[str, str]:
    artifact = stage.artifact()
    stage.alias(artifact)
    return {"name": artifact, "alias": "champion"}


def new_version(stage: Stage) -> dict[str, str]:
    run = stage.run()
    return {"name": stage.artifact(), "source": f"{run['artifact_uri']}/model", "run_id": run["run_id"]}


T = "/api/3.0/mlflow/traces"


def trace(stage: Stage) -> tuple[str, str]:
    """A trace, and its experiment."""
    identity, number = f"tr-{uuid.uuid4().hex}", stage.experiment()
    place = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": number}}
    info = {"trace_id": identity, "trace_location": place, "request_time": "2024-01-01T00:00:00Z", "state": "OK"}
    stage.ask("POST", T, {"trace": {"trace_info": info}})
    return identity, number


def trashed_trace(stage: Stage) -> dict[str, Any]:
    identity, number = trace(stage)
    return {"experiment_id": number, "request_ids": [identity]}


def assessed_trace(stage: Stage) -> Call:
    path = f"{T}/{trace(stage)[0]}/assessments"
    source = {"source_type": "HUMAN", "source_id": "ada"}
    body = {"assessment": {"assessment_name": "good", "feedback": {"value": True}, "source": source}}
    made = stage.ask("POST", path, body).json()["assessment"]
    return Call("DELETE", f"{path}/{made['assessment_id']}")


D = "/api/3.0/mlflow/datasets"


def dataset(stage: Stage, *tail: str) -> str:
    """The address of a new evaluation dataset, or of something below it."""
    made = stage.ask("POST", f"{D}/create", {"name": stage.name("asked"), "tags": '{"k": "v"}'}).json()["dataset"]
    return "/".join((D, made["dataset_id"], *tail))


def removed_records(stage: Stage) -> Call:
    path = dataset(stage, "records")
    stage.ask("POST", path, {"records": '[{"inputs": {"q": 1}}]'})
    rows = json.loads(stage.ask("GET", path).json()["records"])
    return Call("DELETE", path, {"dataset_record_ids": [row["dataset_record_id"] for row in rows]})


def unlinked_experiment(stage: Stage) -> Call:
    path, body = dataset(stage), {"experiment_ids": [stage.experiment()]}
    stage.ask("POST", f"{path}/add-experiments", body)
    return Call("POST", f"{path}/remove-experiments", body)


OF_DATASETS: dict[str, Write] = {
    f"POST {D}/create": Write(lambda s: Call("POST", f"{D}/create", {"name": s.name("asked")}), ("dataset.create",)),
    f"DELETE {D}/<str:dataset_id>": Write(lambda s: Call("DELETE", dataset(s)), ("dataset.delete",)),
    f"POST {D}/<str:dataset_id>/records": Write(
        lambda s: Call("POST", dataset(s, "records"), {"records": '[{"inputs": {"q": 1}}]'}), ("records.put",)
    ),
    f"DELETE {D}/<str:dataset_id>/records": Write(removed_records, ("records.delete",)),
    f"PATCH {D}/<str:dataset_id>/tags": Write(
        lambda s: Call("PATCH", dataset(s, "tags"), {"tags": '{"a": "b"}'}), ("dataset.tag",)
    ),
    f"DELETE {D}/<str:dataset_id>/tags/<path:key>": Write(
        lambda s: Call("DELETE", dataset(s, "tags", "k")), ("dataset.untag",)
    ),
    f"POST {D}/<str:dataset_id>/add-experiments": Write(
        lambda s: Call("POST", dataset(s, "add-experiments"), {"experiment_ids": [s.experiment()]}), ("dataset.link",)
    ),
    f"POST {D}/<str:dataset_id>/remove-experiments": Write(unlinked_experiment, ("dataset.unlink",)),
}
WRITES: dict[str, Write] = OF_DATASETS | {
    f"POST {A}experiments/create": Write(
        post("experiments/create", lambda s: {"name": s.name("new")}), ("experiment.create",)
    ),
    f"POST {A}experiments/update": Write(
        post("experiments/update", lambda s: {"experiment_id": s.experiment(), "new_name": s.name("new")}),
        ("experiment.rename",),
    ),
    f"POST {A}experiments/delete": Write(
        post("experiments/delete", lambda s: {"experiment_id": s.experiment()}), ("experiment.trash",)
    ),
    f"POST {A}experiments/restore": Write(post("experiments/restore", trashed_experiment), ("experiment.restore",)),
    f"POST {A}experiments/set-experiment-tag": Write(
        post(
            "experiments/set-experiment-tag",
            lambda s: {"experiment_id": s.experiment(), "key": "maestro.project", "value": s.project()},
        ),
        ("experiment.tag",),
    ),
    f"POST {A}experiments/delete-experiment-tag": Write(
        post("experiments/delete-experiment-tag", tagged_experiment), ("experiment.untag",)
    ),
    f"POST {A}runs/update": Write(
        post("runs/update", lambda s: {"run_id": s.run()["run_id"], "run_name": s.name("new")}), ("run.rename",)
    ),
    f"POST {A}runs/delete": Write(post("runs/delete", lambda s: {"run_id": s.run()["run_id"]}), ("run.trash",)),
    f"POST {A}runs/restore": Write(post("runs/restore", trashed_run), ("run.restore",)),
    f"POST {A}runs/delete-tag": Write(post("runs/delete-tag", tagged_run), ("run.untag",)),
    f"PUT {FILES}": Write(replaced_file, ("files.replace",)),
    f"DELETE {FILES}": Write(lambda s: Call("DELETE", s.file_of_a_run()), ("files.delete",)),
    f"POST {A}traces/delete-traces": Write(post("traces/delete-traces", trashed_trace), ("traces.delete",)),
    f"POST {T}/delete-traces": Write(
        lambda s: Call("POST", f"{T}/delete-traces", trashed_trace(s)), ("traces.delete",)
    ),
    f"DELETE {T}/<str:trace_id>/assessments/<str:assessment_id>": Write(assessed_trace, ("assessment.delete",)),
    f"DELETE {A}logged-models/<str:model_id>": Write(
        lambda s: Call("DELETE", f"{MLFLOW}logged-models/{s.logged_model()}"), ("logged_model.delete",)
    ),
    f"DELETE {A}logged-models/<str:model_id>/tags/<path:key>": Write(tagged_logged_model, ("logged_model.untag",)),
    f"POST {A}registered-models/create": Write(
        post("registered-models/create", lambda s: {"name": s.name("new")}), ("artifact.create",)
    ),
    f"POST {A}registered-models/rename": Write(
        post("registered-models/rename", lambda s: {"name": s.artifact(), "new_name": s.name("new")}),
        ("artifact.rename",),
    ),
    f"PATCH {A}registered-models/update": Write(
        lambda s: Call("PATCH", f"{MLFLOW}registered-models/update", {"name": s.artifact(), "description": "new"}),
        ("artifact.change",),
    ),
    f"DELETE {A}registered-models/delete": Write(
        lambda s: Call("DELETE", f"{MLFLOW}registered-models/delete", {"name": s.artifact()}), ("artifact.trash",)
    ),
    f"POST {A}registered-models/set-tag": Write(
        post("registered-models/set-tag", lambda s: {"name": s.artifact(), "key": "k", "value": "v"}),
        ("artifact.tag",),
    ),
    f"DELETE {A}registered-models/delete-tag": Write(
        lambda s: Call(
            "DELETE", f"{MLFLOW}registered-models/delete-tag", tagged("registered-models", {"name": s.artifact()}, s)
        ),
        ("artifact.untag",),
    ),
    f"POST {A}registered-models/alias": Write(
        post("registered-models/alias", lambda s: version_body(s, alias="champion")), ("alias.set",)
    ),
    f"DELETE {A}registered-models/alias": Write(
        lambda s: Call("DELETE", f"{MLFLOW}registered-models/alias", aliased(s)), ("alias.delete",)
    ),
    f"POST {A}model-versions/create": Write(post("model-versions/create", new_version), ("version.create",)),
    f"PATCH {A}model-versions/update": Write(
        lambda s: Call("PATCH", f"{MLFLOW}model-versions/update", version_body(s, description="new")),
        ("version.change",),
    ),
    f"POST {A}model-versions/transition-stage": Write(
        post("model-versions/transition-stage", lambda s: version_body(s, stage="Staging")), ("version.stage",)
    ),
    f"DELETE {A}model-versions/delete": Write(
        lambda s: Call("DELETE", f"{MLFLOW}model-versions/delete", version_body(s)), ("version.trash",)
    ),
    f"POST {A}model-versions/set-tag": Write(
        post("model-versions/set-tag", lambda s: version_body(s, key="k", value="v")), ("version.tag",)
    ),
    f"DELETE {A}model-versions/delete-tag": Write(
        lambda s: Call("DELETE", f"{MLFLOW}model-versions/delete-tag", tagged("model-versions", version_body(s), s)),
        ("version.untag",),
    ),
}
INGEST = "what a run logs of itself"
EXEMPT: dict[str, str] = {
    f"POST {A}runs/create": INGEST,
    f"POST {A}runs/log-batch": INGEST,
    f"POST {A}runs/log-metric": INGEST,
    f"POST {A}runs/log-parameter": INGEST,
    f"POST {A}runs/set-tag": INGEST,
    f"POST {A}runs/log-inputs": INGEST,
    f"POST {A}runs/log-model": INGEST,
    f"POST {A}runs/outputs": INGEST,
    f"POST {A}logged-models": INGEST,
    f"PATCH {A}logged-models/<str:model_id>": INGEST,
    f"PATCH {A}logged-models/<str:model_id>/tags": INGEST,
    f"POST {A}logged-models/<str:model_id>/params": INGEST,
}
OF_TRACES = "what traced code, and those who judge it, log; deleting traces and judgements is recorded"
EXEMPT |= {
    f"POST {T}": OF_TRACES,
    f"POST {A}traces/link-to-run": OF_TRACES,
    f"POST {A}traces/link-prompts": OF_TRACES,
    f"POST {T}/<str:trace_id>/assessments": OF_TRACES,
    f"PATCH {T}/<str:trace_id>/assessments/<str:assessment_id>": OF_TRACES,
    f"PATCH {T}/<str:trace_id>/tags": OF_TRACES,
    f"DELETE {T}/<str:trace_id>/tags": OF_TRACES,
    f"PATCH {A}traces/<str:trace_id>/tags": OF_TRACES,
    f"DELETE {A}traces/<str:trace_id>/tags": OF_TRACES,
}
READS: dict[str, str] = {
    f"POST {T}/search": "searches",
    f"POST {D}/search": "searches",
    f"POST {T}/batchGetInfos": "reads",
    "POST /v1/traces": "refuses",
    f"POST {A}experiments/search": "searches",
    f"POST {A}experiments/search-datasets": "searches",
    f"POST {A}runs/search": "searches",
    f"POST {A}logged-models/search": "searches",
    f"POST {A}registered-models/get-latest-versions": "reads",
    f"POST {A}artifacts/presigned-upload-url": "refuses",
    f"POST {A}artifacts/presigned-download-url": "refuses",
    "POST /api/2.0/mlflow-artifacts/mpu/create/<path:path>": "refuses, but with a bucket: test_direct_files.py",
    "POST /api/2.0/mlflow-artifacts/mpu/complete/<path:path>": "refuses, but with a bucket: test_direct_files.py",
    "POST /api/2.0/mlflow-artifacts/mpu/abort/<path:path>": "refuses, but with a bucket: test_direct_files.py",
}
