"""The recommendations room: what is asked of a worker: where it stands, and what its asker is told meanwhile."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self, TypeVar

from django.db import models
from django.db.models.functions import Now

from maestro.clock import uuid7
from maestro.errors import NotFound

# A worker has QUESTION_SECONDS (work/processes.py) to answer; it should take the question long before.
TAKEN_SECONDS, ANSWER_SECONDS = 15, 180
# A question that nobody has taken for so long is given up, so that it fills no place.
KEPT_WAITING = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Progress:
    """A question as its asker sees it: waiting, running, done or failed, with a word on why it takes so long."""

    state: str
    note: str
    waited: float

    @property
    def is_live(self) -> bool:
        """Whether an answer may still come."""
        return self.state in ("waiting", "running")


AnyAsked = TypeVar("AnyAsked", bound="Asked")


class AskedQuerySet(models.QuerySet[AnyAsked]):
    """Questions about questions."""

    def waiting(self) -> Self:
        """Keep those without an answer yet, of the time in which one may still come."""
        return self.filter(state=Asked.State.WAITING, created_at__gt=Now() - KEPT_WAITING)

    def fetch(self, identity: str) -> AnyAsked:
        """Fetch by id. Raises NotFound."""
        found = self.filter(pk=identity).first()
        if found is None:
            raise NotFound("there is no such question")
        return found


class Asked(models.Model):
    """A question that a worker answers."""

    class State(models.TextChoices):
        """Where the question stands."""

        WAITING = "waiting"
        DONE = "done"
        FAILED = "failed"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    answer = models.JSONField(default=dict, blank=True)
    reason = models.TextField(blank=True)
    asked_by = models.CharField(max_length=250, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True, help_text="when a worker took it")
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        abstract = True
        ordering = ("-created_at",)

    def progress(self, at: datetime) -> Progress:
        """How the question stands at a moment; a worker that is silent for ANSWER_SECONDS is said to give no answer."""
        waited = max(0.0, (at - self.created_at).total_seconds())
        if self.state != self.State.WAITING:
            return Progress(self.state, self.reason, waited)
        before = 0 if self.started_at else self.before()
        silent = waited if self.started_at is None else (at - self.started_at).total_seconds()
        if before and waited < KEPT_WAITING.total_seconds():
            return Progress("waiting", f"Questions before this one: {before}.", waited)
        if silent > ANSWER_SECONDS:
            return Progress(
                "failed", f"No answer came in {ANSWER_SECONDS} s; the worker was stopped or is overloaded.", waited
            )
        if self.started_at is not None:
            return Progress("running", "A worker computes the answer.", waited)
        if waited > TAKEN_SECONDS:
            return Progress("waiting", f"No worker has taken this for {waited:.0f} s. It may not be running.", waited)
        return Progress("waiting", "Waiting for a worker.", waited)

    def before(self) -> int:
        """How many questions of its kind wait before it."""
        earlier = type(self)._default_manager.filter(created_at__lt=self.created_at)
        return earlier.filter(state=self.State.WAITING, created_at__gt=Now() - KEPT_WAITING).count()
