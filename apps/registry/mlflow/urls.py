"""Routes of the registry room's MLflow door, each also below /ajax-api/ as the original has it."""

from django.urls import URLPattern, path
from django.views import View

from apps.registry.mlflow import logged, models, versions

CALLS: dict[str, type[View]] = {
    "logged-models": logged.LoggedModels,
    "logged-models/search": logged.SearchLoggedModels,
    "logged-models/<str:model_id>": logged.OneLoggedModel,
    "logged-models/<str:model_id>/tags": logged.LoggedModelTags,
    "logged-models/<str:model_id>/tags/<path:key>": logged.LoggedModelTag,
    "logged-models/<str:model_id>/params": logged.LoggedModelParams,
    "logged-models/<str:model_id>/artifacts/directories": logged.LoggedModelFolders,
    "runs/outputs": logged.RunOutputs,
    "registered-models/create": models.CreateModel,
    "registered-models/rename": models.RenameModel,
    "registered-models/update": models.UpdateModel,
    "registered-models/delete": models.DeleteModel,
    "registered-models/get": models.GetModel,
    "registered-models/search": models.SearchModels,
    "registered-models/get-latest-versions": models.LatestVersions,
    "registered-models/set-tag": models.SetModelTag,
    "registered-models/delete-tag": models.DeleteModelTag,
    "registered-models/alias": models.ModelAlias,
    "model-versions/create": versions.CreateVersion,
    "model-versions/update": versions.UpdateVersion,
    "model-versions/transition-stage": versions.TransitionStage,
    "model-versions/delete": versions.DeleteVersion,
    "model-versions/get": versions.GetVersion,
    "model-versions/get-download-uri": versions.GetDownloadUri,
    "model-versions/search": versions.SearchVersions,
    "model-versions/set-tag": versions.SetVersionTag,
    "model-versions/delete-tag": versions.DeleteVersionTag,
}
urlpatterns: list[URLPattern] = [
    path(f"{prefix}2.0/mlflow/{address}", view.as_view())
    for address, view in CALLS.items()
    for prefix in ("api/", "ajax-api/")
]
