"""The tracking room: projects, their people, and how they went."""

import re
import uuid
from typing import Self

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from maestro import limits
from maestro.clock import is_uuid, uuid7
from maestro.errors import NotFound

DEFAULT_PROJECT_ID = uuid.UUID("00000000-0000-7000-8000-000000000000")
SLUG = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,98}[a-z0-9])?")


class ProjectQuerySet(models.QuerySet["Project"]):
    """Questions about projects."""

    def finished(self) -> Self:
        """Keep projects whose outcome is known."""
        return self.exclude(success=None)

    def fetch(self, identity: str | uuid.UUID) -> "Project":
        """Fetch by id or slug, which may look like an id. Raises NotFound."""
        text = str(identity)
        found = self.filter(pk=uuid.UUID(text)).first() if is_uuid(text) else None
        found = found or self.filter(slug=text).first()
        if found is None:
            raise NotFound("there is no such project")
        return found


class Project(models.Model):
    """A piece of ML work with a goal: what was known before it began, what was planned, and what came of it."""

    class ProblemClass(models.TextChoices):
        """What kind of problem is being solved."""

        CLASSIFICATION = "classification"
        REGRESSION = "regression"
        FORECASTING = "forecasting"
        CLUSTERING = "clustering"
        RANKING = "ranking"
        NLP = "nlp"
        VISION = "vision"
        OTHER = "other"

    class OutcomeSource(models.TextChoices):
        """Who says how it went."""

        PERSON = "person"
        DERIVED = "derived"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    slug = models.CharField(max_length=100, unique=True)
    name = models.CharField(max_length=limits.NAME_CHARS)
    description = models.TextField(blank=True, max_length=limits.TEXT_CHARS)
    problem_class = models.CharField(max_length=20, choices=ProblemClass, default=ProblemClass.OTHER)
    complexity = models.PositiveSmallIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1), MaxValueValidator(100)], help_text="1 to 100"
    )
    dataset_facts = models.JSONField(default=dict, blank=True, help_text="numbers known before work began")
    team = models.CharField(max_length=100, blank=True)
    team_size = models.PositiveSmallIntegerField(null=True, blank=True, help_text="people")
    starts_at = models.DateTimeField(null=True, blank=True)
    ends_at = models.DateTimeField(null=True, blank=True)
    planned_duration_days = models.FloatField(null=True, blank=True)
    planned_cost = models.FloatField(null=True, blank=True)
    planned_effort_hours = models.FloatField(null=True, blank=True)
    actual_duration_days = models.FloatField(null=True, blank=True)
    actual_cost = models.FloatField(null=True, blank=True)
    actual_effort_hours = models.FloatField(null=True, blank=True)
    goal_metric = models.CharField(max_length=limits.KEY_CHARS, blank=True)
    goal_maximize = models.BooleanField(default=True)
    goal_worst = models.FloatField(null=True, blank=True, help_text="the goal metric that counts as success 0")
    goal_best = models.FloatField(null=True, blank=True, help_text="the goal metric that counts as success 100")
    success = models.FloatField(
        null=True, blank=True, validators=[MinValueValidator(0), MaxValueValidator(100)], help_text="0 to 100"
    )
    model_performance = models.FloatField(null=True, blank=True)
    business_value = models.FloatField(null=True, blank=True)
    outcome_source = models.CharField(max_length=10, choices=OutcomeSource, blank=True)
    outcome_set_by = models.CharField(max_length=250, blank=True)
    outcome_set_at = models.DateTimeField(null=True, blank=True)
    outcome_rule = models.CharField(max_length=500, blank=True)
    labels = models.JSONField(default=dict, blank=True)
    quota_bytes = models.BigIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(0), MaxValueValidator(limits.QUOTA_BYTES)],
        help_text="bytes that its files may have together, each content once; empty: no bound of its own",
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ProjectQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at",)
        constraints = [
            models.CheckConstraint(
                name="tracking_success_in_points",
                condition=Q(success=None) | Q(success__gte=0, success__lte=100),
            )
        ]

    def __str__(self) -> str:
        return self.name


class PlanRevision(models.Model):
    """A project's plan as it stood from some time on. The first is what it began with."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="plans")
    at = models.DateTimeField()
    planned_duration_days = models.FloatField(null=True)
    planned_cost = models.FloatField(null=True)
    planned_effort_hours = models.FloatField(null=True)
    planned_by = models.CharField(max_length=250, blank=True)

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return f"plan of {self.project} from {self.at:%Y-%m-%d}"


class Member(models.Model):
    """A person's part in a project. The person is an id of this tenant, never an e-mail."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="members")
    user = models.ForeignKey("auth.User", on_delete=models.CASCADE, related_name="memberships")
    title = models.CharField(max_length=100, blank=True)
    joined_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "user"], name="tracking_one_membership")]

    def __str__(self) -> str:
        return f"{self.user} in {self.project}"
