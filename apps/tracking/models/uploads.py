"""The tracking room: large files that arrive in parts, until they are whole or have waited too long."""

from django.db import models

from maestro import limits
from maestro.clock import uuid7


class Upload(models.Model):
    """A file on its way in. Its parts are asked of the store itself, so that nothing told twice can differ.

    path          the file that it will be, in a folder of a run, a logged model or a trace; empty for bytes by digest
    sha256        what was promised; of an upload to a path it is empty until that is done
    digests       the sha256 of each part by its number, as far as they were told
    multipart_id  the bucket's own name for it; empty where parts come through the web server
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    owner = models.CharField(max_length=100, help_text="kind and id of who sends it")
    path = models.CharField(max_length=limits.PATH_BYTES + 1_000, blank=True)
    sha256 = models.CharField(max_length=64, blank=True)
    size_bytes = models.BigIntegerField(null=True)
    part_size_bytes = models.BigIntegerField(null=True)
    parts = models.IntegerField()
    digests = models.JSONField(default=dict)
    storage_key = models.CharField(max_length=200, blank=True)
    multipart_id = models.TextField(blank=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    done_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["owner", "sha256"],
                condition=models.Q(done_at=None, path=""),
                name="tracking_one_open_upload_a_digest",
            )
        ]
        indexes = [models.Index(fields=["expires_at"], name="tracking_upload_expiry")]

    def size_of(self, number: int) -> int:
        """Say how large a part has to be: all are equal but the last. Only where the whole size is known."""
        assert self.size_bytes is not None and self.part_size_bytes is not None  # noqa: S101, PT018 both or none
        return min(self.part_size_bytes, self.size_bytes - (number - 1) * self.part_size_bytes)

    def __str__(self) -> str:
        return f"{self.path or self.sha256[:12]} in {self.parts} parts"
