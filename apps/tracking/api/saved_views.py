"""The tracking room's REST door: saved views of the run list."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from apps.tenants.access.idempotency import IdempotentPosts
from apps.tenants.access.people.principal import acting
from apps.tracking.models import SavedView
from apps.tracking.models.saved_views import VIEW_NAME_CHARS
from apps.tracking.search import saved_views
from apps.tracking.search.listing import MAX_COLUMNS
from maestro import limits
from maestro.api.etags import check_match, tagged
from maestro.api.permissions import asking, reading_and_writing
from maestro.api.serializers import Flag, Listed, Real, StrictSerializer, Text, Whole
from maestro.errors import Invalid

EXAMPLE = OpenApiExample(
    "best first",
    value={
        "name": "best first",
        "state": {"filter": "metrics.auc > 0.9", "sort": "-m.auc", "columns": ["m.auc", "p.lr"], "experiments": [1]},
        "is_shared": True,
    },
    request_only=True,
)


class ViewStateFields(StrictSerializer):
    """The state of the run list. Each part is optional and has the list's own beginning."""

    filter = Text(required=False, allow_blank=True, max_length=limits.FILTER_CHARS)
    status = Text(required=False, allow_blank=True, max_length=10)
    sort = Text(required=False, allow_blank=True, max_length=limits.KEY_CHARS + 3)
    columns = Listed(
        child=Text(max_length=limits.KEY_CHARS + 2),
        required=False,
        max_length=MAX_COLUMNS,
        help_text="m.auc, p.lr, t.x",
    )
    layout = serializers.ChoiceField(choices=["list", "charts"], required=False)
    experiments = Listed(child=Whole(min_value=0), required=False, max_length=saved_views.MAX_EXPERIMENTS)
    project = Text(required=False, allow_blank=True, max_length=100, help_text="id or slug")
    smoothing = Real(required=False, min_value=0, max_value=0.99)
    log_axis = Flag(required=False)
    x_axis = serializers.ChoiceField(choices=["step", "time", "clock"], required=False)


class ViewFacts(StrictSerializer):
    """What may change about a view."""

    name = Text(required=False, max_length=VIEW_NAME_CHARS)
    state = ViewStateFields(required=False)
    is_shared = Flag(required=False)
    is_default = Flag(required=False, help_text="what its experiment's list opens with, for you or for all")

    def validate_name(self, name: str) -> str:
        """Refuse a name of blanks."""
        if not name.strip():
            raise serializers.ValidationError("give it a name", code="blank")
        return name.strip()


class ViewNew(ViewFacts):
    """A view to be kept."""

    name = Text(max_length=VIEW_NAME_CHARS)
    state = ViewStateFields()


class ViewShown(serializers.ModelSerializer[SavedView]):
    """A saved view, and the address of the page that shows it."""

    owner = serializers.CharField(source="owner_name")
    url = serializers.SerializerMethodField()

    class Meta:
        model = SavedView
        fields = (
            "id",
            "name",
            "owner",
            "experiment",
            "project",
            "is_shared",
            "is_default",
            "state",
            "url",
            "updated_at",
        )
        read_only_fields = fields

    def get_url(self, view: SavedView) -> str:
        """Write where the page is."""
        return f"/admin/tracking/run/?{saved_views.state_of(view).address()}"


class ViewList(IdempotentPosts, GenericAPIView[SavedView]):
    """One's own views and shared ones; a viewer keeps views, a contributor shares them."""

    required_role = reading_and_writing("viewer")
    serializer_class = ViewShown
    page_ordering = ("-id",)

    def get_queryset(self) -> Any:
        """Keep views of the experiment that the query names."""
        found, query = saved_views.visible(asking(self.request)), self.request.query_params
        if "experiment" in query:
            number = query["experiment"]
            if not number.isascii() or not number.isdecimal() or len(number) > 18:
                raise Invalid("experiment is a number", "bad_experiment")
            found = found.filter(experiment=int(number))
        return found

    @extend_schema(operation_id="views_list", parameters=[OpenApiParameter("experiment", int)])
    def get(self, request: Request) -> Response:
        """List views, newest first."""
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response(ViewShown(page, many=True).data)

    @extend_schema(operation_id="views_create", request=ViewNew, responses={201: ViewShown}, examples=[EXAMPLE])
    def post(self, request: Request) -> Response:
        """Keep a view. A name that you have already for the same experiment is 409."""
        asked = ViewNew(data=request.data)
        asked.is_valid(raise_exception=True)
        made = saved_views.create(asked.validated_data, acting(request))
        return tagged(request, ViewShown(made).data, status=201)


class ViewDetail(GenericAPIView[SavedView]):
    """One view."""

    required_role = reading_and_writing("viewer")
    serializer_class = ViewShown

    @extend_schema(operation_id="views_get")
    def get(self, request: Request, view: str) -> Response:
        """Show a view."""
        return tagged(request, ViewShown(saved_views.visible(asking(request)).fetch(view)).data)

    @extend_schema(operation_id="views_patch", request=ViewFacts, responses=ViewShown)
    def patch(self, request: Request, view: str) -> Response:
        """Rename, share, replace or default to a view: its owner may, and an admin a shared one."""
        asked = ViewFacts(data=request.data)
        asked.is_valid(raise_exception=True)

        def guard(held: SavedView) -> None:
            check_match(request, ViewShown(held).data, required=False)

        changed = saved_views.change(view, asked.validated_data, acting(request), guard=guard)
        return tagged(request, ViewShown(changed).data)

    @extend_schema(operation_id="views_delete", responses={204: None})
    def delete(self, request: Request, view: str) -> Response:
        """Forget a view."""
        saved_views.delete(view, acting(request))
        return Response(status=204)
