"""The registry room's REST door: gates: what protects which aliases and stages."""

import uuid
from dataclasses import asdict
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from apps.registry.gates import bounds, rules
from apps.registry.models import Artifact, Gate
from apps.registry.scoping import artifacts_for
from apps.tenants.access.idempotency import IdempotentPosts
from apps.tenants.access.people.principal import acting
from apps.tracking.scoping import projects_for
from maestro import limits
from maestro.api.etags import check_match, tagged
from maestro.api.permissions import asking, reading_and_writing
from maestro.api.serializers import Flag, Listed, Real, StrictSerializer, Text, Whole
from maestro.errors import Invalid, NotFound
from maestro.principals import home_of

EXAMPLE = OpenApiExample(
    "serving",
    value={
        "name": "Serving churn",
        "kind": "model",
        "aliases": ["serving"],
        "stages": ["Production"],
        "metrics": [{"metric": "auc", "operator": ">=", "baseline": "champion", "margin": -0.01, "dataset": "holdout"}],
        "files": ["MLmodel"],
        "sections": ["Intended use"],
        "max_run_age_hours": 168,
        "approvals": 1,
    },
    request_only=True,
)
OF_ARTIFACT = OpenApiParameter("artifact", str, description="id or name: only the gates that count for it")


class BoundFields(StrictSerializer):
    """A bound on a metric: against `value`, or against what the version at the alias `baseline` has, plus `margin`."""

    metric = Text(max_length=limits.KEY_CHARS)
    operator = serializers.ChoiceField(choices=[">=", "<="])
    value = Real(required=False, allow_null=True)
    baseline = Text(required=False, allow_blank=True, max_length=limits.ALIAS_CHARS, help_text="an alias")
    margin = Real(required=False)
    dataset = Text(
        required=False,
        allow_blank=True,
        max_length=bounds.DATASET_CHARS,
        help_text="by its name; without it, every dataset that both were measured on",
    )


def named(chars: int, text: str = "") -> Listed:
    """A list of names."""
    return Listed(child=Text(max_length=chars), required=False, max_length=limits.GATE_NAMES, help_text=text)


class GateFacts(StrictSerializer):
    """What a gate counts for, what it protects and what it asks."""

    name = Text(max_length=limits.KEY_CHARS)
    artifact = Text(required=False, allow_null=True, max_length=limits.NAME_CHARS, help_text="id or name; null: any")
    project = Text(required=False, allow_null=True, max_length=100, help_text="id or slug; null: every one")
    kind = serializers.ChoiceField(choices=Artifact.Kind.choices, required=False, allow_blank=True)
    spares_prompts = Flag(required=False, help_text="counts for every kind but prompts")
    aliases = named(limits.ALIAS_CHARS, "`*` is every alias")
    stages = Listed(child=serializers.ChoiceField(choices=rules.STAGES), required=False, max_length=2)
    metrics = BoundFields(many=True, required=False, max_length=limits.GATE_NAMES)  # type: ignore[call-arg]
    files = named(limits.PATH_BYTES, "paths; one that ends with / is a folder with something in it")
    sections = named(limits.KEY_CHARS, "headings of the card with something below them")
    needs_signature = Flag(required=False)
    max_run_age_hours = Real(
        required=False, allow_null=True, min_value=limits.RUN_AGE_HOURS_LEAST, max_value=limits.RUN_AGE_HOURS
    )
    approvals = Whole(required=False, min_value=0, max_value=limits.GATE_APPROVALS)


class BoundShown(serializers.Serializer[Any]):
    """A bound on a metric."""

    metric = serializers.CharField()
    operator = serializers.CharField()
    value = serializers.FloatField(allow_null=True)
    baseline = serializers.CharField()
    margin = serializers.FloatField()
    dataset = serializers.CharField()


class GateShown(serializers.ModelSerializer[Gate]):
    """A gate."""

    artifact = serializers.SerializerMethodField()
    project = serializers.SerializerMethodField()
    kind = serializers.ChoiceField(choices=Artifact.Kind.choices, allow_blank=True, help_text="empty is every kind")
    metrics = BoundShown(many=True)

    class Meta:
        model = Gate
        fields = ("id", "artifact", "project", *rules.PLAIN, "revision", "changed_by", "changed_at")
        read_only_fields = fields

    def get_artifact(self, gate: Gate) -> str | None:
        """Show the artifact's name, or null for any."""
        return gate.artifact.name if gate.artifact else None

    def get_project(self, gate: Gate) -> str | None:
        """Show the project's slug, or null for every one."""
        return gate.project.slug if gate.project else None


