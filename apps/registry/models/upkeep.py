"""The registry room: how far the checks of what is kept have come, and which manifests are written."""

from django.db import models


class BlobCheck(models.Model):
    """A check that is under way or was stopped: what it has found so far, and the last content that it looked at."""

    contents = models.BooleanField(unique=True, help_text="whether everything is read, or only asked for")
    position = models.CharField(max_length=64, blank=True)
    blobs = models.BigIntegerField(default=0)
    bytes_read = models.BigIntegerField(default=0)
    missing = models.JSONField(default=list)
    changed = models.JSONField(default=list)
    started_at = models.DateTimeField()
    noted_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"{self.blobs} contents"


class Manifest(models.Model):
    """A manifest that lies in the store: of which version, and of which state of it. It outlives the version for a moment.

    Or a record (`apps/registry/upkeep/records.py`): `version_id` is then the id of its artifact.
    """

    key = models.CharField(primary_key=True, max_length=200)
    version_id = models.UUIDField(unique=True)
    stamp = models.CharField(max_length=32)
    written_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.key
