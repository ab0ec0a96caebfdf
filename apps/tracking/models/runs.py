"""The tracking room: runs, and the params and tags they carry."""

import uuid
from typing import Self

from django.db import models
from django.db.models import TextChoices
from django.db.models.functions import Left

from apps.tracking.models.experiments import Experiment
from apps.tracking.models.writers import Written
from maestro import limits
from maestro.clock import uuid7
from maestro.errors import NotFound


class RunQuerySet(models.QuerySet["Run"]):
    """Questions about runs."""

    def active(self) -> Self:
        """Keep those that are not in the trash."""
        return self.filter(deleted_ms=None)

    def fetch(self, identity: str) -> "Run":
        """Fetch by 32 hex digits or UUID text, deleted ones as well. Raises NotFound."""
        try:
            found = self.filter(pk=uuid.UUID(identity)).first()
        except (ValueError, AttributeError, TypeError):
            found = None
        if found is None:
            raise NotFound(f"there is no run {str(identity)[:64]}", facts={"run": str(identity)[:64]})
        return found


class Run(models.Model):
    """One execution of training code. Its id is a UUIDv7, which MLflow clients see as 32 hex digits."""

    class Status(TextChoices):
        """MLflow's statuses, and `LOST`: running by its own word, silent for too long (shown as RUNNING to MLflow)."""

        RUNNING = "RUNNING"
        SCHEDULED = "SCHEDULED"
        FINISHED = "FINISHED"
        FAILED = "FAILED"
        KILLED = "KILLED"
        LOST = "LOST"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    # The index of the newest runs begins with the experiment; a second one would only mislead the planner.
    experiment = models.ForeignKey(Experiment, on_delete=models.PROTECT, related_name="runs", db_index=False)
    name = models.CharField(max_length=limits.TAG_VALUE_CHARS)
    user_name = models.CharField(max_length=250, blank=True)
    status = models.CharField(max_length=10, choices=Status, default=Status.RUNNING)
    start_ms = models.BigIntegerField()
    end_ms = models.BigIntegerField(null=True, blank=True)
    deleted_ms = models.BigIntegerField(null=True, blank=True)
    last_write_ms = models.BigIntegerField()
    created_by = models.CharField(max_length=250, blank=True)
    location = models.CharField(max_length=limits.PATH_BYTES, blank=True, db_default="", default="")
    is_folded = models.BooleanField(
        db_default=False, default=False, help_text="its RunDocument tells all that it logged"
    )

    objects = RunQuerySet.as_manager()

    class Meta:
        ordering = ("-start_ms", "id")
        indexes = [
            models.Index(fields=["experiment", "-start_ms", "id"], name="tracking_run_newest"),
            models.Index(
                fields=["last_write_ms"],
                name="tracking_run_silent",
                condition=models.Q(status="RUNNING", deleted_ms=None),
            ),
            models.Index(
                fields=["last_write_ms"],
                name="tracking_run_unfolded",
                condition=models.Q(is_folded=False),
            ),
            models.Index(
                fields=["deleted_ms"], name="tracking_run_trash", condition=models.Q(deleted_ms__isnull=False)
            ),
        ]

    @property
    def artifact_uri(self) -> str:
        """The root of the run's files, as MLflow clients see it."""
        root = self.location or f"mlflow-artifacts:/{self.experiment_id}"
        return f"{root}/{self.pk.hex}/artifacts"

    @property
    def lifecycle_stage(self) -> str:
        """MLflow's word for whether it is in the trash."""
        return "active" if self.deleted_ms is None else "deleted"

    def __str__(self) -> str:
        return self.name


class Param(models.Model):
    """One setting of a run. Never changes. Its writers hold the run's row, so no foreign key is checked again."""

    pk = models.CompositePrimaryKey("run_id", "key")
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="params", db_index=False, db_constraint=False)
    key = models.CharField(max_length=limits.KEY_CHARS)
    value = models.TextField()

    class Meta:
        # A whole value can be longer than an index entry, so its beginning stands for it.
        indexes = [models.Index("key", Left("value", 64), "run", name="tracking_param_by_value")]

    def __str__(self) -> str:
        return f"{self.key}={self.value[:40]}"


class Tag(models.Model):
    """One note on a run."""

    pk = models.CompositePrimaryKey("run_id", "key")
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="tags", db_index=False, db_constraint=False)
    key = models.CharField(max_length=limits.KEY_CHARS)
    value = models.TextField()

    class Meta:
        indexes = [models.Index("key", Left("value", 64), "run", name="tracking_tag_by_value")]

    def __str__(self) -> str:
        return f"{self.key}={self.value[:40]}"


class RunDocument(models.Model):
    """What a quiet run logged, ready to send to MLflow clients. Valid only while the run says it is folded."""

    run = models.OneToOneField(
        Run, primary_key=True, on_delete=models.CASCADE, related_name="document", db_constraint=False
    )
    body = models.BinaryField()

    def __str__(self) -> str:
        return f"document of {self.run_id}"


class RunModel(Written):
    """A logged model that a run read or made, as MLflow's answers name it. The registry keeps the lineage."""

    class Direction(models.TextChoices):
        """Which way it went."""

        INPUT = "input"
        OUTPUT = "output"

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="models", db_index=False)
    direction = models.CharField(max_length=6, choices=Direction)
    model_id = models.CharField(max_length=64)
    step = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "direction", "model_id"], name="tracking_one_link_a_model")
        ]

    def __str__(self) -> str:
        return f"{self.direction} {self.model_id}"
