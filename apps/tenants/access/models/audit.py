"""The access room: the audit log. Append-only by a trigger and by the role's rights."""

from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models

from maestro.clock import uuid7


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
        ordering = ("-id",)
        indexes = [models.Index(fields=["object_type", "object_id"], name="access_audit_object")]

    def __str__(self) -> str:
        return f"{self.actor} {self.action} {self.object_type} {self.object_id}"
