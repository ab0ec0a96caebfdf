"""The recommendations room: a training, and the impact scores that it found."""

from django.db import models

from maestro.clock import uuid7


class ImpactModel(models.Model):
    """One training of a tenant's models: what it read, how it did in backtest, whether it serves."""

    class State(models.TextChoices):
        """Where the training stands."""

        WAITING = "waiting"
        RUNNING = "running"
        CHAMPION = "champion"
        REJECTED = "rejected"
        RETIRED = "retired"
        REFUSED = "refused"
        FAILED = "failed"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    target = models.CharField(max_length=40, help_text="impact, ranking, success, duration, cost or effort")
    unit = models.CharField(max_length=10, blank=True, help_text="project or run")
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    method = models.CharField(max_length=200, blank=True)
    data_digest = models.CharField(max_length=64, blank=True, help_text="sha256 of the table it read")
    data_ms = models.IntegerField(null=True, blank=True, help_text="milliseconds of SQL")
    fit_ms = models.IntegerField(null=True, blank=True, help_text="milliseconds of fitting")
    rows = models.IntegerField(default=0)
    groups = models.IntegerField(default=0, help_text="projects behind the rows")
    figures = models.JSONField(default=dict, blank=True, help_text="backtest, overlap, choices")
    reason = models.TextField(blank=True, help_text="why it refused or failed")
    needs = models.JSONField(default=dict, blank=True, help_text="what is there and what is missing")
    model_text = models.TextField(blank=True, help_text="LightGBM's text format and JSON")
    model_sha256 = models.CharField(max_length=64, blank=True)
    percent = models.PositiveSmallIntegerField(default=0)
    lease_owner = models.CharField(max_length=100, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    tries = models.PositiveSmallIntegerField(default=0)
    asked_by = models.CharField(max_length=250, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return f"{self.target} {self.state}"


class ImpactScore(models.Model):
    """What one artifact is associated with, in points of success, with its interval; or why there is no number."""

    class Status(models.TextChoices):
        """How far the number may be trusted."""

        OK = "ok"
        EARLY = "early"
        REFUSED = "refused"

    id = models.BigAutoField(primary_key=True)
    training = models.ForeignKey(ImpactModel, on_delete=models.CASCADE, related_name="scores")
    artifact = models.ForeignKey("registry.Artifact", on_delete=models.CASCADE, related_name="impacts")
    problem_class = models.CharField(max_length=20, blank=True, help_text="empty: all classes together")
    status = models.CharField(max_length=10, choices=Status)
    reason = models.CharField(max_length=500, blank=True)
    needs = models.JSONField(default=dict, blank=True)
    effect = models.FloatField(null=True)
    low = models.FloatField(null=True)
    high = models.FloatField(null=True)
    raw_effect = models.FloatField(null=True, help_text="the plain difference of means, unadjusted")
    n_used = models.IntegerField(default=0)
    n_unused = models.IntegerField(default=0)
    n_projects = models.IntegerField(default=0)
    overlap = models.FloatField(null=True)
    sensitivity = models.FloatField(null=True, help_text="strength of a hidden cause that would undo the claim")
    covariates = models.JSONField(default=list, blank=True, help_text="what most predicts its use")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["training", "artifact", "problem_class"], name="recommendations_one_score")
        ]

    def __str__(self) -> str:
        return f"{self.artifact_id} {self.effect}"
