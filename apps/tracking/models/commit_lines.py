"""The tracking room: what a clone, or a CI job beside one, says of commits: sizes, when they landed, and lines that did not last."""

from typing import ClassVar

from django.db import models

from apps.tracking.models.forge_facts import PSEUDONYM_CHARS, Told, ToldQuerySet


class CommitLines(Told):
    """A commit with its size. Authors are pseudonyms of what the repository's mailmap makes of them."""

    MOST: ClassVar[tuple[str, ...]] = ("landed_additions", "reworked")

    sha = models.CharField(max_length=64)
    author = models.CharField(max_length=PSEUDONYM_CHARS)
    committed_at = models.DateTimeField()
    landed_at = models.DateTimeField(help_text="when the main line first held it")
    is_merge = models.BooleanField()
    is_bot = models.BooleanField()
    is_revert = models.BooleanField()
    is_odd = models.BooleanField(help_text="its date cannot be: before 1990 or after now; it is not measured")
    files = models.BigIntegerField()
    additions = models.BigIntegerField()
    deletions = models.BigIntegerField()
    landed_additions = models.BigIntegerField(
        null=True, help_text="lines that the main line gained by it; only of commits of the main line, from a clone"
    )
    reworked = models.BigIntegerField(null=True, help_text="of those, how many were deleted again within 21 days")

    objects = ToldQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["connection", "committed_at"], name="tracking_lines_committed"),
            models.Index(fields=["connection", "landed_at"], name="tracking_lines_landed"),
        ]

    def __str__(self) -> str:
        return self.sha[:12]
