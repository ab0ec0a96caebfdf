"""The registry room: immutable versions, their files, and the aliases that point at them."""

import re
from typing import Self

from django.db import models
from django.db.models import Q

from apps.registry.models.artifacts import Artifact
from apps.registry.models.trashed import Living
from maestro import limits
from maestro.clock import uuid7
from maestro.errors import NotFound

SHA256 = re.compile(r"[0-9a-f]{64}")
NUMBER = re.compile(r"[1-9][0-9]{0,8}")


class ArtifactVersionQuerySet(models.QuerySet["ArtifactVersion"]):
    """Questions about versions."""

    def ready(self) -> Self:
        """Keep those that may be used."""
        return self.filter(state=ArtifactVersion.State.READY)

    def trashed(self) -> Self:
        """Of everything, keep what lies in the trash."""
        return self.exclude(deleted_ms=None)

    def for_page(self) -> Self:
        """Everything that a list or page of versions shows, in a fixed number of queries."""
        return self.select_related("artifact", "run", "logged_model").prefetch_related("tags", "aliases")

    def newest(self, artifact: Artifact) -> "ArtifactVersion":
        """Fetch an artifact's newest ready version. Raises NotFound."""
        found = self.ready().filter(artifact=artifact).order_by("-number").first()
        if found is None:
            raise NotFound(f"{artifact.name} has no ready version")
        return found

    def fetch(self, artifact: Artifact, reference: str) -> "ArtifactVersion":
        """Fetch by number, digest or alias; `latest` is the newest ready one. Raises NotFound."""
        if reference == "latest":
            return self.newest(artifact)
        of_artifact = self.filter(artifact=artifact)
        if NUMBER.fullmatch(reference):
            found = of_artifact.filter(number=int(reference)).first()
        elif SHA256.fullmatch(reference):
            found = of_artifact.filter(digest=reference).order_by("number").first()
        else:
            found = of_artifact.filter(aliases__name=reference).first()
        if found is None:
            raise NotFound(f"{artifact.name} has no version {reference[:100]!r}")
        return found


LivingVersions = Living.from_queryset(ArtifactVersionQuerySet)


class ArtifactVersion(models.Model):
    """One immutable state of an artifact: its files never change once it is ready."""

    class State(models.TextChoices):
        """Where its life stands."""

        DRAFT = "draft"
        READY = "ready"
        ARCHIVED = "archived"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    artifact = models.ForeignKey(Artifact, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    digest = models.CharField(max_length=64, blank=True, help_text="sha256 of its manifest")
    state = models.CharField(max_length=10, choices=State, default=State.DRAFT)
    stage = models.CharField(max_length=20, default="None", help_text="MLflow's old stages")
    description = models.TextField(blank=True, max_length=limits.TEXT_CHARS)
    source = models.TextField(blank=True, help_text="where an MLflow client says it comes from")
    run_link = models.TextField(blank=True)
    run = models.ForeignKey("tracking.Run", null=True, blank=True, on_delete=models.SET_NULL, related_name="versions")
    run_hex = models.CharField(
        max_length=64, blank=True, help_text="the run's id as it was said, kept when the run is gone"
    )
    logged_model = models.ForeignKey(
        "registry.LoggedModel", null=True, blank=True, on_delete=models.SET_NULL, related_name="versions"
    )
    download_uri = models.TextField(blank=True)
    created_by = models.CharField(max_length=250, blank=True)
    created_ms = models.BigIntegerField()
    updated_ms = models.BigIntegerField()
    deleted_ms = models.BigIntegerField(null=True, blank=True, editable=False)
    deleted_by = models.CharField(max_length=250, blank=True, default="", db_default="", editable=False)

    objects = LivingVersions()
    everything = ArtifactVersionQuerySet.as_manager()

    class Meta:
        ordering = ("artifact", "-number")
        constraints = [
            models.UniqueConstraint(fields=["artifact", "number"], name="registry_one_version_a_number"),
            models.UniqueConstraint(
                fields=["artifact", "digest"],
                name="registry_one_version_a_digest",
                condition=~Q(digest="") & Q(source="", deleted_ms=None),
            ),
        ]
        indexes = [
            models.Index(fields=["deleted_ms"], name="registry_version_trash", condition=Q(deleted_ms__isnull=False))
        ]

    def __str__(self) -> str:
        return f"{self.artifact} v{self.number}"


class VersionTag(models.Model):
    """A note on a version."""

    version = models.ForeignKey(ArtifactVersion, on_delete=models.CASCADE, related_name="tags")
    key = models.CharField(max_length=limits.KEY_CHARS)
    value = models.TextField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["version", "key"], name="registry_one_version_tag")]

    def __str__(self) -> str:
        return f"{self.key}={self.value[:40]}"


class VersionFile(models.Model):
    """A file of a version."""

    version = models.ForeignKey(ArtifactVersion, on_delete=models.CASCADE, related_name="files")
    path = models.CharField(max_length=limits.PATH_BYTES)
    blob = models.ForeignKey("tracking.Blob", on_delete=models.PROTECT, related_name="+")

    class Meta:
        ordering = ("path",)
        constraints = [models.UniqueConstraint(fields=["version", "path"], name="registry_one_file_a_path")]

    def __str__(self) -> str:
        return self.path


class Alias(models.Model):
    """A name that points at one version and may move: `champion`."""

    artifact = models.ForeignKey(Artifact, on_delete=models.CASCADE, related_name="aliases")
    version = models.ForeignKey(ArtifactVersion, on_delete=models.CASCADE, related_name="aliases")
    name = models.CharField(max_length=255)
    moved_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["artifact", "name"], name="registry_one_alias_a_name")]

    def __str__(self) -> str:
        return f"{self.artifact}@{self.name}"