def gates_for(request: Request) -> Any:
    """Gates that somebody may see."""
    return Gate.objects.visible_to(asking(request).projects).select_related("artifact", "project")


def read_facts(request: Request, *, is_new: bool) -> dict[str, Any]:
    """Read what a body says of a gate; what it names is fetched within reach. Raises Invalid."""
    asked = GateFacts(data=request.data, partial=not is_new)
    asked.is_valid(raise_exception=True)
    fields, who = dict(asked.validated_data), asking(request)
    if "metrics" in fields:
        fields["metrics"] = [asdict(read_bound(at, row)) for at, row in enumerate(fields["metrics"])]
    for name, rows in (("artifact", artifacts_for(who)), ("project", projects_for(who))):
        if fields.get(name) is not None:
            try:
                fields[name] = rows.fetch(fields[name])
            except NotFound as error:
                raise Invalid(f"{name}: {error.detail}", f"unknown_{name}") from error
    if is_new and fields.get("artifact") is None and fields.get("project") is None:
        home = home_of(who.projects, "name the project, or an artifact")
        fields["project"] = projects_for(who).fetch(home) if home else None
    return fields


def read_bound(at: int, row: dict[str, Any]) -> bounds.Bound:
    """Read one bound. Raises Invalid naming it."""
    bound = bounds.Bound(**row)
    try:
        bounds.check(bound)
    except Invalid as error:
        raise Invalid(f"metrics[{at}]: {error.detail}", error.code) from error
    return bound


class GateList(IdempotentPosts, GenericAPIView[Gate]):
    """All gates, and new ones."""

    required_role = reading_and_writing(write="admin")
    serializer_class = GateShown
    page_ordering = ("name",)

    @extend_schema(operation_id="gates_list", parameters=[OF_ARTIFACT])
    def get(self, request: Request) -> Response:
        """List gates by name."""
        found, query = gates_for(request), request.query_params
        if "artifact" in query:
            found = found.over(artifacts_for(asking(request)).fetch(query["artifact"]))
        return self.get_paginated_response(GateShown(self.paginate_queryset(found), many=True).data)

    @extend_schema(operation_id="gates_create", request=GateFacts, responses={201: GateShown}, examples=[EXAMPLE])
    def post(self, request: Request) -> Response:
        """Make a gate. Of all projects, or of shared artifacts, only an admin of the tenant makes one."""
        gate = rules.add(Gate(**read_facts(request, is_new=True)), acting(request), at=timezone.now())
        return tagged(request, GateShown(gate).data, status=201)


class GateDetail(GenericAPIView[Gate]):
    """One gate."""

    required_role = reading_and_writing(write="admin")
    serializer_class = GateShown

    @extend_schema(operation_id="gates_get")
    def get(self, request: Request, gate: uuid.UUID) -> Response:
        """Show a gate."""
        return tagged(request, GateShown(gates_for(request).fetch(gate)).data)

    @extend_schema(operation_id="gates_patch", request=GateFacts, responses=GateShown)
    def patch(self, request: Request, gate: uuid.UUID) -> Response:
        """Change a gate. Needs If-Match. What was approved before has to be approved anew."""

        def guard(held: Gate) -> None:
            check_match(request, GateShown(held).data, required=True)

        found, facts = gates_for(request).fetch(gate), read_facts(request, is_new=False)
        changed = rules.change(found, facts, acting(request), at=timezone.now(), guard=guard)
        return tagged(request, GateShown(changed).data)

    @extend_schema(operation_id="gates_delete", responses={204: None})
    def delete(self, request: Request, gate: uuid.UUID) -> Response:
        """Delete a gate. Needs If-Match. Evidence of what passed it stays."""

        def guard(held: Gate) -> None:
            check_match(request, GateShown(held).data, required=True)

        rules.delete(gates_for(request).fetch(gate), acting(request), guard=guard)
        return Response(status=204)
