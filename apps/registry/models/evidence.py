"""The registry room: what is kept for ever: who approved, on what evidence an alias or stage moved, where aliases pointed.

Append-only by a trigger, which lets a person's name become a pseudonym and nothing else. So these rows outlive what they
speak of: they name it by id and by text.
"""

from django.db import models

from apps.registry.models.artifacts import Artifact
from apps.registry.models.gates import Promotion
from maestro import limits
from maestro.clock import uuid7


class Kept(models.Model):
    """A row that outlives the artifact that it tells of."""

    artifact = models.ForeignKey(
        Artifact, on_delete=models.DO_NOTHING, db_constraint=False, related_name="%(class)ss", editable=False
    )
    artifact_name = models.CharField(max_length=limits.NAME_CHARS)
    at = models.DateTimeField()

    class Meta:
        abstract = True


class Approval(Kept):
    """An approver's word on a promotion: yes or no, and why.

    `seen` digests what they looked at: it counts as long as that is what stands there.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    promotion = models.ForeignKey(
        Promotion, on_delete=models.DO_NOTHING, db_constraint=False, related_name="approvals", editable=False
    )
    is_given = models.BooleanField()
    given_by = models.CharField(max_length=250)
    answers_by = models.CharField(max_length=250, help_text="the person behind a key, or the same")
    why = models.TextField(blank=True, max_length=limits.WHY_CHARS)
    seen = models.CharField(max_length=64)

    class Meta:
        ordering = ("id",)
        constraints = [
            models.UniqueConstraint(
                fields=["promotion", "seen", "answers_by", "is_given"], name="registry_one_word_of_an_approver"
            )
        ]

    def __str__(self) -> str:
        return f"{self.given_by}: {'yes' if self.is_given else 'no'}"


class Evidence(Kept):
    """Why an alias or a stage moved through its gate: what was measured at that moment, and who said yes.

    An import is no promotion: another tool had it there, and an operator brought it. No rollback goes back to it.
    """

    class Act(models.TextChoices):
        """What was let through."""

        PROMOTION = "promotion"
        ROLLBACK = "rollback"
        REMOVAL = "removal"
        IMPORT = "import"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    act = models.CharField(max_length=10, choices=Act)
    what = models.CharField(max_length=5)
    name = models.CharField(max_length=limits.ALIAS_CHARS)
    version_id = models.UUIDField()
    number = models.PositiveIntegerField()
    digest = models.CharField(max_length=64, blank=True)
    run_hex = models.CharField(max_length=64, blank=True)
    before_number = models.PositiveIntegerField(null=True, blank=True)
    gates = models.JSONField(default=list)
    outcomes = models.JSONField(default=list)
    promotion_id = models.UUIDField(null=True, blank=True)
    made_by = models.CharField(max_length=250, blank=True)
    asked_by = models.CharField(max_length=250, blank=True)
    moved_by = models.CharField(max_length=250)
    why = models.TextField(blank=True, max_length=limits.WHY_CHARS)

    class Meta:
        ordering = ("-id",)
        verbose_name_plural = "evidence"
        indexes = [models.Index(fields=["artifact", "what", "name"], name="registry_evidence_of_target")]

    def __str__(self) -> str:
        return f"{self.artifact_name} v{self.number} as {self.name}"


class AliasMove(Kept):
    """An alias pointed somewhere, then elsewhere or nowhere. Numbered in the order in which an artifact's aliases moved."""

    class Act(models.TextChoices):
        """How."""

        SET = "set"
        MOVE = "move"
        ROLLBACK = "rollback"
        DELETE = "delete"

    id = models.BigAutoField(primary_key=True)
    name = models.CharField(max_length=limits.ALIAS_CHARS)
    act = models.CharField(max_length=10, choices=Act)
    from_version_id = models.UUIDField(null=True, blank=True)
    from_number = models.PositiveIntegerField(null=True, blank=True)
    to_version_id = models.UUIDField(null=True, blank=True)
    to_number = models.PositiveIntegerField(null=True, blank=True)
    evidence_id = models.UUIDField(null=True, blank=True)
    moved_by = models.CharField(max_length=250)
    why = models.TextField(blank=True, max_length=limits.WHY_CHARS)

    class Meta:
        ordering = ("-id",)
        indexes = [models.Index(fields=["artifact", "name", "-id"], name="registry_moves_of_alias")]

    def __str__(self) -> str:
        return f"{self.artifact_name}@{self.name}: {self.from_number or '-'} to {self.to_number or '-'}"
