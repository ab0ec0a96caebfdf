"""The access room: the audit log. Append-only by a trigger and by the role's rights."""

from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from maestro.clock import uuid7

LEAST_DAYS, MOST_DAYS = 30, 36_500


class AuditQuerySet(models.QuerySet["AuditEvent"]):
    """Writing and reading the log."""

    def record(
        self,
        action: str,
        *,
        actor: str,
        object_type: str = "",
        object_id: str = "",
        role: str = "",
        before: Any = None,
        after: Any = None,
        address: str = "",
        request_id: str = "",
    ) -> "AuditEvent":
        """Write one event, in the transaction of the change that it records."""
        return self.create(
            action=action,
            actor=actor[:250],
            role=role,
            object_type=object_type,
            object_id=str(object_id)[:250],
            before=before,
            after=after,
            address=address or None,
            request_id=request_id[:64],
        )


class AuditEvent(models.Model):
    """Who did what to which thing, when, from where, and what it was before and after."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    at = models.DateTimeField(auto_now_add=True, db_index=True)
    action = models.CharField(max_length=80)
    actor = models.CharField(max_length=250)
    role = models.CharField(max_length=16, blank=True)
    object_type = models.CharField(max_length=80, blank=True)
    object_id = models.CharField(max_length=250, blank=True)
    before = models.JSONField(null=True, encoder=DjangoJSONEncoder)
    after = models.JSONField(null=True, encoder=DjangoJSONEncoder)
    address = models.GenericIPAddressField(null=True)
    request_id = models.CharField(max_length=64, blank=True)

    objects = AuditQuerySet.as_manager()

    class Meta:
        ordering = ("-at", "-id")
        indexes = [
            models.Index(fields=["object_type", "object_id"], name="access_audit_object"),
            models.Index(fields=["at", "id"], name="access_audit_time"),
            models.Index(fields=["action", "at", "id"], name="access_audit_action"),
            models.Index(fields=["actor", "at", "id"], name="access_audit_actor"),
            models.Index(fields=["request_id"], name="access_audit_request"),
        ]

    def __str__(self) -> str:
        return f"{self.actor} {self.action} {self.object_type} {self.object_id}"


class AuditRetention(models.Model):
    """How long this tenant keeps its audit log: one row, or none to keep everything.

    The database itself keeps 30 days at least, whatever stands here, and writes down what it deletes.
    """

    id = models.SmallIntegerField(primary_key=True, default=1, editable=False)
    keep_days = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(LEAST_DAYS), MaxValueValidator(MOST_DAYS)],
        help_text=f"{LEAST_DAYS} to {MOST_DAYS} days; empty keeps everything",
    )

    class Meta:
        verbose_name_plural = "audit retention"
        constraints = [
            models.CheckConstraint(condition=models.Q(id=1), name="access_retention_is_one"),
            models.CheckConstraint(
                condition=models.Q(keep_days=None) | models.Q(keep_days__range=(LEAST_DAYS, MOST_DAYS)),
                name="access_retention_days",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.keep_days} days" if self.keep_days else "everything"
