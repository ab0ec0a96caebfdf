"""The registry room: MLflow's logged models: what a run made before anybody registered it (ADR 0003)."""

import re
import uuid
from typing import Self

from django.db import models

from maestro import limits
from maestro.clock import uuid7
from maestro.errors import NotFound

MODEL_ID = re.compile(r"m-([0-9a-f]{32})")


def no_model(model_id: str) -> NotFound:
    """Say that a logged model is not there, or is somebody else's."""
    return NotFound(f"there is no logged model {model_id[:100]!r}", facts={"logged_model": model_id[:100]})


class LoggedModelQuerySet(models.QuerySet["LoggedModel"]):
    """Questions about logged models."""

    def active(self) -> Self:
        """Keep those that are not deleted."""
        return self.filter(deleted_ms=None)

    def fetch(self, model_id: str) -> "LoggedModel":
        """Fetch by MLflow's id. Raises NotFound."""
        match = MODEL_ID.fullmatch(model_id)
        found = self.filter(pk=uuid.UUID(match[1])).first() if match else None
        if found is None:
            raise no_model(model_id)
        return found


class LoggedModel(models.Model):
    """A model that a run logged. MLflow sees `m-` and 32 hex digits."""

    class Status(models.TextChoices):
        """MLflow's statuses."""

        PENDING = "LOGGED_MODEL_PENDING"
        READY = "LOGGED_MODEL_READY"
        UPLOAD_FAILED = "LOGGED_MODEL_UPLOAD_FAILED"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    experiment = models.ForeignKey("tracking.Experiment", on_delete=models.PROTECT, related_name="logged_models")
    run = models.ForeignKey(
        "tracking.Run", null=True, blank=True, on_delete=models.SET_NULL, related_name="logged_models"
    )
    run_hex = models.CharField(
        max_length=64,
        blank=True,
        default="",
        db_default="",
        help_text="the run's id as it was said, also of a run that is gone or of another server",
    )
    name = models.CharField(max_length=500)
    model_type = models.CharField(max_length=500, blank=True)
    status = models.CharField(max_length=32, choices=Status, default=Status.PENDING)
    params = models.JSONField(default=dict, blank=True)
    tags = models.JSONField(default=dict, blank=True)
    created_ms = models.BigIntegerField()
    updated_ms = models.BigIntegerField()
    deleted_ms = models.BigIntegerField(null=True, blank=True)

    objects = LoggedModelQuerySet.as_manager()

    class Meta:
        ordering = ("-created_ms", "-id")
        indexes = [models.Index(fields=["experiment", "-created_ms", "id"], name="registry_logged_newest")]

    @property
    def model_id(self) -> str:
        """The id that MLflow clients see."""
        return f"m-{self.pk.hex}"

    @property
    def source_run_id(self) -> str:
        """The run that made it, as it was said."""
        return self.run_hex or (self.run_id.hex if self.run_id else "")

    @property
    def artifact_uri(self) -> str:
        """The root of its files, as MLflow clients see it."""
        return f"{self.experiment.artifact_location}/models/{self.model_id}/artifacts"

    def __str__(self) -> str:
        return self.name


class LoggedModelFile(models.Model):
    """A file of a logged model."""

    model = models.ForeignKey(LoggedModel, on_delete=models.CASCADE, related_name="files")
    path = models.CharField(max_length=limits.PATH_BYTES)
    blob = models.ForeignKey("tracking.Blob", on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["model", "path"], name="registry_one_logged_file_a_path")]

    def __str__(self) -> str:
        return self.path
