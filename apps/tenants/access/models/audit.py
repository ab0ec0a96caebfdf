"""The access room: the audit log. Append-only by a trigger and by the role's rights."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from apps.tenants.models.events import Event, EventQuerySet

LEAST_DAYS, MOST_DAYS = 30, 36_500


class AuditQuerySet(EventQuerySet):
    """Writing and reading the log."""


class AuditEvent(Event):
    """Who did what to which thing in a tenant."""

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
