"""The access room's REST door: trusted CI jobs, and their way in."""

from typing import Any

from django.conf import settings
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from apps.tenants.access.api.tokens import OpenView
from apps.tenants.access.idempotency import IdempotentPosts
from apps.tenants.access.keys import exchange, trusting
from apps.tenants.access.keys.publishers import snippet
from apps.tenants.access.models import TrustedPublisher
from apps.tenants.access.people.principal import acting
from apps.tenants.access.people.project_roles import project_within
from apps.tenants.routing import this_tenant
from maestro.api.permissions import asking, public_route, reading_and_writing
from maestro.api.serializers import Mapped, StrictSerializer, Text, Whole
from maestro.errors import NotFound
from maestro.http.addresses import client_address, group_of
from maestro.http.throttling import limiter

MOST_KEYS = 50


class PublisherNew(StrictSerializer):
    """A CI job to be trusted."""

    name = Text(max_length=250)
    kind = serializers.ChoiceField(choices=TrustedPublisher.Kind.choices)
    issuer = serializers.URLField(required=False, max_length=500, help_text="left out: the kind's own")
    audience = Text(required=False, max_length=250, help_text="left out: maestro:<tenant>")
    jwks_url = serializers.URLField(required=False, max_length=500, allow_blank=True)
    jwks = serializers.JSONField(required=False, allow_null=True, help_text="the issuer's keys, if it can't be asked")
    claims = Mapped(child=Text(max_length=500))
    project = Text(max_length=100, help_text="slug or id")
    role = serializers.ChoiceField(choices=("viewer", "contributor", "approver"), default="contributor")
    minutes = Whole(required=False, default=15, min_value=1, max_value=15)

    def validate_jwks(self, value: Any) -> Any:
        """Refuse what is not a set of public keys."""
        if value is None:
            return None
        listed = value.get("keys") if isinstance(value, dict) else None
        if not isinstance(listed, list) or not 1 <= len(listed) <= MOST_KEYS:
            raise serializers.ValidationError('send {"keys": [...]}', code="bad_jwks")
        if any(not isinstance(row, dict) or {"d", "k", "p", "q"} & row.keys() for row in listed):
            raise serializers.ValidationError("only public keys belong here", code="bad_jwks")
        return value


class PublisherShown(serializers.ModelSerializer[TrustedPublisher]):
    """A trusted CI job, and what its CI file needs."""

    project = serializers.UUIDField(source="project_id")
    snippet = serializers.SerializerMethodField()

    class Meta:
        model = TrustedPublisher
        fields = (
            "id",
            "name",
            "kind",
            "issuer",
            "audience",
            "jwks_url",
            "claims",
            "project",
            "role",
            "minutes",
            "is_enabled",
            "created_at",
            "snippet",
        )
        read_only_fields = fields

    def get_snippet(self, row: TrustedPublisher) -> str:
        """Write the lines of a CI file."""
        http = self.context["request"]
        return snippet(row, f"{http.scheme}://{http.get_host()}", this_tenant().slug)


def shown(request: Request, row: TrustedPublisher) -> dict[str, Any]:
    """Show one."""
    return PublisherShown(row, context={"request": request}).data


class ExchangeNew(StrictSerializer):
    """A job's identity token."""

    token = Text(max_length=16_384)


class Admitted(serializers.Serializer[Any]):
    """A key of a few minutes."""

    key = serializers.CharField(read_only=True)
    role = serializers.CharField(read_only=True)
    project = serializers.UUIDField(read_only=True)
    expires_at = serializers.DateTimeField(read_only=True)


def visible(request: Request) -> Any:
    """Keep what the caller may see."""
    who = asking(request)
    found = TrustedPublisher.objects.all()
    return found if who.projects is None else found.filter(project_id__in=who.projects)


class PublisherList(IdempotentPosts, GenericAPIView[TrustedPublisher]):
    """All trusted CI jobs, and new ones."""

    required_role = reading_and_writing(write="admin", read="admin")
    serializer_class = PublisherShown
    page_ordering = ("name", "id")

    def get_queryset(self) -> Any:
        """Keep what the caller may see."""
        return visible(self.request)

    @extend_schema(operation_id="publishers_list")
    def get(self, request: Request) -> Response:
        """List them by name."""
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response([shown(request, row) for row in page or ()])

    @extend_schema(operation_id="publishers_create", request=PublisherNew, responses={201: PublisherShown})
    def post(self, request: Request) -> Response:
        """Trust a CI job: its claims must pin it to ids that nobody can register again."""
        asked = PublisherNew(data=request.data)
        asked.is_valid(raise_exception=True)
        wish = dict(asked.validated_data)
        project_id = project_within(asking(request), wish.pop("project"))
        row = trusting.trust(acting(request), project_id, wish)
        return Response(shown(request, row), status=201)


class PublisherDetail(GenericAPIView[TrustedPublisher]):
    """One trusted CI job."""

    required_role = reading_and_writing(write="admin", read="admin")
    serializer_class = PublisherShown

    def fetch(self, request: Request, publisher: Any) -> TrustedPublisher:
        """Fetch it. Raises NotFound."""
        found = visible(request).filter(pk=publisher).first()
        if found is None:
            raise NotFound("there is no such publisher")
        return found

    @extend_schema(operation_id="publishers_get")
    def get(self, request: Request, publisher: Any) -> Response:
        """Show it with the lines of a CI file."""
        return Response(shown(request, self.fetch(request, publisher)))

    @extend_schema(operation_id="publishers_delete", responses={204: None})
    def delete(self, request: Request, publisher: Any) -> Response:
        """Trust it no more. Keys that its jobs hold end with it, within five seconds."""
        trusting.distrust(acting(request), self.fetch(request, publisher), timezone.now())
        return Response(status=204)


@public_route("a CI job's identity token is the credential; used once, verified against its issuer")
class Exchange(OpenView):
    """A CI job's way in."""

    serializer_class = ExchangeNew

    @extend_schema(operation_id="auth_exchange", request=ExchangeNew, responses={201: Admitted})
    def post(self, request: Request) -> Response:
        """Trade a CI job's identity token for a key of at most 15 minutes."""
        this_tenant()
        asked = ExchangeNew(data=request.data)
        asked.is_valid(raise_exception=True)
        refused = f"refused:{group_of(client_address(request._request))}"
        limiter.check(refused, settings.RATE_LIMITS["refused"])
        try:
            admission = exchange.admit(asked.validated_data["token"], acting(request._request), timezone.now())
        except exchange.UntrustedJob:
            limiter.take(refused, settings.RATE_LIMITS["refused"])
            raise
        key = admission.key
        shown = {"key": admission.text, "role": key.role, "project": key.project_id, "expires_at": key.expires_at}
        return Response(shown, status=201)
