"""The registry room's REST door: where aliases pointed, and the way back."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from apps.registry import aliases
from apps.registry.api.serializers import AliasShown
from apps.registry.models import Alias, AliasMove
from apps.registry.scoping import artifacts_for, changeable
from apps.tenants.access.idempotency import IdempotentPosts
from apps.tenants.access.people.principal import acting
from maestro import limits
from maestro.api.etags import check_match, tagged
from maestro.api.permissions import asking, reading_and_writing
from maestro.api.serializers import StrictSerializer, Text


class RollbackAsked(StrictSerializer):
    """Why an alias goes back."""

    why = Text(required=False, allow_blank=True, max_length=limits.WHY_CHARS)


class MoveShown(serializers.ModelSerializer[AliasMove]):
    """A move of an alias."""

    alias = serializers.CharField(source="name")
    from_version = serializers.SerializerMethodField()
    to_version = serializers.SerializerMethodField()

    class Meta:
        model = AliasMove
        fields = ("id", "alias", "act", "from_version", "to_version", "moved_by", "at", "why", "evidence_id")
        read_only_fields = fields

    def get_from_version(self, move: AliasMove) -> str | None:
        """Show the number as text, as everywhere."""
        return None if move.from_number is None else str(move.from_number)

    def get_to_version(self, move: AliasMove) -> str | None:
        """Show the number as text, as everywhere."""
        return None if move.to_number is None else str(move.to_number)


class AliasHistory(GenericAPIView[AliasMove]):
    """Where an alias pointed."""

    required_role = reading_and_writing()
    serializer_class = MoveShown
    page_ordering = ("-id",)

    @extend_schema(operation_id="alias_history")
    def get(self, request: Request, artifact: str, alias: str) -> Response:
        """List the moves of an alias, newest first."""
        found = AliasMove.objects.filter(artifact=artifacts_for(asking(request)).fetch(artifact), name=alias)
        return self.get_paginated_response(MoveShown(self.paginate_queryset(found), many=True).data)


class AliasRollback(IdempotentPosts, GenericAPIView[Alias]):
    """The way back of an alias."""

    required_role = {"POST": "contributor"}
    serializer_class = AliasShown

    @extend_schema(operation_id="aliases_roll_back", request=RollbackAsked, responses={200: AliasShown})
    def post(self, request: Request, artifact: str, alias: str) -> Response:
        """Point an alias at the version before. Needs If-Match. A protected one goes back to what passed its gate once."""
        asked = RollbackAsked(data=request.data)
        asked.is_valid(raise_exception=True)

        def guard(held: Alias) -> None:
            check_match(request, AliasShown(held).data, required=True)

        found, why = changeable(asking(request), artifact), asked.validated_data.get("why", "")
        moved, _ = aliases.roll_back(found, alias, acting(request), at=timezone.now(), why=why, guard=guard)
        shown: dict[str, Any] = dict(AliasShown(moved).data)
        return tagged(request, shown)
