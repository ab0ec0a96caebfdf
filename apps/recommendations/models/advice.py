"""The recommendations room: what to use next in a project."""

from django.db import models


class Advice(models.Model):
    """One recommended artifact for one project, with its expected gain and the reasons; later, whether it was followed."""

    id = models.BigAutoField(primary_key=True)
    training = models.ForeignKey("recommendations.ImpactModel", on_delete=models.CASCADE, related_name="advice")
    project = models.ForeignKey("tracking.Project", on_delete=models.CASCADE, related_name="advice")
    artifact = models.ForeignKey("registry.Artifact", null=True, on_delete=models.CASCADE, related_name="advice")
    rank = models.PositiveSmallIntegerField()
    score = models.FloatField(null=True)
    gain = models.FloatField(null=True, help_text="expected gain in points of success")
    low = models.FloatField(null=True)
    high = models.FloatField(null=True)
    n_projects = models.IntegerField(default=0)
    reasons = models.JSONField(default=list, blank=True)
    evidence = models.JSONField(default=list, blank=True, help_text="ids of the projects behind it")
    was_followed = models.BooleanField(null=True)
    made_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["training", "project", "artifact"], name="recommendations_one_advice")
        ]

    def __str__(self) -> str:
        return f"{self.rank}. {self.artifact_id}"
