"""The access room's REST door: keys of service accounts."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from apps.tenants.access.api.serializers import KeyIssued, KeyNew, KeyShown, KeyTurn
from apps.tenants.access.keys import keyring
from apps.tenants.access.models import ApiKey
from apps.tenants.access.people.principal import acting
from apps.tenants.access.people.project_roles import project_within
from maestro.api.permissions import asking, reading_and_writing


def issued(key: ApiKey, text: str) -> Response:
    """Show a key and its text, the only time."""
    return Response({**KeyShown(key).data, "key": text}, status=201)


class KeyList(GenericAPIView[ApiKey]):
    """All keys, and new ones. A repeated POST makes another key: its text must not be kept to be repeated."""

    required_role = reading_and_writing(write="admin", read="admin")
    serializer_class = KeyShown
    page_ordering = ("-created_at", "id")

    def get_queryset(self) -> Any:
        """Show a project's key only its project's."""
        return keyring.visible_to(asking(self.request))

    @extend_schema(operation_id="keys_list")
    def get(self, request: Request) -> Response:
        """List keys, newest first, without secrets."""
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response(KeyShown(page, many=True).data)

    @extend_schema(operation_id="keys_issue", request=KeyNew, responses={201: KeyIssued})
    def post(self, request: Request) -> Response:
        """Issue a key with at most your own rights. Its text is in this answer and nowhere else.

        A key that a key makes lasts no longer than its maker, and ends with it.
        """
        asked = KeyNew(data=request.data)
        asked.is_valid(raise_exception=True)
        fields = asked.validated_data
        project = fields["project"]
        wish = keyring.Wish(
            name=fields["name"],
            role=fields["role"],
            days=fields["days"],
            project_id=project_within(asking(request), project) if project else None,
            scopes=tuple(fields.get("scopes", ())),
        )
        return issued(*keyring.issue(acting(request), wish, timezone.now()))


class KeyDetail(GenericAPIView[ApiKey]):
    """One key; `self` is the caller's own."""

    required_role = reading_and_writing(write="admin", read="admin")
    serializer_class = KeyShown

    @extend_schema(operation_id="keys_get")
    def get(self, request: Request, key: str) -> Response:
        """Show a key without its secret."""
        return Response(KeyShown(keyring.look(asking(request), key)).data)

    @extend_schema(operation_id="keys_revoke", responses={204: None})
    def delete(self, request: Request, key: str) -> Response:
        """Revoke a key, its successors by rotation, and the keys that any of them made. In force within five seconds."""
        keyring.revoke_named(acting(request), key, timezone.now())
        return Response(status=204)


class KeyRotation(GenericAPIView[ApiKey]):
    """Replacing a key."""

    required_role = "admin"
    serializer_class = KeyTurn

    @extend_schema(operation_id="keys_rotate", request=KeyTurn, responses={201: KeyIssued})
    def post(self, request: Request, key: str) -> Response:
        """Issue a key with the same rights and the same end; the old one works for the overlap."""
        return turn(request, key)


class OwnKey(GenericAPIView[ApiKey]):
    """The caller's own key, whatever its role: it may end itself."""

    required_role = {"DELETE": "viewer"}
    serializer_class = KeyShown

    @extend_schema(operation_id="keys_revoke_self", responses={204: None})
    def delete(self, request: Request) -> Response:
        """Revoke the key that asks, its family, and the keys that any of them made."""
        keyring.revoke_named(acting(request), "self", timezone.now())
        return Response(status=204)


class OwnKeyRotation(GenericAPIView[ApiKey]):
    """The caller's own key, whatever its role: it may replace itself."""

    required_role = "viewer"
    serializer_class = KeyTurn

    @extend_schema(operation_id="keys_rotate_self", request=KeyTurn, responses={201: KeyIssued})
    def post(self, request: Request) -> Response:
        """Replace the key that asks by one of the same rights and the same end."""
        return turn(request, "self")


def turn(request: Request, key: str) -> Response:
    """Read the wish and rotate."""
    asked = KeyTurn(data=request.data)
    asked.is_valid(raise_exception=True)
    return issued(*keyring.rotate(acting(request), key, at=timezone.now(), **asked.validated_data))
