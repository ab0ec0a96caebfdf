"""The registry room: which run or project used which version, and how we know."""

from django.db import models

from apps.registry.models.versions import ArtifactVersion


class Usage(models.Model):
    """A version was used. A run's usage counts for the run's project as well."""

    class Observed(models.TextChoices):
        """How the usage became known."""

        TAG = "tag"
        INPUT = "input"
        DOWNLOAD = "download"
        API = "api"
        IMPORT = "import"

    id = models.BigAutoField(primary_key=True)
    version = models.ForeignKey(ArtifactVersion, on_delete=models.PROTECT, related_name="usages")
    project = models.ForeignKey("tracking.Project", on_delete=models.CASCADE, related_name="usages")
    run = models.ForeignKey("tracking.Run", null=True, blank=True, on_delete=models.CASCADE, related_name="usages")
    role = models.CharField(max_length=60, blank=True)
    observed = models.CharField(max_length=10, choices=Observed)
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["version", "project", "run"], nulls_distinct=False, name="registry_one_usage"
            )
        ]
        indexes = [
            models.Index(fields=["run"], name="registry_usage_run"),
            models.Index(fields=["project"], name="registry_usage_project"),
        ]

    def __str__(self) -> str:
        return f"{self.version_id} in {self.project_id}"
