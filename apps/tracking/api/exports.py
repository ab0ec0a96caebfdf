"""The tracking room's REST door: runs as files."""

from typing import Any

from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.views import APIView

from apps.tracking import choosing, exporting
from apps.tracking.api.bulk import wanted_of
from apps.tracking.models import Run
from maestro import limits
from maestro.api.serializers import StrictSerializer, Text
from maestro.api.streams import text_file
from maestro.database.session import connection

VIEWS = {"active": "ACTIVE_ONLY", "deleted": "DELETED_ONLY", "all": "ALL"}


class ExportAsked(StrictSerializer):
    """Which runs, as what, with which columns."""

    format = serializers.ChoiceField(choices=[*exporting.TYPES], default="csv")
    filter = Text(required=False, allow_blank=True, max_length=limits.FILTER_CHARS)
    status = serializers.ChoiceField(choices=Run.Status.values, required=False)
    project = Text(required=False, max_length=100)
    experiment = serializers.ListField(child=serializers.IntegerField(min_value=0), required=False)
    order_by = serializers.ListField(child=Text(max_length=600), required=False, max_length=10)
    column = serializers.ListField(child=Text(max_length=300), required=False, max_length=exporting.MOST_COLUMNS)
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
            OpenApiParameter("format", str, enum=[*exporting.TYPES], default="csv"),
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
        pieces = exporting.pieces(asked["format"], lambda: choosing.pages(wanted), asked.get("column", ()))
        kind = asked["format"]
        return text_file(exporting.inside(connection.tenant, pieces), name=f"runs.{kind}", kind=exporting.TYPES[kind])
