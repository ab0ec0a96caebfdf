"""The registry room: a search for artifacts that somebody keeps under a name."""

import uuid
from typing import Self

from django.db import models

from maestro import limits
from maestro.clock import is_uuid, uuid7
from maestro.errors import NotFound


class SavedSearchQuerySet(models.QuerySet["SavedSearch"]):
    """Questions about saved searches."""

    def of(self, owner: str) -> Self:
        """Keep what somebody saved."""
        return self.filter(owner=owner)

    def fetch(self, identity: str | uuid.UUID) -> "SavedSearch":
        """Fetch by id. Raises NotFound."""
        found = self.filter(pk=uuid.UUID(str(identity))).first() if is_uuid(str(identity)) else None
        if found is None:
            raise NotFound("there is no such search")
        return found


class SavedSearch(models.Model):
    """Words and facets under a name. `owner` is a principal's kind and id; nobody else sees it."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=limits.SEARCH_NAME_CHARS)
    owner = models.CharField(max_length=100)
    asked = models.JSONField(default=dict, help_text="the words and facets that are not empty")
    created_at = models.DateTimeField()

    objects = SavedSearchQuerySet.as_manager()

    class Meta:
        ordering = ("name", "id")
        constraints = [models.UniqueConstraint(fields=["owner", "name"], name="registry_one_search_a_name")]

    def __str__(self) -> str:
        return self.name
