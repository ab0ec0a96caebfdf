"""The tracking room's REST door for forges: where their webhooks deliver to. The signature is the credential."""

from typing import Any

from django.conf import settings
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from apps.tracking.delivery import connections, intake
from apps.tracking.delivery.intake import Taken
from apps.tracking.models import Connection
from maestro import limits
from maestro.api.parsers import read_body
from maestro.api.permissions import public_route
from maestro.errors import UnsupportedMedia
from maestro.http.heavy import LARGE_BYTES
from maestro.http.throttling import limiter


class DeliveryTaken(serializers.Serializer[Taken]):
    """That a delivery is kept."""

    delivery = serializers.CharField(source="name", help_text="the forge's id of it")
    state = serializers.ChoiceField(choices=("kept", "known", "pong"), help_text="known: it was here before")


@public_route("a forge's delivery; the connection's secret signs it, and an address is known to its forge alone")
class Hook(GenericAPIView[Any]):
    """A connection's own address."""

    authentication_classes = ()
    serializer_class = DeliveryTaken

    @extend_schema(
        operation_id="hooks_deliver", request={"application/json": OpenApiTypes.OBJECT}, responses={202: DeliveryTaken}
    )
    def post(self, request: Request, hook: str) -> Response:
        """Take a delivery of a forge: it is verified, kept as it came and read by a worker. A second time changes nothing."""
        http, found = request._request, connections.at_address(hook)
        count(found, http.META.get("CONTENT_LENGTH") or "0")
        if http.content_type != "application/json":
            raise UnsupportedMedia("choose application/json as the webhook's content type")
        taken = intake.take(found, http.headers, read_body(http, limits.HOOK_BYTES), timezone.now())
        return Response(DeliveryTaken(taken).data, status=200 if taken.state == "pong" else 202)


def count(found: Connection, length: str) -> None:
    """Count a delivery, and a large one once more. Raises TooMany."""
    limiter.take(f"hook:{found.pk}", settings.RATE_LIMITS["hook"])
    if not (length.isascii() and length.isdecimal()) or len(length) > 7 or int(length) > LARGE_BYTES:
        limiter.take(f"hook-large:{found.pk}", limits.HOOK_LARGE_MINUTE)
