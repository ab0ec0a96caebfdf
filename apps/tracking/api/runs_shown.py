"""The tracking room's REST door: shapes of experiments and runs."""

import math
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.tracking.models import Experiment, Run, RunFile
from maestro import limits
from maestro.api.serializers import StrictSerializer, Text, Whole


class ExperimentNew(StrictSerializer):
    """An experiment to be made."""

    name = Text(max_length=limits.EXPERIMENT_NAME_CHARS)
    project = Text(required=False, max_length=100, help_text="id or slug; the default project without it")


class ExperimentFacts(StrictSerializer):
    """What may change about an experiment."""

    name = Text(max_length=limits.EXPERIMENT_NAME_CHARS)


class ExperimentShown(serializers.ModelSerializer[Experiment]):
    """An experiment."""

    project = serializers.CharField(source="project.slug")

    class Meta:
        model = Experiment
        fields = ("id", "name", "project", "lifecycle_stage", "artifact_location", "created_ms", "updated_ms")
        read_only_fields = fields


class RunFacts(StrictSerializer):
    """What may change about a run: the rest is what it logged."""

    name = Text(required=False, max_length=limits.NAME_CHARS)
    status = serializers.ChoiceField(choices=["RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED"], required=False)
    end_ms = Whole(required=False, min_value=0, max_value=limits.TIME_MS_MAX)


class RunShown(serializers.ModelSerializer[Run]):
    """A run."""

    id = serializers.CharField(source="pk.hex")
    project = serializers.CharField(source="experiment.project.slug")

    class Meta:
        model = Run
        fields = (
            "id",
            "name",
            "experiment",
            "project",
            "user_name",
            "status",
            "start_ms",
            "end_ms",
            "lifecycle_stage",
            "artifact_uri",
        )
        read_only_fields = fields


class MetricShown(serializers.Serializer[Any]):
    """The latest value of a metric. NaN and infinities are null; `special` names them."""

    value = serializers.FloatField(allow_null=True)
    special = serializers.CharField(allow_null=True)
    step = serializers.IntegerField()
    timestamp_ms = serializers.IntegerField()


class RunWhole(RunShown):
    """A run with its params, tags and the latest value of each metric."""

    params = serializers.SerializerMethodField()
    tags = serializers.SerializerMethodField()
    metrics = serializers.SerializerMethodField()

    class Meta(RunShown.Meta):
        fields = (*RunShown.Meta.fields, "params", "tags", "metrics")  # type: ignore[assignment]
        read_only_fields = fields  # type: ignore[assignment]

    def get_params(self, run: Run) -> dict[str, str]:
        """Show params by key."""
        return {param.key: param.value for param in run.params.all()}

    def get_tags(self, run: Run) -> dict[str, str]:
        """Show notes by key."""
        return {tag.key: tag.value for tag in run.tags.all()}

    @extend_schema_field(serializers.DictField(child=MetricShown()))
    def get_metrics(self, run: Run) -> dict[str, dict[str, Any]]:
        """Show the latest values by key."""
        return {
            latest.key.name: {
                "value": latest.value if math.isfinite(latest.value) else None,
                "special": None if math.isfinite(latest.value) else str(latest.value),
                "step": latest.step,
                "timestamp_ms": latest.timestamp_ms,
            }
            for latest in run.latest.all()
        }


class RunFileShown(serializers.ModelSerializer[RunFile]):
    """A file of a run."""

    sha256 = serializers.CharField(source="blob_id")
    size_bytes = serializers.IntegerField(source="blob.size_bytes")

    class Meta:
        model = RunFile
        fields = ("path", "sha256", "size_bytes", "created_at")
        read_only_fields = fields
