"""The registry room's MLflow door: logged models, and what runs made and read."""

from typing import Any

from django.http import HttpRequest

from apps.registry import logged_models
from apps.registry.mlflow.base import RegistryView, find_experiment, find_run, read_tags, run_or_none, searched
from apps.registry.mlflow.shapes import logged_json
from apps.registry.models import LoggedModel
from apps.registry.search.lists import ModelOrder, ModelsAsked, search_models
from apps.tenants.access.people.principal import acting
from apps.tracking.files import folders
from apps.tracking.files.paths import clean_directory
from apps.tracking.models import ModelMetric
from apps.tracking.scoping import experiments_for
from maestro import limits
from maestro.api.permissions import asking
from maestro.clock import now_ms
from maestro.mlflow import fields as read
from maestro.mlflow import paging

PURPOSE = "logged-models"
MOST = 1_000
OUTPUTS_MOST = 1_000


def model_for(request: HttpRequest, model_id: str, *, deleted: bool = False) -> LoggedModel:
    """Fetch a logged model that the caller may see. Raises NotFound."""
    rows = LoggedModel.objects.all() if deleted else LoggedModel.objects.active()
    return rows.select_related("experiment").filter(experiment__in=experiments_for(asking(request))).fetch(model_id)


def shown(models: list[LoggedModel]) -> list[dict[str, Any]]:
    """Write logged models with their metrics, in two queries for all."""
    metrics: dict[str, list[ModelMetric]] = {}
    for metric in ModelMetric.objects.filter(model_id__in=[m.model_id for m in models]).order_by("key", "timestamp_ms"):
        metrics.setdefault(metric.model_id, []).append(metric)
    return [logged_json(model, metrics.get(model.model_id, [])) for model in models]


def read_params(fields: dict[str, Any]) -> dict[str, str]:
    """Read params of a logged model."""
    found = {}
    for index, row in enumerate(read.rows(fields, "params", limits.BATCH_PARAMS)):
        key = read.as_key(row.get("key"), f"params[{index}].key")
        value = read.text_or(row, "value", most=limits.JSON_BODY_BYTES)
        found[key] = value[: limits.MODEL_PARAM_VALUE_CHARS]
    return found


class LoggedModels(RegistryView):
    """POST logged-models"""

    def post(self, request: HttpRequest) -> dict[str, Any]:
        """Make a logged model, to be filled with files."""
        fields = self.fields(request)
        run_id = read.text_or(fields, "source_run_id", most=64)
        new = logged_models.NewModel(
            experiment=find_experiment(request, fields.get("experiment_id")),
            name=read.text_or(fields, "name", most=500),
            model_type=read.text_or(fields, "model_type", most=500),
            run=run_or_none(request, run_id),
            run_hex=run_id,
            params=read_params(fields),
            tags=read_tags(fields, limits.REGISTRY_TAG_VALUE_CHARS),
        )
        return {"model": shown([logged_models.make(new, at_ms=now_ms())])[0]}


class OneLoggedModel(RegistryView):
    """GET, PATCH and DELETE logged-models/{id}"""

    def get(self, request: HttpRequest, model_id: str) -> dict[str, Any]:
        """Show a logged model."""
        deleted = str(self.fields(request).get("allow_deleted", "")).lower() == "true"
        return {"model": shown([model_for(request, model_id, deleted=deleted)])[0]}

    def patch(self, request: HttpRequest, model_id: str) -> dict[str, Any]:
        """Finish the upload."""
        fields = self.fields(request)
        status = read.choice(fields, "status", [choice.value for choice in LoggedModel.Status]) or ""
        model = logged_models.finish(model_for(request, model_id), status, at_ms=now_ms())
        return {"model": shown([model])[0]}

    def delete(self, request: HttpRequest, model_id: str) -> dict[str, Any]:
        """Delete a logged model; its versions stay."""
        logged_models.delete(model_for(request, model_id), acting(request), at_ms=now_ms())
        return {}


