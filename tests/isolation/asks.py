"""What is sent to every guarded route, with holes where a thing is named: `{run}`, `{artifact}@1`, `{experiment#}` for a number.

A route without a body here is called with `{}`. A route may have several bodies. `@name` is a header.
"""

from hashlib import sha256
from typing import Any

RUN_FILTER = "attributes.run_id = '{run}'"
TAGS = [{"key": "maestro.uses", "value": "{artifact}@1, {artifact}"}, {"key": "mlflow.parentRunId", "value": "{run}"}]
POINT = {"key": "m", "value": 1, "timestamp": 1, "step": 0, "model_id": "{model}"}
VERSION = {"name": "{artifact}", "version": "1"}
HOME = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": "{experiment}"}}
JUDGED = {"assessment_name": "good", "feedback": {"value": True}, "source": {"source_type": "HUMAN", "source_id": "a"}}
TRACE = {
    "trace_id": "tr-new",
    "trace_location": HOME,
    "request_time": "2026-01-31T09:00:00Z",
    "trace_metadata": {"mlflow.sourceRun": "{run}", "mlflow.modelId": "{model}"},
    "assessments": [JUDGED],
}
MODEL_JSON = '{"artifact_path": "m", "utc_time_created": "t", "flavors": {}, "run_id": "{run}"}'
RECORDS = '[{"inputs": {"q": 2}, "source": {"source_type": "TRACE", "source_data": {"trace_id": "{trace}"}}}]'
CLAIMS = {"repository_id": "4711", "repository_owner_id": "12", "ref": "refs/heads/main"}
COMMIT = {"id": "a" * 40, "parents": [], "committed": 1_700_000_000, "email": "ada@example.org", "name": "Ada"}
PUBLISHER = {"name": "p", "kind": "github", "claims": CLAIMS, "project": "{project}"}
VIEW_STATE = {"experiments": ["{experiment#}"], "project": "{project}", "filter": RUN_FILTER}
V1, A, T, D = "api/v1/", "api/2.0/mlflow/", "api/3.0/mlflow/traces", "api/3.0/mlflow/datasets"
OF_VERSION = f"{V1}artifacts/<str:artifact>/versions/<str:version>/"
OF_PROMOTION = f"{V1}artifacts/<str:artifact>/promotions/<uuid:promotion>/"


def dataset(source: str) -> dict[str, Any]:
    """A dataset that a run read, told by its source."""
    return {
        "dataset": {
            "name": "d",
            "digest": sha256(source.encode()).hexdigest()[:8],
            "source_type": "x",
            "source": source,
        }
    }


