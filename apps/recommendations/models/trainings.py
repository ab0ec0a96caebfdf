"""The recommendations room: a training of a tenant's models: who works on it, how far it is, what it read."""

from typing import Self

from django.db import models
from django.db.models import Q, Value

from maestro.clock import uuid7
from maestro.errors import NotFound


class TrainingQuerySet(models.QuerySet["Training"]):
    """Questions about trainings."""

    def open(self) -> Self:
        """Keep those that wait or run."""
        return self.filter(state__in=Training.OPEN)

    def done(self) -> Self:
        """Keep those that ended with a result, refusals among them."""
        return self.filter(state=Training.State.DONE)

    def for_page(self) -> Self:
        """Serve a list of trainings with the models that came of each."""
        return self.prefetch_related("models")

    def fetch(self, identity: str) -> "Training":
        """Fetch by id. Raises NotFound."""
        found = self.filter(pk=identity).first()
        if found is None:
            raise NotFound("there is no such training")
        return found


class Training(models.Model):
    """One training: asked for, taken up by one worker at a time, ended once. At most one is open in a tenant."""

    # The checker takes `models` for the related name of ImpactModel.training here.
    class State(models.TextChoices):  # type: ignore[name-defined]
        """Where it stands."""

        WAITING = "waiting"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"

    OPEN = (State.WAITING, State.RUNNING)

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    why = models.CharField(max_length=40, help_text="asked, schedule or outcomes")
    asked_by = models.CharField(max_length=250, blank=True)
    force = models.BooleanField(default=False, help_text="train even if the data are those of the last training")
    seed = models.PositiveIntegerField(default=0)
    percent = models.PositiveSmallIntegerField(default=0)
    step = models.CharField(max_length=200, blank=True, help_text="what it is doing")
    reason = models.TextField(blank=True, help_text="why it failed, or why there was nothing to do")
    lease_owner = models.CharField(max_length=100, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    tries = models.PositiveSmallIntegerField(default=0)
    data_digest = models.CharField(max_length=64, blank=True, help_text="sha256 of the rows that it read")
    data_at = models.DateTimeField(null=True, blank=True, help_text="the database's time of that reading")
    data_ms = models.IntegerField(null=True, blank=True, help_text="milliseconds of SQL")
    fit_ms = models.IntegerField(null=True, blank=True, help_text="milliseconds of fitting")
    peak_bytes = models.BigIntegerField(null=True, blank=True, help_text="most memory held at once")
    counts = models.JSONField(default=dict, blank=True, help_text="projects, runs, usages and artifacts read")
    drift = models.JSONField(default=dict, blank=True, help_text="how the data differ from those of the last training")
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    objects = TrainingQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at", "-id")
        constraints = [
            models.UniqueConstraint(
                Value(1),
                name="recommendations_one_open_training",
                condition=Q(state__in=["waiting", "running"]),
            )
        ]

    @property
    def is_open(self) -> bool:
        """Say whether it still waits or runs."""
        return self.state in self.OPEN

    def __str__(self) -> str:
        return f"training of {self.created_at:%Y-%m-%d %H:%M}, {self.state}"
