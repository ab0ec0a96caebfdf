"""The tracking room's REST door: runs as files."""

import uuid
from typing import Any

from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.tenants.access.idempotency import IdempotentPosts
from apps.tenants.access.people.principal import acting
from apps.tracking.api.run_bulk import wanted_of
from apps.tracking.exports import orders, rows
from apps.tracking.files import blobs
from apps.tracking.models import Export, Run
from apps.tracking.runs import selection
from apps.tracking.tasks import TURNS
from maestro import limits
from maestro.api.permissions import asking, reading_and_writing
from maestro.api.serializers import Listed, StrictSerializer, Text, Whole
from maestro.database.session import connection
from maestro.errors import Conflict
from maestro.http.streams import file_response, text_file

VIEWS = {"active": "ACTIVE_ONLY", "deleted": "DELETED_ONLY", "all": "ALL"}


class ExportAsked(StrictSerializer):
    """Which runs, as what, with which columns."""

    format = serializers.ChoiceField(choices=[*rows.TYPES], default="csv")
    filter = Text(required=False, allow_blank=True, max_length=limits.FILTER_CHARS)
    status = serializers.ChoiceField(choices=Run.Status.values, required=False)
    project = Text(required=False, max_length=100)
    experiment = Listed(child=serializers.IntegerField(min_value=0), required=False, max_length=selection.MOST_IDS)
    order_by = Listed(child=Text(max_length=600), required=False, max_length=10)
    column = Listed(child=Text(max_length=300), required=False, max_length=rows.MOST_COLUMNS)
    view = serializers.ChoiceField(choices=[*VIEWS], default="active")


def read_query(request: Request) -> dict[str, Any]:
    """Read the query string: `experiment`, `order_by` and `column` may be repeated. Raises ValidationError."""
    query = request.query_params
    lists = {"experiment", "order_by", "column"}
    asked = ExportAsked(data={name: query.getlist(name) if name in lists else query[name] for name in query})
    asked.is_valid(raise_exception=True)
    return dict(asked.validated_data)


class RunExport(APIView):
    """Runs as a file."""

    required_role = "viewer"

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        """Let `format` choose, whatever Accept says; refusals are JSON."""
        return super().perform_content_negotiation(request, force=True)

    @extend_schema(
        operation_id="runs_export",
        parameters=[
            OpenApiParameter("format", str, enum=[*rows.TYPES], default="csv"),
            OpenApiParameter("filter", str, description="as in MLflow's runs/search, with OR and NOT"),
            OpenApiParameter("status", str, enum=Run.Status.values),
            OpenApiParameter("project", str, description="id or slug"),
            OpenApiParameter("experiment", int, many=True),
            OpenApiParameter("order_by", str, many=True, description="as in MLflow's runs/search"),
            OpenApiParameter("column", str, many=True, description="metrics.<name>, params.<name>, tags.<name>"),
            OpenApiParameter("view", str, enum=[*VIEWS], default="active"),
        ],
        responses={(200, "text/csv"): OpenApiTypes.STR, (200, "application/x-ndjson"): OpenApiTypes.STR},
    )
    def get(self, request: Request) -> HttpResponseBase:
        """Download runs, as many as there are, as CSV or JSON Lines. Parquet is a job: POST /runs/exports/."""
        asked = read_query(request)
        named = {"experiments": asked["experiment"]} if "experiment" in asked else {}
        wanted = wanted_of(request, asked | named | {"order": asked.get("order_by", ())}, view=VIEWS[asked["view"]])
        wanted.parsed()
        pieces = rows.pieces(asked["format"], lambda: selection.pages(wanted), asked.get("column", ()))
        kind = asked["format"]
        return text_file(rows.inside(connection.tenant, pieces), name=f"runs.{kind}", kind=rows.TYPES[kind])