WEBHOOK = {"name": "new", "url": "https://receiver.invalid/hook", "events": ["run.lost"]}
REST: dict[str, Any] = {
    f"POST {V1}publishers/": PUBLISHER,
    f"POST {V1}connections/": {"name": "new", "kind": "github", "project": "{project}"},
    f"GET {V1}incidents/": {"project": "{project}"},
    f"POST {V1}incidents/": {"title": "new", "project": "{project}"},
    f"PATCH {V1}incidents/<uuid:incident>/": {"title": "other"},
    f"PUT {V1}projects/<str:project>/delivery/": {"source": "alias"},
    f"POST {V1}projects/<str:project>/commits/": {"head": "a" * 40, "commits": [COMMIT]},
    f"POST {V1}webhooks/": WEBHOOK | {"project": "{project}"},
    f"PATCH {V1}webhooks/<uuid:webhook>/": {"name": "renamed"},
    f"POST {V1}keys/": {"name": "new", "role": "viewer", "project": "{project}"},
    f"PUT {V1}projects/<str:project>/roles/<str:username>/": {"role": "viewer"},
    f"POST {V1}projects/": {"slug": "new"},
    f"PATCH {V1}projects/<str:project>/": {"name": "other"},
    f"PUT {V1}projects/<str:project>/outcome/": {"success": 5},
    f"PUT {V1}projects/<str:project>/members/<str:username>/": {"title": "lead"},
    f"PUT {V1}projects/<str:project>/retention/": {"trash_days": 9},
    f"PUT {V1}projects/<str:project>/quota/": {"quota_bytes": 9_000_000},
    f"PUT {V1}time-zone/": {"time_zone": "Europe/Vienna"},
    f"PUT {V1}retention/": {"trash_days": 9},
    f"GET {V1}experiments/": {"project": "{project}", "name": "{experiment_name}"},
    f"POST {V1}experiments/": {"name": "new", "project": "{project}"},
    f"PATCH {V1}experiments/<str:experiment>/": {"name": "renamed"},
    f"GET {V1}runs/": {"project": "{project}", "experiment": "{experiment}"},
    f"POST {V1}runs/exports/": {"project": "{project}", "experiments": ["{experiment#}"], "filter": RUN_FILTER},
    f"GET {V1}runs/export/": {"project": "{project}", "experiment": "{experiment}", "filter": RUN_FILTER},
    f"POST {V1}runs/bulk/": [
        {
            "action": "tag",
            "filter": RUN_FILTER,
            "project": "{project}",
            "experiments": ["{experiment#}"],
            "expected": 1,
            "tags": {"maestro.uses": "{artifact}@1"},
        },
        {"action": "tag", "runs": ["{run}"], "tags": {"maestro.uses": "{artifact}@1"}},
        {"action": "move", "runs": ["{run}"], "experiment": "{experiment#}"},
    ],
    f"POST {V1}runs/move/": {"runs": ["{run}"], "experiment": "{experiment#}"},
    f"PATCH {V1}runs/<str:run>/": {"name": "renamed"},
    f"GET {V1}views/": {"experiment": "{experiment}"},
    f"POST {V1}views/": {"name": "another", "state": VIEW_STATE},
    f"PATCH {V1}views/<str:view>/": {"state": VIEW_STATE},
    f"POST {V1}searches/": {"name": "another", "q": "{artifact}"},
    f"GET {V1}artifacts/": {"q": "{artifact}"},
    f"POST {V1}artifacts/": {"name": "new", "kind": "model", "project": "{project}"},
    f"PUT {V1}artifacts/<str:artifact>/": {"kind": "model", "project": "{project}"},
    f"PATCH {V1}artifacts/<str:artifact>/": {"description": "other", "project": "{project}"},
    f"PUT {V1}artifacts/<str:artifact>/aliases/<str:alias>/": {"version": "{version}"},
    f"GET {V1}artifacts/<str:artifact>/lineage/": {"version": "{version}"},
    f"POST {V1}artifacts/<str:artifact>/versions/": {"files": [{"path": "b", "sha256": "{blob}"}], "run": "{run}"},
    f"PUT {OF_VERSION}": {"files": [{"path": "a.txt", "sha256": "{blob}"}], "run": "{run}"},
    f"PATCH {OF_VERSION}": {"description": "other"},
    f"GET {OF_VERSION}files/<path:path>": {"@x-maestro-run": "{run}"},
    f"GET {OF_VERSION}archive.<str:kind>": {"@x-maestro-run": "{run}"},
    f"PUT {V1}projects/<str:project>/usages/": {
        "usages": ["{artifact}@1", {"artifact": "{artifact}", "version": "{version}", "run": "{run}"}]
    },
    f"POST {V1}blobs/missing/": {"digests": ["{blob}"]},
    f"POST {V1}uploads/": {"sha256": "{blob}", "size_bytes": 4},
    f"POST {V1}uploads/<uuid:upload>/parts/": {"parts": [{"number": 1, "sha256": "0" * 64}]},
    f"GET {V1}gates/": {"artifact": "{artifact}"},
    f"POST {V1}gates/": [
        {"name": "new", "project": "{project}", "aliases": ["a"], "approvals": 1},
        {"name": "new", "artifact": "{artifact}", "aliases": ["a"], "approvals": 1},
    ],
    f"PATCH {V1}gates/<uuid:gate>/": [
        {"project": "{project}", "approvals": 2},
        {"project": None, "artifact": "{artifact}"},
    ],
    f"POST {V1}artifacts/<str:artifact>/promotions/": {"version": "{version}", "alias": "challenger"},
    f"POST {OF_PROMOTION}approvals/": {"decision": "decline"},
    f"GET {V1}impact/": {"artifact": "{artifact}"},
    f"POST {V1}forecasts/": {"artifacts": ["{artifact}"]},
    f"POST {V1}experiments/<str:experiment>/importance/": {"metric": "m"},
}
REGISTRY: dict[str, Any] = {
    f"POST {A}logged-models": {"experiment_id": "{experiment}", "source_run_id": "{run}", "name": "x"},
    f"POST {A}logged-models/search": {"experiment_ids": ["{experiment}"], "filter": "source_run_id = '{run}'"},
    f"PATCH {A}logged-models/<str:model_id>": {"status": "LOGGED_MODEL_READY"},
    f"PATCH {A}logged-models/<str:model_id>/tags": {"tags": [{"key": "k2", "value": "v"}]},
    f"POST {A}logged-models/<str:model_id>/params": {"params": [{"key": "p", "value": "1"}]},
    f"POST {A}runs/outputs": {"run_id": "{run}", "models": [{"model_id": "{model}", "step": 1}]},
    f"POST {A}registered-models/create": {"name": "new-model"},
    f"POST {A}registered-models/rename": {"name": "{artifact}", "new_name": "other"},
    f"PATCH {A}registered-models/update": {"name": "{artifact}", "description": "other"},
    f"DELETE {A}registered-models/delete": {"name": "{artifact}"},
    f"GET {A}registered-models/get": {"name": "{artifact}"},
    f"GET {A}registered-models/search": {"filter": "name = '{artifact}'"},
    f"GET {A}registered-models/get-latest-versions": {"name": "{artifact}"},
    f"POST {A}registered-models/get-latest-versions": {"name": "{artifact}"},
    f"POST {A}registered-models/set-tag": {"name": "{artifact}", "key": "k2", "value": "v"},
    f"DELETE {A}registered-models/delete-tag": {"name": "{artifact}", "key": "k"},
    f"GET {A}registered-models/alias": {"name": "{artifact}", "alias": "champion"},
    f"POST {A}registered-models/alias": VERSION | {"alias": "challenger"},
    f"DELETE {A}registered-models/alias": {"name": "{artifact}", "alias": "champion"},
    f"POST {A}model-versions/create": [
        {"name": "{artifact}", "source": "{uri}", "run_id": "{run}"},
        {"name": "{artifact}", "source": "runs:/{run}/", "run_id": "{run}"},
        {"name": "{artifact}", "source": "models:/{model}", "model_id": "{model}"},
        {"name": "{artifact}", "source": "models:/{model}"},
        {"name": "{artifact}", "source": "models:/{artifact}/1"},
        {"name": "{artifact}", "source": "s3://bucket/a", "run_id": "{run}", "model_id": "{model}"},
    ],
    f"PATCH {A}model-versions/update": VERSION | {"description": "other"},
    f"POST {A}model-versions/transition-stage": VERSION | {"stage": "Staging"},
    f"DELETE {A}model-versions/delete": VERSION,
    f"GET {A}model-versions/get": VERSION,
    f"GET {A}model-versions/get-download-uri": VERSION | {"@x-maestro-run": "{run}"},
    f"GET {A}model-versions/search": {"filter": "name = '{artifact}' AND run_id = '{run}'"},
    f"POST {A}model-versions/set-tag": VERSION | {"key": "k2", "value": "v"},
    f"DELETE {A}model-versions/delete-tag": VERSION | {"key": "k"},
}
TRACKING: dict[str, Any] = {
    f"POST {A}experiments/create": {"name": "new", "tags": [{"key": "maestro.project", "value": "{project}"}]},
    f"GET {A}experiments/get": {"experiment_id": "{experiment}"},
    f"GET {A}experiments/get-by-name": {"experiment_name": "{experiment_name}"},
    f"POST {A}experiments/update": {"experiment_id": "{experiment}", "new_name": "renamed"},
    f"POST {A}experiments/delete": {"experiment_id": "{experiment}"},
    f"POST {A}experiments/restore": {"experiment_id": "{trashed_experiment}"},
    f"POST {A}experiments/set-experiment-tag": {
        "experiment_id": "{experiment}",
        "key": "maestro.project",
        "value": "{project}",
    },
    f"POST {A}experiments/delete-experiment-tag": {"experiment_id": "{experiment}", "key": "k"},
    f"GET {A}experiments/search": {"max_results": 9, "filter": "name = '{experiment_name}'"},
    f"POST {A}experiments/search": {"max_results": 9, "filter": "name = '{experiment_name}'"},
    f"POST {A}runs/create": {"experiment_id": "{experiment}", "start_time": 1, "run_name": "r", "tags": TAGS},
    f"GET {A}runs/get": [{"run_id": "{run}"}, {"run_uuid": "{run}"}],
    f"POST {A}runs/update": {"run_id": "{run}", "status": "FINISHED", "end_time": 2, "run_name": "renamed"},
    f"POST {A}runs/delete": {"run_id": "{run}"},
    f"POST {A}runs/restore": {"run_id": "{run}"},
    f"POST {A}runs/log-batch": {"run_id": "{run}", "metrics": [POINT], "tags": TAGS},
    f"POST {A}runs/log-metric": POINT | {"run_id": "{run}"},
    f"POST {A}runs/log-parameter": {"run_id": "{run}", "key": "p", "value": "1"},
    f"POST {A}runs/set-tag": TAGS[0] | {"run_id": "{run}"},
    f"POST {A}runs/delete-tag": {"run_id": "{run}", "key": "note"},
    f"POST {A}experiments/search-datasets": {"experiment_ids": ["{experiment}"]},
    f"POST {A}runs/log-inputs": [
        {"run_id": "{run}", "datasets": [dataset("maestro://{artifact}/1"), dataset("runs:/{run}/a.txt")]},
        {
            "run_id": "{run}",
            "datasets": [dataset("models:/{artifact}/1"), dataset('{"uri": "models:/{artifact}@latest"}')],
        },
        {"run_id": "{run}", "models": [{"model_id": "{model}"}]},
    ],
    f"POST {A}runs/log-model": {"run_id": "{run}", "model_json": MODEL_JSON},
    f"POST {A}runs/search": {"experiment_ids": ["{experiment}"], "filter": RUN_FILTER},
    f"GET {A}metrics/get-history": {"run_id": "{run}", "metric_key": "m"},
    f"GET {A}metrics/get-history-bulk": {"run_id": ["{run}"], "metric_key": "m"},
    f"GET {A}metrics/get-history-bulk-interval": {"run_ids": ["{run}"], "metric_key": "m"},
    f"POST {T}": {"trace": {"trace_info": TRACE}},
    f"POST {T}/search": {"locations": [HOME], "filter": "attributes.run_id = '{run}'"},
    f"POST {T}/batchGetInfos": {"trace_ids": ["{trace}"], "experiment_ids": ["{experiment}"]},
    f"GET {T}/batchGet": {"trace_ids": ["{trace}"]},
    f"GET {T}/get": {"trace_id": "{trace}"},
    f"POST {T}/delete-traces": {"experiment_id": "{experiment}", "request_ids": ["{trace}"]},
    f"POST {A}traces/delete-traces": {"experiment_id": "{experiment}", "request_ids": ["{trace}"]},
    f"PATCH {T}/<str:trace_id>/tags": {"key": "k2", "value": "v"},
    f"PATCH {A}traces/<str:trace_id>/tags": {"key": "k2", "value": "v"},
    f"DELETE {T}/<str:trace_id>/tags": {"key": "k"},
    f"DELETE {A}traces/<str:trace_id>/tags": {"key": "k"},
    f"POST {A}traces/link-to-run": {"run_id": "{run}", "trace_ids": ["{trace}"]},
    f"POST {A}traces/link-prompts": {"trace_id": "{trace}", "prompt_versions": [{"name": "p", "version": "1"}]},
    f"POST {T}/<str:trace_id>/assessments": {"assessment": JUDGED | {"overrides": "{assessment}"}},
    f"PATCH {T}/<str:trace_id>/assessments/<str:assessment_id>": {
        "assessment": {"rationale": "other"},
        "update_mask": "rationale",
    },
    f"POST {D}/create": {"name": "new", "experiment_ids": ["{experiment}"], "tags": '{"k": "v"}'},
    f"POST {D}/search": {"experiment_ids": ["{experiment}"]},
    f"GET {D}/search": {"experiment_ids": ["{experiment}"]},
    f"POST {D}/<str:dataset_id>/records": {"records": RECORDS},
    f"DELETE {D}/<str:dataset_id>/records": {"dataset_record_ids": ["{record}"]},
    f"PATCH {D}/<str:dataset_id>/tags": {"tags": '{"a": "b"}'},
    f"POST {D}/<str:dataset_id>/add-experiments": {"experiment_ids": ["{experiment}"]},
    f"POST {D}/<str:dataset_id>/remove-experiments": {"experiment_ids": ["{experiment}"]},
    "GET api/2.0/mlflow-artifacts/artifacts": {"path": "{folder}"},
    f"GET {A}artifacts/list": [{"run_id": "{run}"}, {"run_uuid": "{run}"}],
}
BODIES = REST | REGISTRY | TRACKING
# What an address names. A name not given here stands for nothing of a project: see PLAIN.
ADDRESS = {
    **{
        name: name
        for name in (
            "project",
            "experiment",
            "run",
            "artifact",
            "version",
            "publisher",
            "connection",
            "delivery",
            "incident",
            "webhook",
            "telling",
            "importance",
            "export",
            "upload",
            "view",
            "gate",
            "promotion",
            "trashed",
            "trashed_version",
        )
    },
    **{"model_id": "model", "trace_id": "trace", "assessment_id": "assessment", "dataset_id": "dataset"},
}
# A search is one's own alone, whichever projects one reaches.
PLAIN = {
    "search": "00000000-0000-7000-8000-000000000000",
    "username": "outsider",
    "alias": "champion",
    "key": "k",
    "path": "a.txt",
    "kind": "zip",
}
