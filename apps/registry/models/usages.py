"""The registry room: which run or project used which version, and how we know."""

from dataclasses import dataclass
from typing import Self
from uuid import UUID

from django.db import models
from django.db.models import Exists, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce

from apps.registry.models.versions import ArtifactVersion
from apps.tracking.models.measures import FEWEST
from maestro.principals import Reach

REUSE_AFTER_DAYS = 90
REUSE_AFTER_MS = REUSE_AFTER_DAYS * 86_400_000


@dataclass(frozen=True)
class Share:
    """A part of a whole, both as counts."""

    part: int
    whole: int

    @property
    def value(self) -> float | None:
        """The share; None if the whole is too few for one to mean something."""
        return self.part / self.whole if self.whole >= FEWEST else None


class UsageQuerySet(models.QuerySet["Usage"]):
    """Questions about usages."""

    def for_page(self) -> Self:
        """Everything that a list shows, in one query."""
        return self.select_related("version__artifact", "project", "run")

    def visible_to(self, projects: Reach) -> Self:
        """Keep those of the projects in reach."""
        return self if projects is None else self.filter(project_id__in=projects)

    def home(self) -> Coalesce:
        """Write the project that a version is of: its artifact's, else that of its run, else the first of these that used it."""
        first = Subquery(self.filter(version=OuterRef("pk")).order_by("at", "pk").values("project_id")[:1])
        return Coalesce("artifact__project_id", "run__experiment__project_id", first, output_field=models.UUIDField())

    def reuse(self, versions: QuerySet[ArtifactVersion], *, before_ms: int, home: UUID | None = None) -> Share:
        """Of the versions made before a time, count those that another project than their own uses, by these usages.

        With `home`, of the versions of one project.
        """
        old = versions.filter(created_ms__lt=before_ms).exclude(state=ArtifactVersion.State.DRAFT)
        old = old.annotate(home=self.home())
        if home is not None:
            old = old.filter(home=home)
        foreign = self.filter(version=OuterRef("pk")).exclude(project=OuterRef("home"))
        return Share(old.filter(Exists(foreign)).count(), old.count())

    def borrowed(self, versions: QuerySet[ArtifactVersion], project: UUID) -> Share:
        """Of the versions that a project uses, count those of another project than itself."""
        used = versions.filter(Exists(self.filter(version=OuterRef("pk"), project=project)))
        used = used.annotate(home=self.home())
        return Share(used.exclude(home=project).count(), used.count())


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
