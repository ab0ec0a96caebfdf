"""The registry room's REST door: promotions, the words of approvers, and the evidence that is kept."""

import uuid
from datetime import datetime
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from apps.registry.gates import promotions, telling
from apps.registry.models import ArtifactVersion, Evidence, Promotion
from apps.registry.scoping import artifacts_for, changeable
from apps.tenants.access.idempotency import IdempotentPosts
from apps.tenants.access.people.principal import acting
from maestro import limits
from maestro.api.etags import check_match, tagged
from maestro.api.permissions import asking, reading_and_writing
from maestro.api.queries import choice, is_dry
from maestro.api.serializers import StrictSerializer, Text

DRY_RUN = OpenApiParameter("dry_run", bool, description="answer what would become of it, and change nothing")
STATE = OpenApiParameter("state", str, enum=Promotion.State.values)
EXAMPLE = OpenApiExample(
    "serve it", value={"alias": "serving", "version": "3", "why": "better on the holdout"}, request_only=True
)


class PromotionNew(StrictSerializer):
    """A version that shall get an alias, or go to a stage: one of them."""

    version = Text(max_length=255, help_text="a number, a digest or an alias")
    alias = Text(required=False, allow_blank=True, max_length=limits.ALIAS_CHARS)
    stage = Text(required=False, allow_blank=True, max_length=60)
    why = Text(required=False, allow_blank=True, max_length=limits.WHY_CHARS)


class WordNew(StrictSerializer):
    """An approver's word."""

    decision = serializers.ChoiceField(choices=["approve", "decline"])
    why = Text(required=False, allow_blank=True, max_length=limits.WHY_CHARS)


class ConditionShown(serializers.Serializer[Any]):
    """What a gate asks, and whether that is so. The facts of each kind: docs/gates.md."""

    gate = serializers.CharField()
    kind = serializers.CharField()
    is_met = serializers.BooleanField()
    text = serializers.CharField()
    facts = serializers.DictField()


class WordShown(serializers.Serializer[Any]):
    """What an approver said. It counts if it was said of what stands there now."""

    by = serializers.CharField()
    decision = serializers.CharField()
    why = serializers.CharField()
    at = serializers.DateTimeField()
    counts = serializers.BooleanField()


class PromotionLine(serializers.Serializer[Any]):
    """A promotion in a list."""

    id = serializers.UUIDField()
    artifact = serializers.CharField()
    version = serializers.CharField()
    alias = serializers.CharField(allow_null=True)
    stage = serializers.CharField(allow_null=True)
    state = serializers.ChoiceField(choices=Promotion.State.values)
    why = serializers.CharField()
    asked_by = serializers.CharField()
    asked_at = serializers.DateTimeField()
    ended_by = serializers.CharField()
    ended_at = serializers.DateTimeField(allow_null=True)


class PromotionShown(PromotionLine):
    """A promotion: as it stands now, or, once done, as it was then."""

    from_version = serializers.CharField(allow_null=True, help_text="what the alias points at before")
    conditions = ConditionShown(many=True)
    missing_approvals = serializers.IntegerField()
    words = WordShown(many=True)


class PreviewShown(serializers.Serializer[Any]):
    """What would become of a promotion."""

    would = serializers.ChoiceField(choices=["be done", "wait", "be refused"])
    from_version = serializers.CharField(allow_null=True)
    conditions = ConditionShown(many=True)
    missing_approvals = serializers.IntegerField()


class EvidenceShown(serializers.ModelSerializer[Evidence]):
    """Why an alias or a stage moved."""

    version = serializers.CharField(source="number")
    from_version = serializers.CharField(source="before_number", allow_null=True)
    conditions = ConditionShown(source="outcomes", many=True)

    class Meta:
        model = Evidence
        fields = (
            "id",
            "act",
            "what",
            "name",
            "version",
            "digest",
            "run_hex",
            "from_version",
            "gates",
            "conditions",
            "promotion_id",
            "made_by",
            "asked_by",
            "moved_by",
            "why",
            "at",
        )
        read_only_fields = fields


def shown(promotion: Promotion, at: datetime) -> dict[str, Any]:
    """Show a promotion as it stands."""
    return dict(PromotionShown(telling.whole(promotion, at)).data)


