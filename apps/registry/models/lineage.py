"""The registry room: lineage, as edges between versions, runs and logged models."""

from django.db import models
from django.db.models import Q


class Edge(models.Model):
    """Something was made from something: exactly one end on each side."""

    from_version = models.ForeignKey(
        "registry.ArtifactVersion", null=True, blank=True, on_delete=models.CASCADE, related_name="edges_out"
    )
    from_run = models.ForeignKey(
        "tracking.Run", null=True, blank=True, on_delete=models.CASCADE, related_name="edges_out"
    )
    to_version = models.ForeignKey(
        "registry.ArtifactVersion", null=True, blank=True, on_delete=models.CASCADE, related_name="edges_in"
    )
    to_run = models.ForeignKey("tracking.Run", null=True, blank=True, on_delete=models.CASCADE, related_name="edges_in")
    to_model = models.ForeignKey(
        "registry.LoggedModel", null=True, blank=True, on_delete=models.CASCADE, related_name="edges_in"
    )
    from_model = models.ForeignKey(
        "registry.LoggedModel", null=True, blank=True, on_delete=models.CASCADE, related_name="edges_out"
    )
    kind = models.CharField(max_length=40, default="used")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["from_version", "from_run", "from_model", "to_version", "to_run", "to_model", "kind"],
                nulls_distinct=False,
                name="registry_one_edge",
            ),
            models.CheckConstraint(
                name="registry_edge_has_two_ends",
                condition=(Q(from_version__isnull=False) | Q(from_run__isnull=False) | Q(from_model__isnull=False))
                & (Q(to_version__isnull=False) | Q(to_run__isnull=False) | Q(to_model__isnull=False)),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"
