"""The tracking room: files of runs that a worker writes, because they take long or need much."""

from django.db import models

from apps.tracking.models.files import Blob
from maestro.clock import uuid7


class Export(models.Model):
    """A file of runs that somebody asked for: how far it is, and where its bytes are when it is done."""

    class State(models.TextChoices):
        """Where the work stands."""

        WAITING = "waiting"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    owner = models.CharField(max_length=100, help_text="kind and id of who asked: names may come twice")
    asked_by = models.CharField(max_length=250)
    format = models.CharField(max_length=10)
    # What was asked, with the experiments that whoever asked could see then.
    question = models.JSONField(default=dict)
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    runs = models.BigIntegerField(default=0, help_text="written so far")
    blob = models.ForeignKey(Blob, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    reason = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-id",)

    @property
    def is_open(self) -> bool:
        """Whether it is still to be done."""
        return self.state in {self.State.WAITING, self.State.RUNNING}

    def __str__(self) -> str:
        return f"{self.format} {self.state}"
