"""The tracking room: what happened and may be told, the webhooks that are told of it, and what became of each telling."""

from datetime import datetime
from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from apps.tracking.models.projects import Project
from maestro import limits
from maestro.clock import uuid7
from maestro.principals import Reach

EVENT_CHARS = 40


class WebhookQuerySet(models.QuerySet["Webhook"]):
    """Questions about webhooks."""

    def within(self, projects: Reach) -> Self:
        """Keep those of the projects that somebody reaches; what tells of all is for who reaches all."""
        return self if projects is None else self.filter(project_id__in=projects)

    def open(self) -> Self:
        """Keep those that are not closed."""
        return self.exclude(state=Webhook.State.CLOSED)


class Webhook(models.Model):
    """An address of somebody else's that is told what happens in a project, or in all of them.

    url        of formats whose address is itself a secret, its host alone: the whole is among the secrets
    reason     why it is failed, in words
    failing_since  the first failure since something last arrived
    """

    class Format(models.TextChoices):
        """How the telling is written."""

        MAESTRO = "maestro", "Maestro (Standard Webhooks)"
        MLFLOW = "mlflow", "MLflow"
        SLACK = "slack", "Slack"
        TEAMS = "teams", "Teams"

    class State(models.TextChoices):
        """Whether it is told anything: `failed` is what stopped by itself."""

        ACTIVE = "active"
        PAUSED = "paused"
        FAILED = "failed"
        CLOSED = "closed"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    project = models.ForeignKey(Project, null=True, blank=True, on_delete=models.CASCADE, related_name="webhooks")
    name = models.CharField(max_length=limits.NAME_CHARS)
    description = models.CharField(max_length=limits.WEBHOOK_WORDS, blank=True)
    format = models.CharField(max_length=10, choices=Format, default=Format.MAESTRO)
    url = models.CharField(max_length=limits.WEBHOOK_URL_CHARS)
    events = ArrayField(models.CharField(max_length=EVENT_CHARS))
    state = models.CharField(max_length=10, choices=State, default=State.ACTIVE)
    reason = models.CharField(max_length=500, blank=True)
    failing_since = models.DateTimeField(null=True, blank=True)
    created_by = models.CharField(max_length=250, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = WebhookQuerySet.as_manager()

    class Meta:
        ordering = ("name", "id")

    @property
    def is_signed(self) -> bool:
        """Say whether what it is told is signed. Who has the address of a chat has all that there is to know."""
        return self.format in {self.Format.MAESTRO, self.Format.MLFLOW}

    def __str__(self) -> str:
        return self.name


class WebhookSecretQuerySet(models.QuerySet["WebhookSecret"]):
    """Questions about secrets of webhooks."""

    def valid(self, at: datetime) -> Self:
        """Keep those that sign at a time, the newest first: two while they are rotated."""
        return self.filter(Q(ends_at=None) | Q(ends_at__gt=at)).order_by("-created_at", "-id")


class WebhookSecret(models.Model):
    """What tellings are signed with, or the whole address of a chat; sealed, and shown once, when it is made."""

    webhook = models.ForeignKey(Webhook, on_delete=models.CASCADE, related_name="secrets")
    sealed_secret = models.BinaryField(editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    ends_at = models.DateTimeField(null=True, blank=True)

    objects = WebhookSecretQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["webhook"], condition=Q(ends_at=None), name="tracking_one_current_webhook_secret"
            )
        ]

    def __str__(self) -> str:
        return f"secret of {self.webhook_id}"


class NoticeQuerySet(models.QuerySet["Notice"]):
    """Questions about what happened."""

    def unspread(self) -> Self:
        """Keep what nobody was told yet, the oldest first."""
        return self.filter(is_spread=False).order_by("id")


class Notice(models.Model):
    """Something that happened, written in the transaction of the act, if anybody listens.

    data  what who reaches the project may know
    wide  what more who reaches all projects may know
    mlflow_event  MLflow's own name of it, if it has one
    """

    id = models.BigAutoField(primary_key=True)
    event = models.CharField(max_length=EVENT_CHARS)
    mlflow_event = models.CharField(max_length=EVENT_CHARS, blank=True)
    project = models.ForeignKey(Project, null=True, on_delete=models.CASCADE, related_name="+")
    at = models.DateTimeField()
    data = models.JSONField(default=dict)
    wide = models.JSONField(default=dict)
    is_spread = models.BooleanField(default=False)

    objects = NoticeQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        indexes = [
            models.Index(fields=["id"], name="tracking_notice_unspread", condition=Q(is_spread=False)),
            models.Index(fields=["at"], name="tracking_notice_age"),
        ]

    def __str__(self) -> str:
        return f"{self.event} {self.pk}"


class TellingQuerySet(models.QuerySet["Telling"]):
    """Questions about tellings."""

    def due(self, at: datetime) -> Self:
        """Keep what is to be sent by now."""
        return self.filter(state=Telling.State.WAITING, next_at__lte=at)

    def log(self) -> Self:
        """The newest first, with what they tell."""
        return self.select_related("notice").order_by("-id")


class Telling(models.Model):
    """One notice to one webhook: tried until it arrives, or for about a day. `status` is the answer's, 0 for none."""

    class State(models.TextChoices):
        """What became of it."""

        WAITING = "waiting"
        ARRIVED = "arrived"
        FAILED = "failed"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    webhook = models.ForeignKey(Webhook, on_delete=models.CASCADE, related_name="tellings", db_index=False)
    notice = models.ForeignKey(Notice, on_delete=models.CASCADE, related_name="tellings")
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    tries = models.PositiveSmallIntegerField(default=0)
    next_at = models.DateTimeField()
    status = models.PositiveSmallIntegerField(default=0)
    duration_ms = models.PositiveIntegerField(default=0)
    reason = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    objects = TellingQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        constraints = [models.UniqueConstraint(fields=["webhook", "notice"], name="tracking_one_telling_a_notice")]
        indexes = [
            models.Index(fields=["webhook", "-id"], name="tracking_telling_newest"),
            models.Index(fields=["next_at"], name="tracking_telling_due", condition=Q(state="waiting")),
        ]

    def __str__(self) -> str:
        return f"{self.notice_id} to {self.webhook_id}"
