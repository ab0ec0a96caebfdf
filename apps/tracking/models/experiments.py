"""The tracking room: experiments, which gather the runs of one question."""

from typing import Self

from django.db import models

from apps.tracking.models.projects import DEFAULT_PROJECT_ID, Project
from maestro import limits
from maestro.errors import NotFound


class ExperimentQuerySet(models.QuerySet["Experiment"]):
    """Questions about experiments."""

    def active(self) -> Self:
        """Keep those that are not in the trash."""
        return self.filter(deleted_ms=None)

    def fetch(self, identity: int) -> "Experiment":
        """Fetch by number, deleted ones as well. Raises NotFound."""
        found = self.filter(pk=identity).first()
        if found is None:
            raise NotFound(f"there is no experiment {identity}", facts={"experiment": identity})
        return found


class Experiment(models.Model):
    """A question that many runs try to answer. Number 0, Default, is in every tenant."""

    id = models.BigAutoField(primary_key=True)
    project = models.ForeignKey(
        Project, on_delete=models.PROTECT, related_name="experiments", default=DEFAULT_PROJECT_ID
    )
    name = models.CharField(max_length=limits.EXPERIMENT_NAME_CHARS, unique=True)
    created_ms = models.BigIntegerField()
    updated_ms = models.BigIntegerField()
    deleted_ms = models.BigIntegerField(null=True, blank=True)
    location = models.CharField(max_length=limits.PATH_BYTES, blank=True, db_default="", default="")

    objects = ExperimentQuerySet.as_manager()

    class Meta:
        ordering = ("-created_ms", "-id")

    @property
    def artifact_location(self) -> str:
        """Where MLflow clients put files: our file proxy, unless its maker named a bucket of theirs."""
        return self.location or f"mlflow-artifacts:/{self.pk}"

    @property
    def lifecycle_stage(self) -> str:
        """MLflow's word for whether it is in the trash."""
        return "active" if self.deleted_ms is None else "deleted"

    def __str__(self) -> str:
        return self.name


class ExperimentTag(models.Model):
    """A note on an experiment."""

    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="tags")
    key = models.CharField(max_length=limits.KEY_CHARS)
    value = models.TextField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["experiment", "key"], name="tracking_one_experiment_tag")]

    def __str__(self) -> str:
        return f"{self.key}={self.value[:40]}"
