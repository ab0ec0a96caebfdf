"""The tracking room: evaluation datasets: what an application is asked, and what was expected of its answers."""

import uuid

from django.db import models

from apps.tracking.models.experiments import Experiment
from apps.tracking.models.projects import Project
from maestro import limits
from maestro.errors import NotFound


def new_dataset_id() -> str:
    """Make a dataset's id, as MLflow's look."""
    return f"d-{uuid.uuid4().hex}"


def new_record_id() -> str:
    """Make a record's id, as MLflow's look."""
    return f"dr-{uuid.uuid4().hex}"


class EvaluationDatasetQuerySet(models.QuerySet["EvaluationDataset"]):
    """Questions about evaluation datasets."""

    def fetch(self, identity: str) -> "EvaluationDataset":
        """Fetch by id. Raises NotFound."""
        found = self.filter(pk=identity).first()
        if found is None:
            raise NotFound(f"there is no evaluation dataset {identity[:64]!r}", facts={"dataset": identity[:64]})
        return found


class EvaluationDataset(models.Model):
    """A list of questions to ask an application again and again. It belongs to one project; several may share a name."""

    id = models.CharField(primary_key=True, max_length=limits.TRACE_ID_CHARS, default=new_dataset_id)
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="evaluation_datasets")
    experiments = models.ManyToManyField(Experiment, related_name="evaluation_datasets", blank=True)
    name = models.CharField(max_length=limits.NAME_CHARS)
    tags = models.JSONField(default=dict, blank=True)
    schema = models.JSONField(null=True, blank=True)
    record_count = models.IntegerField(default=0)
    created_ms = models.BigIntegerField()
    updated_ms = models.BigIntegerField()
    created_by = models.CharField(max_length=250, blank=True)
    updated_by = models.CharField(max_length=250, blank=True)

    objects = EvaluationDatasetQuerySet.as_manager()

    class Meta:
        ordering = ("-created_ms", "id")

    def __str__(self) -> str:
        return self.name


class EvaluationRecord(models.Model):
    """One question; the same inputs are one record of a dataset."""

    id = models.CharField(primary_key=True, max_length=limits.TRACE_ID_CHARS, default=new_record_id)
    dataset = models.ForeignKey(EvaluationDataset, on_delete=models.CASCADE, related_name="records", db_index=False)
    input_sha256 = models.CharField(max_length=64)
    inputs = models.JSONField(default=dict)
    outputs = models.JSONField(null=True, blank=True)
    expectations = models.JSONField(null=True, blank=True)
    tags = models.JSONField(default=dict, blank=True)
    source = models.JSONField(null=True, blank=True)
    created_ms = models.BigIntegerField()
    updated_ms = models.BigIntegerField()
    created_by = models.CharField(max_length=250, blank=True)
    updated_by = models.CharField(max_length=250, blank=True)

    class Meta:
        ordering = ("created_ms", "id")
        indexes = [models.Index(fields=["dataset", "created_ms", "id"], name="tracking_record_in_order")]
        constraints = [models.UniqueConstraint(fields=["dataset", "input_sha256"], name="tracking_one_record_an_input")]

    def __str__(self) -> str:
        return self.pk
