"""The recommendations room: what a project may expect."""

from typing import Self

from django.db import models
from django.db.models import Q

from apps.recommendations.models.asked import Asked, AskedQuerySet


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


class WhatIfQuerySet(AskedQuerySet["WhatIf"]):
    """Questions about questions."""


class WhatIf(Asked):
    """A question about a project that does not exist yet, answered by a worker; kept for a day."""

    facts = models.JSONField(help_text="what is known of the project before work begins")

    objects = WhatIfQuerySet.as_manager()

    def __str__(self) -> str:
        return f"what if, {self.state}"
