"""The tracking room's MLflow door: experiments."""

from typing import Any

from apps.tenants.access.people.principal import acting
from apps.tracking import experiments
from apps.tracking.mlflow.base import TrackingView, experiment_info, experiment_number
from maestro import limits
from maestro.clock import now_ms
from maestro.mlflow import fields as read
from maestro.mlflow.views import MlflowRequest


class CreateExperiment(TrackingView):
    """POST experiments/create"""

    def post(self, request: MlflowRequest) -> dict[str, Any]:
        """Make an experiment."""
        fields = self.fields(request)
        tags = {}
        for index, tag in enumerate(read.rows(fields, "tags", limits.BATCH_TAGS)):
            key, value = read_tag(tag, f"tags[{index}].")
            tags[key] = value
        name = read.text(fields, "name", limits.EXPERIMENT_NAME_CHARS)
        location = read.text_or(fields, "artifact_location", most=limits.PATH_BYTES)
        number = experiments.create(name, acting(request), location=location, tags=tags, now=now_ms())
        return {"experiment_id": str(number)}


class GetExperiment(TrackingView):
    """GET experiments/get"""

    def get(self, request: MlflowRequest) -> dict[str, Any]:
        """Show an experiment."""
        number = experiment_number(self.fields(request))
        return {"experiment": experiment_info(experiments.fetch(number, request.user.projects))}


class GetExperimentByName(TrackingView):
    """GET experiments/get-by-name"""

    def get(self, request: MlflowRequest) -> dict[str, Any]:
        """Show an experiment."""
        name = read.text(self.fields(request), "experiment_name", limits.TEXT_CHARS)
        return {"experiment": experiment_info(experiments.fetch_by_name(name, request.user.projects))}


class UpdateExperiment(TrackingView):
    """POST experiments/update"""

    def post(self, request: MlflowRequest) -> dict[str, Any]:
        """Rename an experiment."""
        fields = self.fields(request)
        number = experiment_number(fields)
        name = read.text_or(fields, "new_name", most=limits.EXPERIMENT_NAME_CHARS)
        if name:
            experiments.rename(number, name, acting(request), now=now_ms())
        else:
            experiments.fetch(number, request.user.projects)
        return {}


class DeleteExperiment(TrackingView):
    """POST experiments/delete"""

    def post(self, request: MlflowRequest) -> dict[str, Any]:
        """Put an experiment and its runs into the trash."""
        experiments.throw_away(experiment_number(self.fields(request)), acting(request), at_ms=now_ms())
        return {}


class RestoreExperiment(TrackingView):
    """POST experiments/restore"""

    def post(self, request: MlflowRequest) -> dict[str, Any]:
        """Take an experiment and its runs out of the trash."""
        experiments.bring_back(experiment_number(self.fields(request)), acting(request), at_ms=now_ms())
        return {}


class SetExperimentTag(TrackingView):
    """POST experiments/set-experiment-tag"""

    def post(self, request: MlflowRequest) -> dict[str, Any]:
        """Note something on an experiment."""
        fields = self.fields(request)
        number = experiment_number(fields)
        key, value = read_tag(fields)
        experiments.set_tag(number, key, value, acting(request), now=now_ms())
        return {}


class DeleteExperimentTag(TrackingView):
    """POST experiments/delete-experiment-tag"""

    def post(self, request: MlflowRequest) -> dict[str, Any]:
        """Take a note off an experiment."""
        fields = self.fields(request)
        key = read.text(fields, "key", limits.KEY_CHARS)
        experiments.drop_tag(experiment_number(fields), key, acting(request))
        return {}


def read_tag(item: dict[str, Any], at: str = "") -> tuple[str, str]:
    """Read a tag of an experiment."""
    if item.get("key") is None:
        raise read.missing(at + "key")
    value = item.get("value")
    value = "" if value is None else read.as_text(value, at + "value", limits.EXPERIMENT_TAG_VALUE_CHARS)
    return read.as_key(item["key"], at + "key"), value