class ExportNew(StrictSerializer):
    """A file that a worker shall write."""

    format = serializers.ChoiceField(choices=orders.FORMATS, default="parquet")
    filter = Text(required=False, allow_blank=True, max_length=limits.FILTER_CHARS)
    status = serializers.ChoiceField(choices=Run.Status.values, required=False)
    project = Text(required=False, max_length=100, help_text="id or slug")
    experiments = Listed(child=Whole(min_value=0), required=False, max_length=selection.MOST_IDS)
    order_by = Listed(child=Text(max_length=600), required=False, max_length=10)
    columns = Listed(
        child=Text(max_length=300), required=False, max_length=rows.MOST_COLUMNS, help_text="metrics.<name>, …"
    )
    view = serializers.ChoiceField(choices=[*VIEWS], default="active")


class ExportShown(serializers.ModelSerializer[Export]):
    """How far a file is."""

    size_bytes = serializers.IntegerField(source="blob.size_bytes", allow_null=True, default=None)
    sha256 = serializers.CharField(source="blob_id", allow_null=True)

    class Meta:
        model = Export
        fields = ("id", "format", "state", "runs", "reason", "size_bytes", "sha256", "created_at", "ended_at")
        read_only_fields = fields


def owner_of(request: Request) -> str:
    """Who asks, by id: an export is for nobody else, since others may see less."""
    who = asking(request)
    return f"{who.kind}:{who.id}"


class ExportList(IdempotentPosts, GenericAPIView[Export]):
    """Files of runs that a worker writes."""

    required_role = reading_and_writing(write="viewer")
    serializer_class = ExportShown
    page_ordering = ("-id",)

    @extend_schema(operation_id="exports_list")
    def get(self, request: Request) -> Response:
        """List one's own exports, newest first. They are kept for a week."""
        own = Export.objects.select_related("blob").filter(owner=owner_of(request))
        return self.get_paginated_response(ExportShown(self.paginate_queryset(own), many=True).data)

    @extend_schema(operation_id="exports_create", request=ExportNew, responses={202: ExportShown})
    def post(self, request: Request) -> Response:
        """Have runs written to a file, Parquet for one. Location says where to look how far it is."""
        asked = ExportNew(data=request.data)
        asked.is_valid(raise_exception=True)
        fields = asked.validated_data
        fields["order"] = fields.pop("order_by", ())
        wanted = wanted_of(request, fields, view=VIEWS[fields["view"]])
        columns = [column.title for column in rows.read_columns(fields.get("columns", ()))]
        made = orders.ask(
            fields["format"],
            wanted,
            columns,
            owner=owner_of(request),
            by=acting(request),
            reach=asking(request).projects,
        )
        TURNS.send()
        return Response(ExportShown(made).data, status=202, headers={"Location": f"{request.path}{made.pk}/"})


class ExportDetail(GenericAPIView[Export]):
    """One export."""

    required_role = "viewer"
    serializer_class = ExportShown

    @extend_schema(operation_id="exports_get")
    def get(self, request: Request, export: uuid.UUID) -> Response:
        """Show how far it is."""
        return Response(ExportShown(orders.fetch(export, owner=owner_of(request))).data)


class ExportFile(APIView):
    """The file of an export."""

    required_role = "viewer"

    @extend_schema(operation_id="exports_file", responses={(200, "application/octet-stream"): OpenApiTypes.BINARY})
    def get(self, request: Request, export: uuid.UUID) -> HttpResponseBase:
        """Download the file, whole or one range. 409 while it is not done, or once you may see less than when you asked."""
        found = orders.fetch(export, owner=owner_of(request))
        orders.require_reach(found, asking(request).projects)
        blob = found.blob
        if blob is None:
            raise Conflict(f"this export is {found.state}", "not_done")
        return file_response(
            request._request,
            name=f"runs.{found.format}",
            sha256=blob.sha256,
            size_bytes=blob.size_bytes,
            read=lambda start, stop: blobs.read(blob, start, stop),
        )
