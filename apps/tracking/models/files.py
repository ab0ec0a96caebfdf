"""The tracking room: bytes by their digest, and the names that runs give them."""

from django.db import models

from apps.tracking.models.runs import Run
from maestro import limits


class Blob(models.Model):
    """One distinct content of a tenant, stored once whoever uploads it."""

    sha256 = models.CharField(primary_key=True, max_length=64)
    size_bytes = models.BigIntegerField()
    storage_key = models.CharField(max_length=200)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.sha256[:12]


class Offer(models.Model):
    """Somebody brought these bytes and may name them, until a sweep forgets it; whoever else has them says nothing."""

    sha256 = models.CharField(max_length=64)
    owner = models.CharField(max_length=100, help_text="kind and id of who brought them")
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["sha256", "owner"], name="tracking_one_offer_an_owner")]

    def __str__(self) -> str:
        return f"{self.sha256[:12]} by {self.owner}"


class RunFile(models.Model):
    """A file of a run: a path and the bytes behind it."""

    id = models.BigAutoField(primary_key=True)
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="files")
    path = models.CharField(max_length=limits.PATH_BYTES)
    blob = models.ForeignKey(Blob, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "path"], name="tracking_one_file_a_path")]

    def __str__(self) -> str:
        return self.path
