"""The tracking room's REST door: one change to many runs: tags, trash, moves."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.tenants.access.idempotency import IdempotentPosts
from apps.tenants.access.people.principal import acting
from apps.tracking.models import Run
from apps.tracking.runs import bulk, selection
from apps.tracking.scoping import experiments_for, projects_for
from maestro import limits
from maestro.api.permissions import asking
from maestro.api.queries import is_dry
from maestro.api.serializers import Listed, Mapped, StrictSerializer, Text, Whole
from maestro.clock import now_ms

DRY_RUN = OpenApiParameter("dry_run", bool, description="do everything, answer, and take it back")
EXAMPLES = [
    OpenApiExample(
        "tag by id", value={"action": "tag", "runs": ["0192f0c0a5b47c0d8e1f2a3b4c5d6e7f"], "tags": {"stage": "kept"}}
    ),
    OpenApiExample(
        "trash by filter",
        value={"action": "trash", "filter": "metrics.auc < 0.6", "experiments": [3], "expected": 41},
    ),
]


def run_ids(*, required: bool) -> Listed:
    """Runs by their ids."""
    return Listed(child=Text(max_length=36), min_length=1, max_length=selection.MOST_IDS, required=required)


class MoveAsked(StrictSerializer):
    """Runs that shall belong to another experiment."""

    runs = run_ids(required=True)
    experiment = Whole(min_value=0)


class BulkAsked(StrictSerializer):
    """A change to runs that are named by id, or by a filter and how many runs it is expected to find."""

    action = serializers.ChoiceField(choices=[one.value for one in bulk.Action])
    runs = run_ids(required=False)
    filter = Text(required=False, allow_blank=True, max_length=limits.FILTER_CHARS)
    status = serializers.ChoiceField(choices=Run.Status.values, required=False)
    project = Text(required=False, max_length=100, help_text="id or slug; the filter looks only there")
    experiments = Listed(
        child=Whole(min_value=0), required=False, max_length=selection.MOST_IDS, help_text="the filter looks only there"
    )
    expected = Whole(required=False, min_value=0, max_value=selection.MOST_FOUND)
    tags = Mapped(child=Text(max_length=limits.TAG_VALUE_CHARS, allow_blank=True), required=False)
    drop_tags = Listed(child=Text(max_length=limits.KEY_CHARS), required=False, max_length=limits.BATCH_TAGS)
    experiment = Whole(required=False, min_value=0, help_text="where `move` moves to")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse both ways of naming runs at once, and a filter that says nothing of how many it finds."""
        narrowing = {"filter", "status", "project", "experiments"} & set(attrs)
        if ("runs" in attrs) == bool(narrowing):
            raise serializers.ValidationError(
                {"runs": ["name runs by id, or by a filter, not both"]}, code="bad_choice"
            )
        if narrowing and "expected" not in attrs:
            raise serializers.ValidationError({"expected": ["say how many runs the filter finds"]}, code="required")
        return attrs


class BulkDone(serializers.Serializer[bulk.Done]):
    """What a change came to."""

    action = serializers.CharField()
    chosen = serializers.IntegerField()
    changed = serializers.IntegerField()
    dry_run = serializers.BooleanField(source="is_dry")


def wanted_of(request: Request, asked: dict[str, Any], *, view: str) -> selection.Wanted:
    """Read the runs that a filter names, within what the principal sees. Raises NotFound."""
    homes = experiments_for(asking(request))
    if view == "ACTIVE_ONLY":
        homes = homes.filter(deleted_ms=None)
    if "project" in asked:
        homes = homes.filter(project=projects_for(asking(request)).fetch(asked["project"]))
    if "experiments" in asked:
        homes = homes.filter(pk__in=asked["experiments"])
    return selection.Wanted(
        list(homes.order_by("-pk").values_list("pk", flat=True)),
        asked.get("filter", ""),
        asked.get("order", ()),
        view,
        asked.get("status", ""),
    )


def order_of(request: Request, asked: dict[str, Any]) -> bulk.Order:
    """Turn a body into an order."""
    action = bulk.Action(asked["action"])
    if "runs" in asked:
        choice = selection.Choice(tuple(selection.read_id(text) for text in asked["runs"]))
    else:
        in_trash = action in {bulk.Action.RESTORE, bulk.Action.DELETE}
        wanted = wanted_of(request, asked, view="DELETED_ONLY" if in_trash else "ACTIVE_ONLY")
        choice = selection.Choice((), wanted, asked["expected"])
    dropped = asked.get("drop_tags", ())
    return bulk.Order(action, choice, asked.get("tags", {}), dropped, asked.get("experiment"))


class RunBulk(IdempotentPosts, APIView):
    """One change to many runs."""

    required_role = "contributor"

    @extend_schema(
        operation_id="runs_bulk", request=BulkAsked, responses=BulkDone, parameters=[DRY_RUN], examples=EXAMPLES
    )
    def post(self, request: Request) -> Response:
        """Tag, trash, restore, move or (admins) delete up to 1,000 runs by id or 10,000 by filter: all or none."""
        asked = BulkAsked(data=request.data)
        asked.is_valid(raise_exception=True)
        order = order_of(request, asked.validated_data)
        return Response(BulkDone(bulk.carry_out(order, acting(request), now=now_ms(), is_dry=is_dry(request))).data)


class RunMove(IdempotentPosts, APIView):
    """Moving runs between experiments."""

    required_role = "contributor"

    @extend_schema(operation_id="runs_move", request=MoveAsked, responses=BulkDone, parameters=[DRY_RUN])
    def post(self, request: Request) -> Response:
        """Move up to 1,000 runs to another experiment, and so perhaps to another project: all or none."""
        asked = MoveAsked(data=request.data)
        asked.is_valid(raise_exception=True)
        order = order_of(request, {**asked.validated_data, "action": bulk.Action.MOVE})
        return Response(BulkDone(bulk.carry_out(order, acting(request), now=now_ms(), is_dry=is_dry(request))).data)