class LoggedModelTags(RegistryView):
    """PATCH logged-models/{id}/tags"""

    def patch(self, request: HttpRequest, model_id: str) -> dict[str, Any]:
        """Write notes on a logged model."""
        tags = read_tags(self.fields(request), limits.REGISTRY_TAG_VALUE_CHARS)
        model = logged_models.set_tags(model_for(request, model_id), tags, at_ms=now_ms())
        return {"model": shown([model])[0]}


class LoggedModelTag(RegistryView):
    """DELETE logged-models/{id}/tags/{key}"""

    def delete(self, request: HttpRequest, model_id: str, key: str) -> dict[str, Any]:
        """Take a note off."""
        logged_models.untag(model_for(request, model_id), key, acting(request), at_ms=now_ms())
        return {}


class LoggedModelParams(RegistryView):
    """POST logged-models/{id}/params"""

    def post(self, request: HttpRequest, model_id: str) -> dict[str, Any]:
        """Add params, in slices."""
        params = read_params(self.fields(request))
        logged_models.add_params(model_for(request, model_id), params, at_ms=now_ms())
        return {}


class LoggedModelFolders(RegistryView):
    """GET logged-models/{id}/artifacts/directories"""

    def get(self, request: HttpRequest, model_id: str) -> dict[str, Any]:
        """List one folder of a logged model by paths from its root."""
        model = model_for(request, model_id)
        folder = clean_directory(read.text_or(self.fields(request), "artifact_directory_path"))
        root = folders.Root(model.artifact_uri, model.files, model.experiment.project_id)
        files = folders.file_infos(folders.entries(root, folder), folder)
        return {"root_uri": root.uri} | ({"files": files} if files else {})


class SearchLoggedModels(RegistryView):
    """POST logged-models/search"""

    required_role = {"POST": "viewer"}

    def post(self, request: HttpRequest) -> dict[str, Any]:
        """Search logged models of experiments."""
        fields = self.fields(request)
        numbers = [text for text in read.texts(fields, "experiment_ids") if text.isascii() and text.isdecimal()]
        asked = ModelsAsked(
            filter=read.text_or(fields, "filter"),
            most=paging.page_size(fields, 100, MOST),
            experiment_ids=[int(text) for text in numbers if len(text) <= 18],
            orders=[read_order(row, index) for index, row in enumerate(read.rows(fields, "order_by", 16))],
            datasets=[
                (
                    read.as_text(row.get("dataset_name"), f"datasets[{index}].dataset_name", 500),
                    read.text_or(row, "dataset_digest", most=36),
                )
                for index, row in enumerate(read.rows(fields, "datasets", 100))
            ],
        )
        visible = experiments_for(asking(request))
        page, token = searched(fields, asked, PURPOSE, lambda asked: search_models(visible, asked))
        return ({"models": shown(page.rows)} if page.rows else {}) | token


def read_order(row: dict[str, Any], index: int) -> ModelOrder:
    """Read one thing to sort by. `ascending` is true unless it is said otherwise."""
    ascending = row.get("ascending", True)
    if not isinstance(ascending, bool):
        raise read.refuse(f"order_by[{index}].ascending", ascending, "it must be true or false")
    return ModelOrder(
        name=read.as_text(row.get("field_name"), f"order_by[{index}].field_name", 600),
        descending=not ascending,
        dataset_name=read.text_or(row, "dataset_name", most=500),
        dataset_digest=read.text_or(row, "dataset_digest", most=36),
    )


class RunOutputs(RegistryView):
    """POST runs/outputs"""

    def post(self, request: HttpRequest) -> dict[str, Any]:
        """Note which models a run made."""
        fields = self.fields(request)
        run = find_run(request, read.text(fields, "run_id", 64))
        outputs = [
            (
                model_for(request, read.as_text(row.get("model_id"), f"models[{index}].model_id", 64)),
                read.integer_or(row, "step", 0),
            )
            for index, row in enumerate(read.rows(fields, "models", OUTPUTS_MOST))
        ]
        logged_models.note_outputs(run, outputs)
        return {}
