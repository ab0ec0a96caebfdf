"""The tracking room's REST door: webhooks, which tell others what happens, and the log of what they were told."""

import uuid
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from apps.tenants.access.people.principal import acting
from apps.tracking.models import Project, Telling, Webhook
from apps.tracking.notices import sending, webhooks
from apps.tracking.notices.events import MLFLOW_EVENTS, Happening
from apps.tracking.notices.webhooks import NewWebhook
from apps.tracking.scoping import projects_for
from maestro import limits
from maestro.api.etags import check_match, tagged
from maestro.api.permissions import asking, reading_and_writing
from maestro.api.serializers import Listed, Real, StrictSerializer, Text
from maestro.http.throttling import limiter
from maestro.principals import home_of

EVENTS = sorted([*Happening, *MLFLOW_EVENTS])
SIGNING = "one that the other side made; left out: a new one"


class WebhookFacts(StrictSerializer):
    """What may be changed of a webhook."""

    name = Text(required=False, max_length=limits.NAME_CHARS)
    description = Text(required=False, allow_blank=True, max_length=limits.WEBHOOK_WORDS)
    url = Text(required=False, max_length=limits.WEBHOOK_URL_CHARS, help_text="https; a public address")
    events = Listed(child=serializers.ChoiceField(choices=EVENTS), required=False, max_length=len(EVENTS))
    state = serializers.ChoiceField(choices=("active", "paused"), required=False)


class WebhookNew(WebhookFacts):
    """A webhook to be made."""

    name = Text(max_length=limits.NAME_CHARS)
    url = Text(max_length=limits.WEBHOOK_URL_CHARS, help_text="https; a public address")
    events = Listed(child=serializers.ChoiceField(choices=EVENTS), max_length=len(EVENTS))
    project = Text(required=False, max_length=100, help_text="slug or id; left out: all projects")
    format = serializers.ChoiceField(choices=Webhook.Format.choices, required=False, default=Webhook.Format.MAESTRO)
    secret = Text(required=False, max_length=limits.HOOK_SECRET_CHARS, help_text=SIGNING)


class WebhookTurn(StrictSerializer):
    """A new secret."""

    hours = Real(
        required=False,
        default=webhooks.OVERLAP_HOURS,
        min_value=0,
        max_value=webhooks.MOST_OVERLAP_HOURS,
        help_text="for which the old secret signs as well",
    )
    secret = Text(required=False, max_length=limits.HOOK_SECRET_CHARS, help_text=SIGNING)


class WebhookShown(serializers.ModelSerializer[Webhook]):
    """A webhook, without its secrets."""

    project = serializers.UUIDField(source="project_id", allow_null=True)
    events = serializers.ListField(child=serializers.CharField(), read_only=True)

    class Meta:
        model = Webhook
        fields = (
            "id",
            "project",
            "name",
            "description",
            "format",
            "url",
            "events",
            "state",
            "reason",
            "failing_since",
            "created_by",
            "created_at",
            "updated_at",
        )
        read_only_fields = fields


class WebhookIssued(WebhookShown):
    """A webhook with its secret, the only time; empty where nothing is signed."""

    secret = serializers.CharField(read_only=True)

    class Meta:
        model = Webhook
        fields = (*WebhookShown.Meta.fields, "secret")
        read_only_fields = fields


class TellingShown(serializers.ModelSerializer[Telling]):
    """What became of telling something. A `status` of 0 is no answer."""

    event = serializers.CharField(source="notice.event")
    happened_at = serializers.DateTimeField(source="notice.at")

    class Meta:
        model = Telling
        fields = (
            "id",
            "event",
            "happened_at",
            "state",
            "tries",
            "status",
            "duration_ms",
            "reason",
            "next_at",
            "ended_at",
        )
        read_only_fields = fields


class Tested(serializers.Serializer[Any]):
    """What a test was answered."""

    arrived = serializers.BooleanField()
    status = serializers.IntegerField(help_text="0 for no answer")
    reason = serializers.CharField(allow_blank=True)


def named(request: Request, identity: uuid.UUID) -> Webhook:
    """Fetch one within reach. Raises NotFound."""
    return webhooks.fetch(webhooks.webhooks_for(asking(request)), identity)


def home(request: Request, given: str) -> Project | None:
    """The project that a new webhook tells of: named, or the only one in reach; None is all. Raises NotFound, Invalid."""
    who = asking(request)
    known = home_of(who.projects, "name the project that it tells of") if not given else None
    return projects_for(who).fetch(given or str(known)) if given or known else None


