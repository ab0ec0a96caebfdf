"""The access room's REST door: the audit log, to look at and to take away."""

from collections.abc import Iterator
from typing import Any

import orjson
from django.http import StreamingHttpResponse
from django_tenants.utils import tenant_context
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from apps.tenants.access.api.serializers import EventShown
from apps.tenants.access.audit.search import EXACT, after, in_batches, matching
from apps.tenants.access.models import AuditEvent
from maestro.api.pagination import read_limit, sign, unsign
from maestro.api.permissions import asking
from maestro.database.session import connection
from maestro.errors import Forbidden

EXPORT_ROWS = 10_000
PURPOSE = "access.audit.export"
FILTERS = [OpenApiParameter(name, str, description="exactly this") for name in EXACT] + [
    OpenApiParameter("since", OpenApiTypes.DATETIME, description="at or after"),
    OpenApiParameter("until", OpenApiTypes.DATETIME, description="before"),
]


def events_for(request: Request) -> Any:
    """Filter by the query's words. The log is the tenant's, so a key of one project does not see it."""
    if asking(request).projects is not None:
        raise Forbidden("a key of one project can't read the tenant's audit log")
    return matching(request.query_params)


class AuditList(GenericAPIView[AuditEvent]):
    """Who did what, when and from where. Nothing here can be changed."""

    required_role = {"GET": "admin", "HEAD": "admin", "OPTIONS": "admin"}
    serializer_class = EventShown
    page_ordering = ("-at", "-id")
    queryset = AuditEvent.objects.none()

    @extend_schema(operation_id="audit_list", parameters=FILTERS)
    def get(self, request: Request) -> Response:
        """List events, newest first."""
        page = self.paginate_queryset(events_for(request))
        return self.get_paginated_response(EventShown(page, many=True).data)


def lines(tenant: Any, found: Any, most: int | None) -> Iterator[bytes]:
    """Write events as JSON Lines. The thread may serve another tenant between two parts, so each enters its own."""
    parts = in_batches(found, most)
    while True:
        with tenant_context(tenant):
            rows = next(parts, None)
            text = b"".join(orjson.dumps(EventShown(row).data) + b"\n" for row in rows or ())
        if rows is None:
            return
        yield text


class AuditExport(GenericAPIView[AuditEvent]):
    """The log as JSON Lines."""

    required_role = {"GET": "admin", "HEAD": "admin", "OPTIONS": "admin"}
    serializer_class = EventShown
    queryset = AuditEvent.objects.none()

    @extend_schema(
        operation_id="audit_export",
        parameters=[*FILTERS, OpenApiParameter("limit", int), OpenApiParameter("cursor", str)],
        responses={(200, "application/jsonl"): OpenApiTypes.STR},
    )
    def get(self, request: Request) -> StreamingHttpResponse:
        """Export events, oldest first, one JSON object a line, as a stream of any length.

        With `limit` the export comes in parts; the header Link names the next one, if there is one.
        """
        found, cursor = events_for(request).order_by("at", "id"), request.query_params.get("cursor")
        if cursor:
            found = after(found, *unsign(cursor, PURPOSE))
        limit, link = None, ""
        if "limit" in request.query_params or cursor:
            limit = read_limit(request.query_params.get("limit"), EXPORT_ROWS, EXPORT_ROWS)
            link = self.next_part(request, found, limit)
        answer = StreamingHttpResponse(lines(connection.tenant, found, limit), content_type="application/jsonl")
        answer["Content-Disposition"] = 'attachment; filename="audit.jsonl"'
        if link:
            answer["Link"] = link
        return answer

    def next_part(self, request: Request, found: Any, limit: int) -> str:
        """Write where the next part begins; nothing after the last one."""
        edge = list(found.values_list("at", "id")[limit - 1 : limit + 1])
        if len(edge) < 2:
            return ""
        query = request.query_params.copy()
        query["cursor"] = sign([edge[0][0].isoformat(), str(edge[0][1])], PURPOSE)
        return f'<{request.build_absolute_uri(request.path)}?{query.urlencode()}>; rel="next"'