class PromotionList(IdempotentPosts, GenericAPIView[Promotion]):
    """An artifact's promotions, and new ones."""

    required_role = reading_and_writing()
    serializer_class = PromotionLine
    page_ordering = ("-id",)

    @extend_schema(operation_id="promotions_list", parameters=[STATE])
    def get(self, request: Request, artifact: str) -> Response:
        """List an artifact's promotions, newest first."""
        found = Promotion.objects.for_page().filter(artifact=artifacts_for(asking(request)).fetch(artifact))
        if state := choice(request, "state", Promotion.State.values):
            found = found.filter(state=state)
        lines = [telling.line(row) for row in self.paginate_queryset(found) or []]
        return self.get_paginated_response(PromotionLine(lines, many=True).data)

    @extend_schema(
        operation_id="promotions_create",
        request=PromotionNew,
        parameters=[DRY_RUN],
        responses={200: PreviewShown, 201: PromotionShown, 202: PromotionShown},
        examples=[EXAMPLE],
    )
    def post(self, request: Request, artifact: str) -> Response:
        """Ask for a promotion: 201 if it is done, 202 if it waits for approvals, 409 `gate_refused` if it can't be.

        What waits already is asked again, and is done if nothing is missing any more.
        """
        asked = PromotionNew(data=request.data)
        asked.is_valid(raise_exception=True)
        fields, now = asked.validated_data, timezone.now()
        found = changeable(asking(request), artifact)
        target = promotions.read_target(alias=fields.get("alias", ""), stage=fields.get("stage", ""))
        rows = ArtifactVersion.objects.select_related("artifact", "logged_model")
        version = rows.fetch(found, fields["version"])
        if is_dry(request):
            return Response(PreviewShown(telling.preview(version, target, now)).data)
        made = promotions.ask(version, target, acting(request), at=now, why=fields.get("why", ""))
        return tagged(request, shown(made, now), status=202 if made.state == Promotion.State.WAITING else 201)


class PromotionDetail(GenericAPIView[Promotion]):
    """One promotion."""

    required_role = reading_and_writing()
    serializer_class = PromotionShown

    @extend_schema(operation_id="promotions_get")
    def get(self, request: Request, artifact: str, promotion: uuid.UUID) -> Response:
        """Show a promotion with its conditions as they are now, or, once done, as they were."""
        found = artifacts_for(asking(request)).fetch(artifact)
        return tagged(request, shown(fetch(found, promotion), timezone.now()))

    @extend_schema(operation_id="promotions_withdraw", responses={204: None})
    def delete(self, request: Request, artifact: str, promotion: uuid.UUID) -> Response:
        """Take back what waits: who asked for it, or an approver."""
        found = changeable(asking(request), artifact)
        promotions.withdraw(fetch(found, promotion), acting(request), at=timezone.now())
        return Response(status=204)


def fetch(artifact: Any, promotion: uuid.UUID) -> Promotion:
    """Fetch a promotion of an artifact. Raises NotFound."""
    return Promotion.objects.for_page().filter(artifact=artifact).fetch(promotion)


class PromotionWords(IdempotentPosts, GenericAPIView[Promotion]):
    """What approvers say to a promotion."""

    required_role = {"POST": "approver"}
    serializer_class = PromotionShown

    @extend_schema(operation_id="promotions_decide", request=WordNew, responses={200: PromotionShown})
    def post(self, request: Request, artifact: str, promotion: uuid.UUID) -> Response:
        """Approve or decline. Needs If-Match with the ETag that GET answered: what changed since is not approved.

        The approval after which nothing is missing moves the alias or stage.
        """
        asked = WordNew(data=request.data)
        asked.is_valid(raise_exception=True)
        found, now = fetch(changeable(asking(request), artifact), promotion), timezone.now()

        def guard(held: Promotion) -> None:
            check_match(request, shown(held, now), required=True)

        decide = promotions.approve if asked.validated_data["decision"] == "approve" else promotions.decline
        why = asked.validated_data.get("why", "")
        return tagged(request, shown(decide(found, acting(request), at=now, guard=guard, why=why), now))


class EvidenceList(GenericAPIView[Evidence]):
    """Why an artifact's protected aliases and stages moved."""

    required_role = reading_and_writing()
    serializer_class = EvidenceShown
    page_ordering = ("-id",)

    @extend_schema(operation_id="evidence_list")
    def get(self, request: Request, artifact: str) -> Response:
        """List what was let through, newest first, each with its conditions as they were."""
        found = Evidence.objects.filter(artifact=artifacts_for(asking(request)).fetch(artifact))
        return self.get_paginated_response(EvidenceShown(self.paginate_queryset(found), many=True).data)
