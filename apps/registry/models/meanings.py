"""The registry room: what an artifact means, as a vector of the optional model."""

from django.contrib.postgres.fields import ArrayField
from django.db import models

from apps.registry.models.artifacts import Artifact


class Meaning(models.Model):
    """What is said of an artifact, as numbers; made by a worker, made anew whenever the artifact changes.

    Kept as plain numbers, so that a schema needs no extension; pgvector compares them where it is there.
    """

    artifact = models.OneToOneField(Artifact, on_delete=models.CASCADE, primary_key=True, related_name="meaning")
    updated_ms = models.BigIntegerField(help_text="of the artifact as it was read")
    model = models.CharField(max_length=40)
    vector = ArrayField(models.FloatField())

    def __str__(self) -> str:
        return f"{self.artifact_id} by {self.model}"
