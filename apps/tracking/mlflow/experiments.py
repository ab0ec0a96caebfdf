"""The tracking room's MLflow door: experiments."""

from typing import Any

from django.db import transaction

from apps.tenants.access.audit.recording import record
from apps.tracking import experiments
from apps.tracking.actions import Act
from apps.tracking.mlflow.base import TrackingView, experiment_number
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
        with transaction.atomic():
            identity = experiments.create(
                name, location=location, tags=tags, projects=request.user.projects, now=now_ms()
            )
            note(request, Act.EXPERIMENT_CREATE, identity, after={"name": name, "tags": tags})
        return {"experiment_id": str(identity)}


class GetExperiment(TrackingView):
    """GET experiments/get"""

    def get(self, request: MlflowRequest) -> dict[str, Any]:
        """Show an experiment."""
        number = experiment_number(self.fields(request))
        return {"experiment": experiments.fetch(number, request.user.projects)}


class GetExperimentByName(TrackingView):
    """GET experiments/get-by-name"""

    def get(self, request: MlflowRequest) -> dict[str, Any]:
        """Show an experiment."""
        name = read.text(self.fields(request), "experiment_name", limits.TEXT_CHARS)
        return {"experiment": experiments.fetch_by_name(name, request.user.projects)}


class UpdateExperiment(TrackingView):
    """POST experiments/update"""

    def post(self, request: MlflowRequest) -> dict[str, Any]:
        """Rename an experiment."""
        fields = self.fields(request)
        number = experiment_number(fields)
        name = read.text_or(fields, "new_name", most=limits.EXPERIMENT_NAME_CHARS)
        if name:
            with transaction.atomic():
                before = experiments.fetch(number, request.user.projects)["name"]
                experiments.rename(number, name, projects=request.user.projects, now=now_ms())
                note(request, Act.EXPERIMENT_RENAME, number, before={"name": before}, after={"name": name})
        else:
            experiments.fetch(number, request.user.projects)
        return {}


class DeleteExperiment(TrackingView):
    """POST experiments/delete"""

    def post(self, request: MlflowRequest) -> dict[str, Any]:
        """Put an experiment and its runs into the trash."""
        number = experiment_number(self.fields(request))
        with transaction.atomic():
            experiments.throw_away(number, projects=request.user.projects, now=now_ms())
            note(
                request,
                Act.EXPERIMENT_DELETE,
                number,
                before={"lifecycle_stage": "active"},
                after={"lifecycle_stage": "deleted"},
            )
        return {}


class RestoreExperiment(TrackingView):
    """POST experiments/restore"""

    def post(self, request: MlflowRequest) -> dict[str, Any]:
        """Take an experiment and its runs out of the trash."""
        number = experiment_number(self.fields(request))
        with transaction.atomic():
            experiments.bring_back(number, projects=request.user.projects, now=now_ms())
            note(
                request,
                Act.EXPERIMENT_RESTORE,
                number,
                before={"lifecycle_stage": "deleted"},
                after={"lifecycle_stage": "active"},
            )
        return {}


class SetExperimentTag(TrackingView):
    """POST experiments/set-experiment-tag"""

    def post(self, request: MlflowRequest) -> dict[str, Any]:
        """Note something on an experiment."""
        fields = self.fields(request)
        number = experiment_number(fields)
        key, value = read_tag(fields)
        with transaction.atomic():
            before = tag_of(experiments.fetch(number, request.user.projects), key)
            experiments.set_tag(number, key, value, projects=request.user.projects, now=now_ms())
            note(request, Act.EXPERIMENT_TAG, number, before=before, after={"tag": key, "value": value[:1_000]})
        return {}


class DeleteExperimentTag(TrackingView):
    """POST experiments/delete-experiment-tag"""

    def post(self, request: MlflowRequest) -> dict[str, Any]:
        """Take a note off an experiment."""
        fields = self.fields(request)
        key = read.text(fields, "key", limits.KEY_CHARS)
        number = experiment_number(fields)
        with transaction.atomic():
            before = tag_of(experiments.fetch(number, request.user.projects), key)
            experiments.drop_tag(number, key, projects=request.user.projects)
            note(request, Act.EXPERIMENT_UNTAG, number, before=before)
        return {}


def note(
    request: MlflowRequest,
    action: Act,
    number: int,
    *,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> None:
    """Record what happened to an experiment, in the transaction of it."""
    record(request, action, object_type="Experiment", object_id=number, before=before, after=after)


def tag_of(experiment: dict[str, Any], key: str) -> dict[str, Any] | None:
    """Read one note of an experiment for the log; None if it has none of that name."""
    values = [tag["value"] for tag in experiment.get("tags") or [] if tag["key"] == key]
    return {"tag": key, "value": values[0][:1_000]} if values else None


def read_tag(item: dict[str, Any], at: str = "") -> tuple[str, str]:
    """Read a tag of an experiment."""
    if item.get("key") is None:
        raise read.missing(at + "key")
    value = item.get("value")
    value = "" if value is None else read.as_text(value, at + "value", limits.EXPERIMENT_TAG_VALUE_CHARS)
    return read.as_key(item["key"], at + "key"), value
