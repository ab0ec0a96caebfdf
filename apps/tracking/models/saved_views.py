"""The tracking room: how a person likes to look at runs, kept under a name, and shared if they wish."""

import uuid
from typing import Self

from django.db import models
from django.db.models import Q

from apps.tracking.models.experiments import Experiment
from apps.tracking.models.projects import Project
from maestro.clock import uuid7
from maestro.errors import NotFound

VIEW_NAME_CHARS = 100


class SavedViewQuerySet(models.QuerySet["SavedView"]):
    """Questions about saved views."""

    def visible_to(self, owner: str) -> Self:
        """Keep a person's own and those that others share."""
        return self.filter(Q(owner=owner) | Q(is_shared=True))

    def fetch(self, identity: str | uuid.UUID) -> "SavedView":
        """Fetch by id. Raises NotFound."""
        try:
            found = self.filter(pk=uuid.UUID(str(identity))).first()
        except ValueError:
            found = None
        if found is None:
            raise NotFound("there is no such view")
        return found


class SavedView(models.Model):
    """A filter, columns, an order, list or charts, over some experiments: the state of the run list under a name.

    `owner` is a principal's kind and id; others see the view only if it is shared.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=VIEW_NAME_CHARS)
    owner = models.CharField(max_length=100)
    owner_name = models.CharField(max_length=250, blank=True)
    experiment = models.ForeignKey(
        Experiment, null=True, blank=True, on_delete=models.CASCADE, related_name="saved_views"
    )
    project = models.ForeignKey(Project, null=True, blank=True, on_delete=models.CASCADE, related_name="saved_views")
    is_shared = models.BooleanField(default=False)
    is_default = models.BooleanField(default=False, help_text="what the experiment's list opens with")
    state = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = SavedViewQuerySet.as_manager()

    class Meta:
        ordering = ("name", "id")
        constraints = [
            models.UniqueConstraint(
                fields=["owner", "experiment", "project", "name"],
                name="tracking_one_view_a_name",
                nulls_distinct=False,
            ),
            models.UniqueConstraint(
                fields=["owner", "experiment"],
                name="tracking_one_own_default",
                condition=Q(is_default=True, is_shared=False),
            ),
            models.UniqueConstraint(
                fields=["experiment"],
                name="tracking_one_shared_default",
                condition=Q(is_default=True, is_shared=True),
            ),
            models.CheckConstraint(
                name="tracking_default_of_an_experiment",
                condition=Q(is_default=False) | Q(experiment__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return self.name
