"""The access room's REST door: the audit log, to search and to take away."""

from typing import Any

import orjson
from django.db.models import Q
from django.http import HttpResponse
from django.utils.dateparse import parse_datetime
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from apps.tenants.access.api.serializers import EventShown
from apps.tenants.access.models import AuditEvent
from maestro.api.auth import asking
from maestro.api.pagination import read_limit, sign, unsign
from maestro.errors import Forbidden, Invalid

EXACT = ("action", "actor", "object_type", "object_id", "request_id")
EXPORT_ROWS = 10_000
PURPOSE = "access.audit.export"
FILTERS = [OpenApiParameter(name, str, description="exactly this") for name in EXACT] + [
    OpenApiParameter("since", OpenApiTypes.DATETIME, description="at or after"),
    OpenApiParameter("until", OpenApiTypes.DATETIME, description="before"),
]


def moment(text: str) -> Any:
    """Read an RFC 3339 time. Raises Invalid."""
    try:
        found = parse_datetime(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise Invalid("since and until must be RFC 3339 times with an offset", "bad_time")
    return found


def events_for(request: Request) -> Any:
    """Filter by the query's words. The log is the tenant's, so a key of one project does not see it."""
    if asking(request).projects is not None:
        raise Forbidden("a key of one project, or a role in projects alone, can't read the tenant's audit log")
    found, query = AuditEvent.objects.all(), request.query_params
    for name in EXACT:
        if name in query:
            found = found.filter(**{name: query[name]})
    if "since" in query:
        found = found.filter(at__gte=moment(query["since"]))
    if "until" in query:
        found = found.filter(at__lt=moment(query["until"]))
    return found


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
    def get(self, request: Request) -> HttpResponse:
        """Export events, oldest first, one JSON object a line; the header Link names the next part, if there is one."""
        limit = read_limit(request.query_params.get("limit"), EXPORT_ROWS, EXPORT_ROWS)
        found = events_for(request).order_by("at", "id")
        cursor = request.query_params.get("cursor")
        if cursor:
            at, last = unsign(cursor, PURPOSE)
            found = found.filter(Q(at__gt=at) | Q(at=at, id__gt=last))
        rows = list(found[: limit + 1])
        lines = b"".join(orjson.dumps(EventShown(row).data) + b"\n" for row in rows[:limit])
        answer = HttpResponse(lines, content_type="application/jsonl")
        answer["Content-Disposition"] = 'attachment; filename="audit.jsonl"'
        if len(rows) > limit:
            query = request.query_params.copy()
            query["cursor"] = sign([rows[limit - 1].at.isoformat(), str(rows[limit - 1].id)], PURPOSE)
            answer["Link"] = f'<{request.build_absolute_uri(request.path)}?{query.urlencode()}>; rel="next"'
        return answer
