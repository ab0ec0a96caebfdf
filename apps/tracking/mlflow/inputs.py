"""The tracking room's MLflow door: what runs read, and the model history that older clients keep in a tag."""

from typing import Any

import orjson

from apps.tracking import experiments
from apps.tracking.metrics import ingest
from apps.tracking.mlflow.base import TrackingView
from apps.tracking.mlflow.searches import experiment_numbers
from apps.tracking.runs import inputs
from maestro.api import json
from maestro.api.permissions import reading_and_writing
from maestro.clock import now_ms
from maestro.errors import Invalid
from maestro.mlflow import fields as read
from maestro.mlflow.views import MlflowRequest

MOST_INPUTS = 1_000
NAME, DIGEST, SOURCE = 500, 36, 65_535
SCHEMA, PROFILE = 1_048_575, 16_777_215
TAG_KEY, TAG_VALUE = 255, 500
MOST_EXPERIMENTS = 20


class LogInputs(TrackingView):
    """POST runs/log-inputs"""

    def post(self, request: MlflowRequest) -> dict[str, Any]:
        """Note the datasets and models that a run read."""
        fields = self.fields(request)
        run_id = self.run_in(fields)
        datasets = [
            read_input(item, f"datasets[{index}].")
            for index, item in enumerate(read.rows(fields, "datasets", MOST_INPUTS))
        ]
        models = [
            read.as_text(read.text(item, "model_id"), f"models[{index}].model_id", 64)
            for index, item in enumerate(read.rows(fields, "models", MOST_INPUTS))
        ]
        inputs.log(run_id, datasets, models, projects=request.user.projects, now=now_ms())
        return {}


def read_input(item: dict[str, Any], at: str) -> inputs.GivenDataset:
    """Read one dataset and its tags."""
    dataset = item.get("dataset")
    if not isinstance(dataset, dict):
        raise read.missing(at + "dataset")
    for name in ("name", "digest"):
        if not dataset.get(name):
            raise read.missing(f"{at}dataset.{name}")
    tags = {}
    for index, tag in enumerate(read.rows(item, "tags", MOST_INPUTS)):
        where = f"{at}tags[{index}]."
        value = "" if tag.get("value") is None else read.as_text(tag["value"], where + "value", TAG_VALUE)
        tags[read.as_text(tag.get("key"), where + "key", TAG_KEY)] = value
    bounds = {
        "name": NAME,
        "digest": DIGEST,
        "source_type": 250,
        "source": SOURCE,
        "schema": SCHEMA,
        "profile": PROFILE,
    }
    texts = {
        name: read.as_text(dataset[name], f"{at}dataset.{name}", most)
        for name, most in bounds.items()
        if dataset.get(name) is not None
    }
    return inputs.GivenDataset(**texts, tags=tags)


class LogModel(TrackingView):
    """POST runs/log-model"""

    def post(self, request: MlflowRequest) -> dict[str, Any]:
        """Append a model's description to the run's history of models."""
        fields = self.fields(request)
        run_id = self.run_in(fields)
        text = read.text(fields, "model_json")
        try:
            model = json.loads(text.encode())
        except Invalid as error:
            raise read.refuse("model_json", text, "it must be a JSON object") from error
        if not isinstance(model, dict) or not {"artifact_path", "utc_time_created", "flavors"} <= set(model):
            reason = "it must hold artifact_path, utc_time_created and flavors"
            raise read.refuse("model_json", text, reason)
        kept = {name: value for name, value in model.items() if name != "signature"}
        entry = orjson.dumps(kept).decode()
        ingest.append_model(run_id, entry, projects=request.user.projects, now=now_ms())
        return {}


class SearchDatasets(TrackingView):
    """POST experiments/search-datasets"""

    required_role = reading_and_writing(write="viewer")

    def post(self, request: MlflowRequest) -> dict[str, Any]:
        """List the datasets that runs of some experiments read."""
        fields = self.fields(request)
        if not read.texts(fields, "experiment_ids", MOST_EXPERIMENTS):
            raise Invalid("SearchDatasets request must specify at least one experiment_id.", "required")
        numbers = experiment_numbers(fields)
        found = inputs.summaries(experiments.visible(numbers, request.user.projects))
        return {"dataset_summaries": found} if found else {}
