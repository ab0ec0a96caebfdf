"""The tracking room: connections to forges, the secrets that their deliveries are signed with, and the deliveries."""

import secrets
from datetime import datetime
from typing import Self

from django.db import models

from apps.tracking.models.projects import Project
from maestro import limits
from maestro.clock import uuid7

MOST_TRIES = 3


def new_salt() -> bytes:
    """Draw what turns the names of a forge's people into pseudonyms."""
    return secrets.token_bytes(32)


class ConnectionQuerySet(models.QuerySet["Connection"]):
    """Questions about connections."""

    def of_forges(self) -> Self:
        """Keep those that a forge delivers to."""
        return self.exclude(kind=Connection.Kind.GIT)

    def open(self) -> Self:
        """Keep those that still take deliveries."""
        return self.filter(closed_at=None)


class Connection(models.Model):
    """A repository that tells a project what happens in it: by a forge's webhook, or of kind git by its history alone."""

    class Kind(models.TextChoices):
        """The forges whose deliveries are understood."""

        GITHUB = "github", "GitHub"
        GITLAB = "gitlab", "GitLab"
        GITEA = "gitea", "Gitea or Forgejo"
        GIT = "git", "a clone, or CI beside one"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="connections")
    name = models.CharField(max_length=limits.NAME_CHARS)
    kind = models.CharField(max_length=10, choices=Kind)
    address = models.CharField(max_length=120, unique=True, help_text="unguessable; the last part of the URL")
    salt = models.BinaryField(default=new_salt, editable=False)
    created_by = models.CharField(max_length=250, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    closed_at = models.DateTimeField(null=True, blank=True)

    objects = ConnectionQuerySet.as_manager()

    class Meta:
        ordering = ("name", "id")

    def __str__(self) -> str:
        return self.name

    @classmethod
    def forges(cls) -> list[tuple[str, str]]:
        """The kinds that deliver."""
        return [(kind.value, kind.label) for kind in cls.Kind if kind is not cls.Kind.GIT]

    @property
    def path(self) -> str:
        """Where on a host its forge delivers to."""
        return f"/hooks/{self.address}/"


class ConnectionSecretQuerySet(models.QuerySet["ConnectionSecret"]):
    """Questions about secrets of connections."""

    def valid(self, at: datetime) -> Self:
        """Keep those that sign at a time: two while they are rotated."""
        return self.filter(models.Q(ends_at=None) | models.Q(ends_at__gt=at))


class ConnectionSecret(models.Model):
    """What a forge signs its deliveries with, sealed; it is shown once, when it is made."""

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="secrets")
    sealed_secret = models.BinaryField(editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    ends_at = models.DateTimeField(null=True, blank=True)

    objects = ConnectionSecretQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["connection"],
                condition=models.Q(ends_at=None),
                name="tracking_one_current_secret",
            )
        ]

    def __str__(self) -> str:
        return f"secret of {self.connection_id}"


class DeliveryQuerySet(models.QuerySet["Delivery"]):
    """Questions about deliveries."""

    def waiting(self) -> Self:
        """Keep those that a worker has yet to read, the oldest first."""
        return self.filter(state=Delivery.State.WAITING).order_by("id")

    def log(self) -> Self:
        """The newest first, without their bodies."""
        return self.defer("body").order_by("-id")


class Delivery(models.Model):
    """One message of a forge, as it came, and what became of it. Its body is packed by zlib."""

    class State(models.TextChoices):
        """What became of it."""

        WAITING = "waiting"
        READ = "read"
        UNKNOWN = "unknown"
        FAILED = "failed"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="deliveries", db_index=False)
    name = models.CharField(max_length=limits.HOOK_HEADER_CHARS, help_text="the forge's own id of it")
    event = models.CharField(max_length=limits.HOOK_HEADER_CHARS)
    body = models.BinaryField(editable=False)
    size_bytes = models.PositiveIntegerField()
    received_at = models.DateTimeField()
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    reason = models.CharField(max_length=500, blank=True)
    tries = models.PositiveSmallIntegerField(default=0)
    read_at = models.DateTimeField(null=True, blank=True)

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        constraints = [models.UniqueConstraint(fields=["connection", "name"], name="tracking_one_delivery_a_name")]
        indexes = [
            models.Index(fields=["connection", "-id"], name="tracking_delivery_newest"),
            models.Index(fields=["id"], name="tracking_delivery_waiting", condition=models.Q(state="waiting")),
            models.Index(fields=["received_at"], name="tracking_delivery_age"),
        ]

    def __str__(self) -> str:
        return f"{self.event} {self.name}"
