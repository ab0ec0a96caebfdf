"""The access room's REST door: shapes of keys, tokens and audit events."""

from typing import Any

from rest_framework import serializers

from apps.tenants.access.keys.keyring import MOST_OVERLAP_HOURS
from apps.tenants.access.models import ApiKey, AuditEvent
from apps.tenants.access.models.keys import DEFAULT_DAYS, MOST_DAYS
from maestro import limits
from maestro.api.serializers import Listed, StrictSerializer, Text, Whole
from maestro.principals import ROLES, SCOPES


class KeyNew(StrictSerializer):
    """A key to be issued."""

    name = Text(max_length=limits.NAME_CHARS)
    role = serializers.ChoiceField(choices=ROLES)
    days = Whole(required=False, default=DEFAULT_DAYS, min_value=1, max_value=MOST_DAYS)
    project = Text(required=False, allow_null=True, default=None, max_length=100, help_text="slug or id")
    scopes = Listed(child=serializers.ChoiceField(choices=SCOPES), required=False, max_length=5)


class KeyTurn(StrictSerializer):
    """How a key is replaced."""

    days = Whole(
        required=False,
        default=MOST_DAYS,
        min_value=1,
        max_value=MOST_DAYS,
        help_text="at most; a successor ends with the old key's days, whatever is asked",
    )
    overlap_hours = Whole(required=False, default=24, min_value=0, max_value=MOST_OVERLAP_HOURS)


class KeyShown(serializers.ModelSerializer[ApiKey]):
    """A key without its secret."""

    project = serializers.UUIDField(source="project_id", allow_null=True)
    made_by_key = serializers.CharField(source="parent_id", allow_null=True, help_text="the key that made it")

    class Meta:
        model = ApiKey
        fields = (
            "id",
            "family",
            "made_by_key",
            "kind",
            "name",
            "role",
            "project",
            "scopes",
            "last_four",
            "created_by",
            "created_at",
            "expires_at",
            "revoked_at",
            "last_used_at",
        )
        read_only_fields = fields


class KeyIssued(KeyShown):
    """A key as it is shown once."""

    key = serializers.CharField(read_only=True, max_length=200, help_text="shown once; keep it secret")

    class Meta(KeyShown.Meta):
        fields: tuple[str, ...] = (*KeyShown.Meta.fields, "key")  # type: ignore[assignment]
        read_only_fields: tuple[str, ...] = fields  # type: ignore[assignment]


class SignIn(StrictSerializer):
    """A person's name and password."""

    username = Text(max_length=150)
    password = Text(max_length=1_000)
    code = Text(required=False, max_length=40, help_text="of the authenticator app, from who has set one up")


class Refresh(StrictSerializer):
    """A refresh token."""

    refresh = Text(max_length=200)


class PairShown(serializers.Serializer[Any]):
    """Tokens of a person."""

    access = serializers.CharField(read_only=True)
    refresh = serializers.CharField(read_only=True)
    expires_in_seconds = serializers.IntegerField(read_only=True, min_value=0, max_value=3600)


class Whoami(serializers.Serializer[Any]):
    """Who is asking, as the server sees it."""

    kind = serializers.ChoiceField(choices=("key", "job", "person"), read_only=True)
    id = serializers.CharField(read_only=True)
    name = serializers.CharField(read_only=True)
    role = serializers.ChoiceField(choices=ROLES, read_only=True, allow_blank=True, help_text="empty: in projects only")
    tenant = serializers.CharField(read_only=True)
    project = serializers.UUIDField(read_only=True, allow_null=True)
    project_roles = serializers.DictField(child=serializers.CharField(), read_only=True, help_text="project id: role")
    scopes = Listed(child=serializers.CharField(), read_only=True)


class EventShown(serializers.ModelSerializer[AuditEvent]):
    """An audit event."""

    class Meta:
        model = AuditEvent
        fields = (
            "id",
            "at",
            "action",
            "actor",
            "role",
            "object_type",
            "object_id",
            "before",
            "after",
            "address",
            "request_id",
        )
        read_only_fields = fields
