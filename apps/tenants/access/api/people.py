"""The access room's REST door: closing a person."""

from dataclasses import asdict
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from apps.tenants.access.closing import close, heir_named, person_to_close
from apps.tenants.access.people.principal import acting
from maestro.api.permissions import asking
from maestro.api.serializers import StrictSerializer, Text


class Closing(StrictSerializer):
    """How a person is closed."""

    hand_over_to = Text(
        required=False,
        max_length=150,
        help_text="a username: who answers for their keys, which go on; left out: they end",
    )


class ClosedShown(serializers.Serializer[Any]):
    """What ended with a person."""

    username = serializers.CharField(read_only=True, max_length=150)
    keys_ended = serializers.IntegerField(read_only=True, min_value=0)
    keys_handed_over = serializers.IntegerField(read_only=True, min_value=0)
    programs_ended = serializers.IntegerField(read_only=True, min_value=0)
    browsers_ended = serializers.IntegerField(read_only=True, min_value=0)


class PersonClosing(GenericAPIView[Any]):
    """Closing a person's account."""

    required_role = "admin"
    serializer_class = ClosedShown

    @extend_schema(operation_id="people_close", request=Closing, responses=ClosedShown)
    def post(self, request: Request, username: str) -> Response:
        """Close an account: browsers, programs and the keys that the person issued end. Opening it again revives none."""
        asked = Closing(data=request.data)
        asked.is_valid(raise_exception=True)
        person = person_to_close(asking(request), username)
        wished = asked.validated_data.get("hand_over_to")
        heir = heir_named(wished, person) if wished else None
        ended = close(acting(request), person, at=timezone.now(), heir=heir)
        return Response({"username": person.get_username(), **asdict(ended)})
