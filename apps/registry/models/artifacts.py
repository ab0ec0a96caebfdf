"""The registry room: artifacts, the things that teams make once and use often."""

import uuid
from typing import Self

from django.db import models
from django.db.models import Count, Q

from apps.registry.models.trashed import Living
from maestro import limits
from maestro.clock import is_uuid, uuid7
from maestro.errors import NotFound
from maestro.principals import Reach


class ArtifactQuerySet(models.QuerySet["Artifact"]):
    """Questions about artifacts."""

    def visible_to(self, projects: Reach) -> Self:
        """Keep what somebody may see: everything, or the shared ones and those of the projects in reach."""
        return self if projects is None else self.filter(Q(project=None) | Q(project_id__in=projects))

    def for_page(self) -> Self:
        """Annotate `versions_count` and `projects_count`, and prefetch tags and aliases."""
        return self.annotate(
            versions_count=Count("versions", filter=Q(versions__deleted_ms=None), distinct=True),
            projects_count=Count("versions__usages__project", distinct=True),
        ).prefetch_related("tags", "aliases__version")

    def trashed(self) -> Self:
        """Of everything, keep what lies in the trash."""
        return self.exclude(deleted_ms=None)

    def fetch(self, identity: str | uuid.UUID) -> "Artifact":
        """Fetch by id or name, which may look like an id. Raises NotFound."""
        text = str(identity)
        found = self.filter(pk=uuid.UUID(text)).first() if is_uuid(text) else None
        found = found or self.filter(name=text).first()
        if found is None:
            raise NotFound("there is no such artifact")
        return found


LivingArtifacts = Living.from_queryset(ArtifactQuerySet)


class Artifact(models.Model):
    """A reusable thing. An MLflow registered model is one of kind model."""

    class Kind(models.TextChoices):
        """What it is."""

        FEATURE_PIPELINE = "feature_pipeline"
        MODEL_TEMPLATE = "model_template"
        SCHEMA = "schema"
        NOTEBOOK = "notebook"
        DATASET = "dataset"
        MODEL = "model"
        PROMPT = "prompt"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=limits.NAME_CHARS)
    kind = models.CharField(max_length=20, choices=Kind, default=Kind.MODEL)
    owner = models.CharField(max_length=250, blank=True)
    description = models.TextField(blank=True, max_length=limits.TEXT_CHARS)
    card = models.TextField(blank=True, max_length=limits.TEXT_CHARS, help_text="Markdown")
    # None is shared with everybody, which is said and never comes of a deletion: a project that holds artifacts stays.
    project = models.ForeignKey("tracking.Project", null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    next_number = models.PositiveIntegerField(default=1, editable=False)
    created_ms = models.BigIntegerField()
    updated_ms = models.BigIntegerField()
    deleted_ms = models.BigIntegerField(null=True, blank=True, editable=False)
    deleted_by = models.CharField(max_length=250, blank=True, default="", db_default="", editable=False)

    objects = LivingArtifacts()
    everything = ArtifactQuerySet.as_manager()

    class Meta:
        ordering = ("name",)
        # What lies in the trash leaves its name to others.
        constraints = [
            models.UniqueConstraint(fields=["name"], name="registry_one_artifact_a_name", condition=Q(deleted_ms=None))
        ]
        indexes = [
            models.Index(fields=["deleted_ms"], name="registry_artifact_trash", condition=Q(deleted_ms__isnull=False))
        ]

    def is_visible_to(self, projects: Reach) -> bool:
        """Say of one artifact what `visible_to` says of many."""
        return self.deleted_ms is None and (projects is None or self.project_id is None or self.project_id in projects)

    def __str__(self) -> str:
        return self.name


class ArtifactTag(models.Model):
    """A note on an artifact."""

    artifact = models.ForeignKey(Artifact, on_delete=models.CASCADE, related_name="tags")
    key = models.CharField(max_length=limits.KEY_CHARS)
    value = models.TextField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["artifact", "key"], name="registry_one_artifact_tag")]

    def __str__(self) -> str:
        return f"{self.key}={self.value[:40]}"