class WebhookList(GenericAPIView[Webhook]):
    """All webhooks, and new ones. A repeated POST makes another: its secret must not be kept to be repeated."""

    required_role = reading_and_writing(write="admin", read="admin")
    serializer_class = WebhookShown
    page_ordering = ("name", "id")

    def get_queryset(self) -> Any:
        """Keep what the caller rules."""
        return webhooks.webhooks_for(asking(self.request))

    @extend_schema(operation_id="webhooks_list")
    def get(self, request: Request) -> Response:
        """List them by name."""
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response(WebhookShown(page, many=True).data)

    @extend_schema(operation_id="webhooks_make", request=WebhookNew, responses={201: WebhookIssued})
    def post(self, request: Request) -> Response:
        """Have an address told what happens. The secret that signs it is in this answer and nowhere else."""
        asked = WebhookNew(data=request.data)
        asked.is_valid(raise_exception=True)
        fields = dict(asked.validated_data)
        project = home(request, fields.pop("project", ""))
        made = webhooks.make(NewWebhook(**fields), project, by=acting(request))
        return Response(WebhookShown(made.webhook).data | {"secret": made.secret}, status=201)


class WebhookDetail(GenericAPIView[Webhook]):
    """One webhook."""

    required_role = reading_and_writing(write="admin", read="admin")
    serializer_class = WebhookShown

    @extend_schema(operation_id="webhooks_get")
    def get(self, request: Request, webhook: uuid.UUID) -> Response:
        """Show it: whether it works, and why not."""
        return tagged(request, WebhookShown(named(request, webhook)).data)

    @extend_schema(operation_id="webhooks_patch", request=WebhookFacts, responses=WebhookShown)
    def patch(self, request: Request, webhook: uuid.UUID) -> Response:
        """Change, pause or resume it. One that stopped by itself begins anew as `active`."""
        asked = WebhookFacts(data=request.data)
        asked.is_valid(raise_exception=True)

        def guard(held: Webhook) -> None:
            check_match(request, WebhookShown(held).data, required=False)

        changed = webhooks.change(named(request, webhook), asked.validated_data, by=acting(request), guard=guard)
        return tagged(request, WebhookShown(changed).data)

    @extend_schema(operation_id="webhooks_close", responses={204: None})
    def delete(self, request: Request, webhook: uuid.UUID) -> Response:
        """Tell it nothing more. Its secrets go at once."""
        webhooks.close(named(request, webhook), by=acting(request))
        return Response(status=204)


class WebhookRotation(GenericAPIView[Webhook]):
    """Replacing a webhook's secret."""

    required_role = "admin"
    serializer_class = WebhookTurn

    @extend_schema(operation_id="webhooks_rotate", request=WebhookTurn, responses={201: WebhookIssued})
    def post(self, request: Request, webhook: uuid.UUID) -> Response:
        """Give it a new secret; for some hours the old one signs as well."""
        asked = WebhookTurn(data=request.data)
        asked.is_valid(raise_exception=True)
        row = named(request, webhook)
        made = webhooks.rotate(row, by=acting(request), at=timezone.now(), **asked.validated_data)
        return Response(WebhookShown(made.webhook).data | {"secret": made.secret}, status=201)


class WebhookTest(GenericAPIView[Webhook]):
    """Trying a webhook."""

    required_role = "admin"
    serializer_class = Tested

    @extend_schema(operation_id="webhooks_test", request=None, responses=Tested)
    def post(self, request: Request, webhook: uuid.UUID) -> Response:
        """Send a test now, once, and tell the answer's status. What the other side writes is not shown."""
        row = named(request, webhook)
        limiter.take(f"webhook-test:{row.pk}", limits.WEBHOOK_TESTS_MINUTE)
        tried = sending.try_out(row, by=acting(request), at=timezone.now())
        return Response(Tested(tried).data)


class TellingList(GenericAPIView[Telling]):
    """What a webhook was told in the last 30 days."""

    required_role = {"GET": "admin"}
    serializer_class = TellingShown
    page_ordering = ("-id",)

    @extend_schema(operation_id="tellings_list")
    def get(self, request: Request, webhook: uuid.UUID) -> Response:
        """List it, newest first, with what became of each."""
        page = self.paginate_queryset(Telling.objects.filter(webhook=named(request, webhook)).select_related("notice"))
        return self.get_paginated_response(TellingShown(page, many=True).data)


class TellingReplay(GenericAPIView[Telling]):
    """Telling something once more."""

    required_role = "admin"
    serializer_class = TellingShown

    @extend_schema(operation_id="tellings_replay", request=None, responses={202: None})
    def post(self, request: Request, webhook: uuid.UUID, telling: uuid.UUID) -> Response:
        """Have it sent again under the same id, so that who has it already can tell."""
        webhooks.replay(named(request, webhook), telling, by=acting(request), at=timezone.now())
        return Response(status=202)
