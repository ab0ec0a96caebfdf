"""The recommendations room: what a project may expect."""

from django.db import models


class Forecast(models.Model):
    """A project's expected success, duration, cost or effort; later compared with what happened."""

    id = models.BigAutoField(primary_key=True)
    training = models.ForeignKey("recommendations.ImpactModel", on_delete=models.CASCADE, related_name="forecasts")
    project = models.ForeignKey("tracking.Project", on_delete=models.CASCADE, related_name="forecasts")
    target = models.CharField(max_length=20)
    status = models.CharField(max_length=10)
    reason = models.CharField(max_length=500, blank=True)
    needs = models.JSONField(default=dict, blank=True)
    p10 = models.FloatField(null=True)
    p50 = models.FloatField(null=True)
    p90 = models.FloatField(null=True)
    contributions = models.JSONField(default=list, blank=True)
    actual = models.FloatField(null=True)
    made_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["training", "project", "target"], name="recommendations_one_forecast")
        ]

    def __str__(self) -> str:
        return f"{self.target} {self.p50}"
