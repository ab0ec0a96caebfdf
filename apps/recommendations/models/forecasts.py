"""The recommendations room: what a project may expect."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from maestro.clock import uuid7
from maestro.errors import NotFound


class ForecastQuerySet(models.QuerySet["Forecast"]):
    """Questions about forecasts."""

    def serving(self) -> Self:
        """Keep the latest of each project and target, but for those whose model was taken out of service."""
        kept = self.exclude(model__state="rejected")
        return kept.order_by("project_id", "target", "-made_at", "-id").distinct("project_id", "target")

    def settled(self) -> Self:
        """Keep those whose actual value is known: what calibration is made of."""
        return self.exclude(actual=None).exclude(p50=None)


class Forecast(models.Model):
    """A project's expected success, duration, cost or effort; later compared with what happened."""

    id = models.BigAutoField(primary_key=True)
    model = models.ForeignKey("recommendations.ImpactModel", on_delete=models.CASCADE, related_name="forecasts")
    project = models.ForeignKey("tracking.Project", on_delete=models.CASCADE, related_name="forecasts")
    target = models.CharField(max_length=20)
    unit = models.CharField(max_length=20, blank=True, help_text="points, days, cost or hours")
    level = models.FloatField(null=True, help_text="the share of truths that the interval means to hold")
    status = models.CharField(max_length=10)
    code = models.CharField(max_length=60, blank=True, help_text="stable word for the reason")
    reason = models.CharField(max_length=500, blank=True)
    needs = models.JSONField(default=list, blank=True)
    basis = models.CharField(max_length=20, blank=True, help_text="model, median or plan")
    p10 = models.FloatField(null=True)
    p50 = models.FloatField(null=True)
    p90 = models.FloatField(null=True)
    planned = models.FloatField(null=True)
    pooled = models.BooleanField(default=False, help_text="too few of the outcomes are of the project's class")
    outside = models.JSONField(default=list, blank=True, help_text="what lies outside of the history")
    contributions = models.JSONField(default=list, blank=True)
    actual = models.FloatField(null=True)
    settled_at = models.DateTimeField(null=True, blank=True)
    made_at = models.DateTimeField()

    objects = ForecastQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["model", "project", "target"], name="recommendations_one_forecast"),
            models.CheckConstraint(
                name="recommendations_refused_forecast_has_no_number",
                condition=~Q(status="refused") | Q(p10=None, p50=None, p90=None),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.target} {self.p50}"


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


class WhatIfQuerySet(models.QuerySet["WhatIf"]):
    """Questions about questions."""

    def waiting(self) -> "WhatIfQuerySet":
        """Keep those without an answer yet, of the time in which one may still come."""
        return self.filter(state=WhatIf.State.WAITING, created_at__gt=Now() - KEPT_WAITING)

    def fetch(self, identity: str) -> "WhatIf":
        """Fetch by id. Raises NotFound."""
        found = self.filter(pk=identity).first()
        if found is None:
            raise NotFound("there is no such question")
        return found


class WhatIf(models.Model):
    """A question about a project that does not exist yet, answered by a worker; kept for a day."""

    class State(models.TextChoices):
        """Where the question stands."""

        WAITING = "waiting"
        DONE = "done"
        FAILED = "failed"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    facts = models.JSONField(help_text="what is known of the project before work begins")
    answer = models.JSONField(default=dict, blank=True)
    reason = models.TextField(blank=True)
    asked_by = models.CharField(max_length=250, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True, help_text="when a worker took it")
    ended_at = models.DateTimeField(null=True, blank=True)

    objects = WhatIfQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at",)

    def progress(self, at: datetime) -> Progress:
        """How the question stands at a moment; a worker that is silent for ANSWER_SECONDS is said to give no answer."""
        waited = max(0.0, (at - self.created_at).total_seconds())
        if self.state != self.State.WAITING:
            return Progress(self.state, self.reason, waited)
        before = 0 if self.started_at else WhatIf.objects.waiting().filter(created_at__lt=self.created_at).count()
        silent = waited if self.started_at is None else (at - self.started_at).total_seconds()
        if before and waited < KEPT_WAITING.total_seconds():
            return Progress("waiting", f"Questions before this one: {before}.", waited)
        if silent > ANSWER_SECONDS:
            return Progress(
                "failed", f"No answer came in {ANSWER_SECONDS} s; the worker was stopped or is overloaded.", waited
            )
        if self.started_at is not None:
            return Progress("running", "A worker computes the forecast.", waited)
        if waited > TAKEN_SECONDS:
            return Progress("waiting", f"No worker has taken this for {waited:.0f} s. It may not be running.", waited)
        return Progress("waiting", "Waiting for a worker.", waited)

    def __str__(self) -> str:
        return f"what if, {self.state}"
