"""The tracking room: datasets as MLflow describes them, and which run read which."""

from django.db import models

from apps.tracking.models.experiments import Experiment
from apps.tracking.models.runs import Run
from apps.tracking.models.writers import Written


class Dataset(Written):
    """A dataset that runs of an experiment read, known by its name and digest. Its writer is who told its source."""

    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="datasets")
    name = models.CharField(max_length=500)
    digest = models.CharField(max_length=36)
    source_type = models.CharField(max_length=250, blank=True)
    source = models.TextField(blank=True)
    schema = models.TextField(blank=True)
    profile = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["experiment", "name", "digest"], name="tracking_one_dataset_a_digest")
        ]

    def __str__(self) -> str:
        return self.name


class RunInput(Written):
    """A run read a dataset; `tags` holds mlflow.data.context and the like."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="inputs")
    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="readers")
    tags = models.JSONField(default=dict, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "dataset"], name="tracking_one_input_a_dataset")]

    def __str__(self) -> str:
        return f"{self.run_id} <- {self.dataset_id}"
