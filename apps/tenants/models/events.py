"""The tenants room: events that are written and never changed: the shape of each tenant's log, and the operators' own."""

from enum import StrEnum
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models

from maestro.clock import uuid7


class Action(StrEnum):
    """What an event says was done, as `noun.verb`. Each room lists its own once, in its `actions.py`."""


class EventQuerySet(models.QuerySet[Any]):
    """Writing a log."""

    def record(  # noqa: PLR0913 an event is all of these
        self,
        action: Action,
        *,
        actor: str,
        object_type: str = "",
        object_id: str = "",
        role: str = "",
        before: Any = None,
        after: Any = None,
        address: str = "",
        request_id: str = "",
    ) -> Any:
        """Write one event, in the transaction of the change that it records."""
        return self.create(
            action=action.value,
            actor=actor[:250],
            role=role,
            object_type=object_type,
            object_id=str(object_id)[:250],
            before=before,
            after=after,
            address=address or None,
            request_id=request_id[:64],
        )


class Event(models.Model):
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

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.actor} {self.action} {self.object_type} {self.object_id}"


class OperatorEvent(Event):
    """What operators did: to tenants by command, to operators and their second factors on the base host's pages.

    Append-only by a trigger and by the login's rights, as each tenant's log is; it outlives the tenants it tells of.
    """

    objects = EventQuerySet.as_manager()

    class Meta:
        ordering = ("-at", "-id")
        indexes = [models.Index(fields=["object_id", "at"], name="tenants_event_object")]
