"""The tracking room: how much a tenant keeps, and each project of it, as it was last measured and raised since."""

from django.db import models

from apps.tracking.models.projects import Project


class StorageUse(models.Model):
    """Bytes that a project's names stand for, each content once; without a project: all that the tenant keeps.

    detail  of the tenant's row alone: bytes and files by kind, by age, of no project, without a name
    """

    id = models.BigAutoField(primary_key=True)
    project = models.ForeignKey(Project, null=True, on_delete=models.CASCADE, related_name="+")
    bytes = models.BigIntegerField(default=0)
    files = models.BigIntegerField(default=0)
    detail = models.JSONField(default=dict)
    measured_at = models.DateTimeField()
    warned_at = models.DateTimeField(null=True, help_text="when it was told that its quota is nearly used")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project"], nulls_distinct=False, name="tracking_one_use_a_project")
        ]

    def __str__(self) -> str:
        return f"{self.bytes} bytes"
