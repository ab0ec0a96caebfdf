"""The tracking room's REST door: connections to forges, and the log of what they delivered."""

import uuid
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from apps.tenants.access.people.principal import acting
from apps.tracking.delivery import connections
from apps.tracking.delivery.connections import Issued
from apps.tracking.models import Connection, Delivery
from apps.tracking.scoping import projects_for
from maestro import limits
from maestro.api.permissions import asking, reading_and_writing
from maestro.api.serializers import Real, StrictSerializer, Text


class ConnectionNew(StrictSerializer):
    """A connection to be made."""

    project = Text(max_length=100, help_text="slug or id")
    kind = serializers.ChoiceField(choices=Connection.forges())
    name = Text(max_length=limits.NAME_CHARS)
    secret = Text(
        required=False, max_length=limits.HOOK_SECRET_CHARS, help_text="one that the forge made; left out: a new one"
    )


class ConnectionTurn(StrictSerializer):
    """A new secret."""

    hours = Real(
        required=False,
        default=connections.OVERLAP_HOURS,
        min_value=0,
        max_value=connections.MOST_OVERLAP_HOURS,
        help_text="for which the old secret is still good",
    )
    secret = Text(
        required=False, max_length=limits.HOOK_SECRET_CHARS, help_text="one that the forge made; left out: a new one"
    )


class ConnectionShown(serializers.ModelSerializer[Connection]):
    """A connection, without its secrets."""

    project = serializers.UUIDField(source="project_id")
    url = serializers.SerializerMethodField(help_text="where the forge delivers to")

    class Meta:
        model = Connection
        fields = ("id", "project", "kind", "name", "url", "created_by", "created_at", "closed_at")
        read_only_fields = fields

    def get_url(self, row: Connection) -> str:
        """Write the address on the host that was asked."""
        return str(self.context["request"].build_absolute_uri(row.path))


class ConnectionIssued(ConnectionShown):
    """A connection with its secret, the only time."""

    secret = serializers.CharField(read_only=True)

    class Meta:
        model = Connection
        fields = (*ConnectionShown.Meta.fields, "secret")
        read_only_fields = fields


class DeliveryShown(serializers.ModelSerializer[Delivery]):
    """A delivery, without its body."""

    class Meta:
        model = Delivery
        fields = ("id", "name", "event", "size_bytes", "received_at", "state", "reason", "read_at")
        read_only_fields = fields


def shown(request: Request, row: Connection) -> dict[str, Any]:
    """Show one."""
    return dict(ConnectionShown(row, context={"request": request}).data)


def issued(request: Request, made: Issued) -> Response:
    """Show one with its secret."""
    return Response(shown(request, made.connection) | {"secret": made.secret}, status=201)


def named(request: Request, identity: uuid.UUID) -> Connection:
    """Fetch one within reach. Raises NotFound."""
    return connections.fetch(connections.connections_for(asking(request)), identity)


class ConnectionList(GenericAPIView[Connection]):
    """All connections, and new ones. A repeated POST makes another: its secret must not be kept to be repeated."""

    required_role = reading_and_writing(write="admin", read="admin")
    serializer_class = ConnectionShown
    page_ordering = ("name", "id")

    def get_queryset(self) -> Any:
        """Keep what the caller rules."""
        return connections.connections_for(asking(self.request))

    @extend_schema(operation_id="connections_list")
    def get(self, request: Request) -> Response:
        """List them by name, closed ones too."""
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response([shown(request, row) for row in page or ()])

    @extend_schema(operation_id="connections_make", request=ConnectionNew, responses={201: ConnectionIssued})
    def post(self, request: Request) -> Response:
        """Connect a project to a repository of a forge. The secret is in this answer and nowhere else."""
        asked = ConnectionNew(data=request.data)
        asked.is_valid(raise_exception=True)
        fields = asked.validated_data
        project = projects_for(asking(request)).fetch(fields["project"])
        secret = fields.get("secret", "")
        made = connections.make(project, fields["kind"], fields["name"], by=acting(request), secret=secret)
        return issued(request, made)


class ConnectionDetail(GenericAPIView[Connection]):
    """One connection."""

    required_role = reading_and_writing(write="admin", read="admin")
    serializer_class = ConnectionShown

    @extend_schema(operation_id="connections_get")
    def get(self, request: Request, connection: uuid.UUID) -> Response:
        """Show it with the address that its forge delivers to."""
        return Response(shown(request, named(request, connection)))

    @extend_schema(operation_id="connections_close", responses={204: None})
    def delete(self, request: Request, connection: uuid.UUID) -> Response:
        """Take no more deliveries. What was told stays measured; secrets and bodies as they came go at once."""
        connections.close(named(request, connection), by=acting(request), at=timezone.now())
        return Response(status=204)


class ConnectionRotation(GenericAPIView[Connection]):
    """Replacing a connection's secret."""

    required_role = "admin"
    serializer_class = ConnectionTurn

    @extend_schema(operation_id="connections_rotate", request=ConnectionTurn, responses={201: ConnectionIssued})
    def post(self, request: Request, connection: uuid.UUID) -> Response:
        """Give it a new secret; the old one is good for some hours more, for the time until the forge has the new one."""
        asked = ConnectionTurn(data=request.data)
        asked.is_valid(raise_exception=True)
        row = named(request, connection)
        return issued(request, connections.rotate(row, by=acting(request), at=timezone.now(), **asked.validated_data))


class DeliveryList(GenericAPIView[Delivery]):
    """What a connection delivered in the last 30 days."""

    required_role = {"GET": "admin"}
    serializer_class = DeliveryShown
    page_ordering = ("-id",)

    @extend_schema(operation_id="deliveries_list")
    def get(self, request: Request, connection: uuid.UUID) -> Response:
        """List them, newest first, with what became of each."""
        page = self.paginate_queryset(Delivery.objects.filter(connection=named(request, connection)).defer("body"))
        return self.get_paginated_response(DeliveryShown(page, many=True).data)


class DeliveryReplay(GenericAPIView[Delivery]):
    """Reading a delivery once more."""

    required_role = "admin"
    serializer_class = DeliveryShown

    @extend_schema(operation_id="deliveries_replay", request=None, responses={202: None})
    def post(self, request: Request, connection: uuid.UUID, delivery: uuid.UUID) -> Response:
        """Have a worker read a kept delivery again, as after a failure; the same facts change nothing."""
        connections.replay(named(request, connection), [delivery], by=acting(request))
        return Response(status=202)
