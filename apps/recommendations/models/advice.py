"""The recommendations room: what to use next in a project."""

from typing import Self

from django.db import models
from django.db.models import Q


class AdviceQuerySet(models.QuerySet["Advice"]):
    """Questions about advice."""

    def for_page(self) -> Self:
        """Serve a project's page, best first."""
        return self.filter(artifact__deleted_ms=None).select_related("artifact", "model").order_by("rank")


class Advice(models.Model):
    """One thing recommended for one project, with its expected gain and the reasons; later, whether it was followed.

    Units  gain, low, high: points of success, or what `unit` says
    """

    class Kind(models.TextChoices):
        """What is recommended."""

        ARTIFACT = "artifact"
        TEAM_SIZE = "team_size"

    id = models.BigAutoField(primary_key=True)
    model = models.ForeignKey("recommendations.ImpactModel", on_delete=models.CASCADE, related_name="advice")
    project = models.ForeignKey("tracking.Project", on_delete=models.CASCADE, related_name="advice")
    kind = models.CharField(max_length=10, choices=Kind, default=Kind.ARTIFACT)
    artifact = models.ForeignKey(
        "registry.Artifact", null=True, blank=True, on_delete=models.CASCADE, related_name="advice"
    )
    rank = models.PositiveSmallIntegerField()
    basis = models.CharField(max_length=20, help_text="impact, mean rank, model or recency")
    status = models.CharField(max_length=10)
    needs = models.JSONField(default=list, blank=True)
    score = models.FloatField(null=True, help_text="what the order is by")
    standing = models.FloatField(null=True, help_text="share of the catalogue it is expected to beat, 0 to 100")
    unit = models.CharField(max_length=40, blank=True, help_text="of gain, low and high")
    pooled = models.BooleanField(default=False, help_text="the number is over all problem classes")
    problem_class = models.CharField(max_length=20, blank=True, help_text="the project's when this was advised")
    gain = models.FloatField(null=True, help_text="expected gain")
    low = models.FloatField(null=True)
    high = models.FloatField(null=True)
    n_projects = models.IntegerField(default=0)
    reasons = models.JSONField(default=list, blank=True)
    evidence = models.JSONField(default=list, blank=True, help_text="ids of the projects behind it")
    was_followed = models.BooleanField(null=True)
    followed_at = models.DateTimeField(null=True, blank=True)
    outcome = models.FloatField(null=True, help_text="the project's success, once it is known")
    made_at = models.DateTimeField()

    objects = AdviceQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["model", "project", "kind", "artifact"], nulls_distinct=False, name="recommendations_one_advice"
            ),
            models.CheckConstraint(
                name="recommendations_advice_names_its_artifact",
                condition=Q(kind="artifact", artifact__isnull=False) | Q(kind="team_size", artifact=None),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.rank}. {self.artifact_id or self.kind}"
