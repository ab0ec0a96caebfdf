"""The registry room: gates, which protect where an alias or a stage may point, and promotions, which wait for people."""

from typing import Any, NamedTuple, Self

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from apps.registry.models.artifacts import Artifact
from apps.registry.models.versions import ArtifactVersion
from maestro import limits
from maestro.clock import uuid7
from maestro.errors import NotFound
from maestro.principals import Reach

EVERY = "*"


class Target(NamedTuple):
    """Where a version may be promoted to: an alias or a stage, by its name."""

    what: str
    name: str

    def __str__(self) -> str:
        return f"the alias {self.name}" if self.what == "alias" else f"the stage {self.name}"


class GateQuerySet(models.QuerySet["Gate"]):
    """Questions about gates."""

    def visible_to(self, projects: Reach) -> Self:
        """Keep what somebody may see, none of an artifact in the trash: gates of all projects, of shared artifacts and of the projects in reach."""
        here = self.filter(artifact__deleted_ms=None)
        if projects is None:
            return here
        own = Q(project_id__in=projects) | Q(artifact__project_id__in=projects)
        return here.filter(own | Q(project=None, artifact__project=None))

    def over(self, artifact: Artifact) -> Self:
        """Keep those that count for an artifact."""
        return self.filter(
            Q(artifact=None) | Q(artifact=artifact.pk),
            Q(project=None) | Q(project_id=artifact.project_id),
            Q(kind="") | Q(kind=artifact.kind),
            Q(spares_prompts=False) if artifact.kind == Artifact.Kind.PROMPT else Q(),
        )

    def fetch(self, identity: Any) -> "Gate":
        """Fetch by id. Raises NotFound."""
        found = self.filter(pk=identity).first()
        if found is None:
            raise NotFound("there is no such gate")
        return found


class Gate(models.Model):
    """What a version must be before a protected alias or stage may point at it.

    It counts for one artifact, for a project's, for those of a kind, or for all; where several count, all must be passed.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=limits.KEY_CHARS, unique=True)
    artifact = models.ForeignKey(
        Artifact, null=True, blank=True, on_delete=models.CASCADE, related_name="gates", help_text="empty: any"
    )
    # None is every project's: a project that goes takes its gates along.
    project = models.ForeignKey(
        "tracking.Project",
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="+",
        help_text="empty: every project, and what is shared",
    )
    kind = models.CharField(max_length=20, blank=True, choices=Artifact.Kind, help_text="empty: any kind")
    spares_prompts = models.BooleanField(
        default=False, db_default=False, help_text="of any kind but prompts, as the gate that a tenant begins with"
    )
    aliases = ArrayField(models.CharField(max_length=limits.ALIAS_CHARS), default=list, blank=True)
    stages = ArrayField(models.CharField(max_length=20), default=list, blank=True)
    metrics = models.JSONField(default=list, blank=True)
    files = ArrayField(models.CharField(max_length=limits.PATH_BYTES), default=list, blank=True)
    sections = ArrayField(models.CharField(max_length=limits.KEY_CHARS), default=list, blank=True)
    needs_signature = models.BooleanField(default=False)
    max_run_age_hours = models.FloatField(
        null=True,
        blank=True,
        validators=[MinValueValidator(limits.RUN_AGE_HOURS_LEAST), MaxValueValidator(limits.RUN_AGE_HOURS)],
        help_text="hours since the run that made the version ended; empty: any age",
    )
    approvals = models.PositiveSmallIntegerField(
        default=0,
        validators=[MaxValueValidator(limits.GATE_APPROVALS)],
        help_text="by approvers who neither made the version nor ask for it",
    )
    revision = models.PositiveIntegerField(default=1, editable=False)
    changed_by = models.CharField(max_length=250, blank=True, editable=False)
    changed_at = models.DateTimeField()

    objects = GateQuerySet.as_manager()

    class Meta:
        ordering = ("name",)
        constraints = [
            models.CheckConstraint(
                name="registry_gate_of_one_artifact", condition=Q(artifact=None) | Q(project=None, kind="")
            ),
            models.CheckConstraint(name="registry_gate_in_bounds", condition=Q(approvals__lte=limits.GATE_APPROVALS)),
        ]

    @property
    def home(self) -> Any:
        """The project whose gate this is; None is the tenant's."""
        return self.artifact.project_id if self.artifact else self.project_id

    def protects(self, target: Target) -> bool:
        """Say whether this gate stands before an alias or a stage."""
        if target.what == "stage":
            return target.name in self.stages
        return target.name in self.aliases or EVERY in self.aliases

    def __str__(self) -> str:
        return self.name


class PromotionQuerySet(models.QuerySet["Promotion"]):
    """Questions about promotions."""

    def waiting(self) -> Self:
        """Keep those that still wait for somebody."""
        return self.filter(state=Promotion.State.WAITING)

    def for_page(self) -> Self:
        """Everything that a list or page of promotions shows, in a fixed number of queries."""
        return self.select_related("artifact", "version")

    def fetch(self, identity: Any) -> "Promotion":
        """Fetch by id. Raises NotFound."""
        found = self.filter(pk=identity).first()
        if found is None:
            raise NotFound("there is no such promotion")
        return found


class Promotion(models.Model):
    """Somebody asks that an alias or a stage be given to a version."""

    class State(models.TextChoices):
        """How far it is."""

        WAITING = "waiting"
        DONE = "done"
        DECLINED = "declined"
        WITHDRAWN = "withdrawn"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    artifact = models.ForeignKey(Artifact, on_delete=models.CASCADE, related_name="promotions")
    version = models.ForeignKey(ArtifactVersion, on_delete=models.CASCADE, related_name="promotions")
    what = models.CharField(max_length=5, choices=[("alias", "alias"), ("stage", "stage")])
    name = models.CharField(max_length=limits.ALIAS_CHARS)
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    why = models.TextField(blank=True, max_length=limits.WHY_CHARS)
    asked_by = models.CharField(max_length=250)
    asked_at = models.DateTimeField()
    ended_by = models.CharField(max_length=250, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    objects = PromotionQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        constraints = [
            models.UniqueConstraint(
                fields=["version", "what", "name"],
                name="registry_one_open_promotion",
                condition=Q(state="waiting"),
            )
        ]
        indexes = [models.Index(fields=["state", "-id"], name="registry_promotion_state")]

    @property
    def target(self) -> Target:
        """The alias or stage that is asked for."""
        return Target(self.what, self.name)

    def __str__(self) -> str:
        return f"{self.version} as {self.name}"
