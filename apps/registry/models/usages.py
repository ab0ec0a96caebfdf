"""The registry room: which run or project used which version, and how we know."""

from typing import Self

from django.db import models

from apps.registry.models.versions import ArtifactVersion


class UsageQuerySet(models.QuerySet["Usage"]):
    """Questions about usages."""

    def for_page(self) -> Self:
        """Everything that a list shows, in one query."""
        return self.select_related("version__artifact", "project", "run")


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

    objects = UsageQuerySet.as_manager()

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


class Observation(models.Model):
    """What the scan has made of a run's `maestro.uses` tag. Unsettled: it names something that is not here yet."""

    run = models.OneToOneField("tracking.Run", primary_key=True, on_delete=models.CASCADE, related_name="+")
    digest = models.CharField(max_length=32, help_text="md5 of the tag's text")
    is_settled = models.BooleanField()
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.run_id} {'settled' if self.is_settled else 'waits'}"


class Watermark(models.Model):
    """How far a repeatable scan of ever-growing rows has come."""

    name = models.CharField(primary_key=True, max_length=40)
    value = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.name} {self.value}"
