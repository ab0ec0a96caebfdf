"""Routes of the tracking room's MLflow door, each also below /ajax-api/ as the original has it."""

from django.urls import URLPattern, path
from django.views import View

from apps.tracking.mlflow import (
    assessments,
    evaluation,
    experiments,
    files,
    inputs,
    metrics,
    runs,
    searches,
    server,
    traces,
)

CALLS: dict[str, type[View]] = {
    "2.0/mlflow/experiments/create": experiments.CreateExperiment,
    "2.0/mlflow/experiments/get": experiments.GetExperiment,
    "2.0/mlflow/experiments/get-by-name": experiments.GetExperimentByName,
    "2.0/mlflow/experiments/update": experiments.UpdateExperiment,
    "2.0/mlflow/experiments/delete": experiments.DeleteExperiment,
    "2.0/mlflow/experiments/restore": experiments.RestoreExperiment,
    "2.0/mlflow/experiments/set-experiment-tag": experiments.SetExperimentTag,
    "2.0/mlflow/experiments/delete-experiment-tag": experiments.DeleteExperimentTag,
    "2.0/mlflow/experiments/search": searches.SearchExperiments,
    "2.0/mlflow/runs/create": runs.CreateRun,
    "2.0/mlflow/runs/get": runs.GetRun,
    "2.0/mlflow/runs/update": runs.UpdateRun,
    "2.0/mlflow/runs/delete": runs.DeleteRun,
    "2.0/mlflow/runs/restore": runs.RestoreRun,
    "2.0/mlflow/runs/log-batch": runs.LogBatch,
    "2.0/mlflow/runs/log-metric": runs.LogMetric,
    "2.0/mlflow/runs/log-parameter": runs.LogParam,
    "2.0/mlflow/runs/set-tag": runs.SetTag,
    "2.0/mlflow/runs/delete-tag": runs.DeleteTag,
    "2.0/mlflow/experiments/search-datasets": inputs.SearchDatasets,
    "2.0/mlflow/runs/log-inputs": inputs.LogInputs,
    "2.0/mlflow/runs/log-model": inputs.LogModel,
    "2.0/mlflow/runs/search": searches.SearchRuns,
    "2.0/mlflow/metrics/get-history": metrics.GetHistory,
    "2.0/mlflow/metrics/get-history-bulk": metrics.BulkHistory,
    "2.0/mlflow/metrics/get-history-bulk-interval": metrics.SampleHistory,
    "3.0/mlflow/server-info": server.ServerInfo,
    "3.0/mlflow/traces": traces.StartTrace,
    "3.0/mlflow/traces/search": traces.SearchTraces,
    "3.0/mlflow/traces/batchGetInfos": traces.BatchInfos,
    "3.0/mlflow/traces/batchGet": traces.WholeTraces,
    "3.0/mlflow/traces/get": traces.WholeTrace,
    "3.0/mlflow/traces/delete-traces": traces.DeleteTraces,
    "3.0/mlflow/traces/<str:trace_id>": traces.OneTrace,
    "2.0/mlflow/traces/<str:trace_id>/tags": traces.TraceTags,
    "3.0/mlflow/traces/<str:trace_id>/tags": traces.TraceTags,
    "2.0/mlflow/traces/delete-traces": traces.DeleteTraces,
    "2.0/mlflow/traces/link-to-run": traces.LinkToRun,
    "2.0/mlflow/traces/link-prompts": traces.LinkPrompts,
    "3.0/mlflow/traces/<str:trace_id>/assessments": assessments.Assess,
    "3.0/mlflow/traces/<str:trace_id>/assessments/<str:assessment_id>": assessments.OneAssessment,
    "3.0/mlflow/datasets/create": evaluation.CreateDataset,
    "3.0/mlflow/datasets/search": evaluation.SearchDatasets,
    "3.0/mlflow/datasets/<str:dataset_id>": evaluation.OneDataset,
    "3.0/mlflow/datasets/<str:dataset_id>/records": evaluation.Records,
    "3.0/mlflow/datasets/<str:dataset_id>/tags": evaluation.DatasetTags,
    "3.0/mlflow/datasets/<str:dataset_id>/tags/<path:key>": evaluation.OneDatasetTag,
    "3.0/mlflow/datasets/<str:dataset_id>/add-experiments": evaluation.AddExperiments,
    "3.0/mlflow/datasets/<str:dataset_id>/remove-experiments": evaluation.RemoveExperiments,
    "3.0/mlflow/datasets/<str:dataset_id>/experiment-ids": evaluation.ExperimentIds,
}

urlpatterns: list[URLPattern] = [
    path(prefix + address, view.as_view()) for address, view in CALLS.items() for prefix in ("api/", "ajax-api/")
]
urlpatterns += files.urlpatterns
urlpatterns.append(path("v1/traces", traces.NoSpans.as_view()))
