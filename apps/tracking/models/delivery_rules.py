"""The tracking room: what counts as a deployment of a project, and incidents: times in which what it serves was broken."""

from datetime import datetime
from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from apps.tracking.models.projects import Project
from maestro import limits
from maestro.clock import uuid7
from maestro.principals import Reach

SERVING = ("champion", "production")


def serving() -> list[str]:
    """The aliases that serve where nothing else is said."""
    return list(SERVING)


class DeliveryRule(models.Model):
    """How a project's delivery is measured. A project without one: by its forge if it is connected to one, else by alias."""

    class Source(models.TextChoices):
        """What counts as a deployment. One of them: both would count the same model twice."""

        FORGE = "forge", "deployments that a forge tells"
        ALIAS = "alias", "moves of a serving alias"

    project = models.OneToOneField(Project, primary_key=True, on_delete=models.CASCADE, related_name="delivery_rule")
    source = models.CharField(
        max_length=10, choices=Source, blank=True, help_text="empty: forge if connected, else alias"
    )
    serving_aliases = ArrayField(models.CharField(max_length=limits.ALIAS_CHARS), default=serving)
    hour_rate = models.FloatField(null=True, blank=True, help_text="what an hour of its work costs")
    currency = models.CharField(max_length=3, blank=True, help_text="of the rate and of costs: EUR")
    set_by = models.CharField(max_length=250, blank=True)
    set_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"how {self.project} is measured"


class WorkCalendar(models.Model):
    """Where a tenant's days and weeks begin. There is one row at most; without it they are UTC's."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    time_zone = models.CharField(max_length=64)
    set_by = models.CharField(max_length=250, blank=True)
    set_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [models.CheckConstraint(name="tracking_one_calendar", condition=Q(id=1))]

    def __str__(self) -> str:
        return self.time_zone


class IncidentQuerySet(models.QuerySet["Incident"]):
    """Questions about incidents."""

    def of_projects(self, projects: Reach) -> Self:
        """Keep those of some projects."""
        return self if projects is None else self.filter(project_id__in=projects)

    def during(self, since: datetime, until: datetime) -> Self:
        """Keep those that began in a time."""
        return self.filter(opened_at__gte=since, opened_at__lt=until)


class Incident(models.Model):
    """A time in which what a project serves was broken, as somebody or a pager tells it."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="incidents", db_index=False)
    title = models.CharField(max_length=limits.NAME_CHARS)
    opened_at = models.DateTimeField()
    resolved_at = models.DateTimeField(null=True, blank=True)
    told_by = models.CharField(max_length=250, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = IncidentQuerySet.as_manager()

    class Meta:
        ordering = ("-opened_at", "-id")
        indexes = [models.Index(fields=["project", "opened_at"], name="tracking_incident_opened")]
        constraints = [
            models.CheckConstraint(
                name="tracking_incident_ends_later", condition=Q(resolved_at=None) | Q(resolved_at__gte=F("opened_at"))
            )
        ]

    def __str__(self) -> str:
        return self.title
