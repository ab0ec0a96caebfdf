"""The registry room's REST door: what is kept, by project, by kind and by age."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.tracking.files import kept
from apps.tracking.files.kept import Standing
from apps.tracking.files.use import Heap
from apps.tracking.scoping import require_tenant_wide
from maestro.api.permissions import asking
from maestro.api.queries import flag

FRESH = OpenApiParameter("fresh", bool, description="count now, unless that was done less than a minute ago")


class HeapShown(serializers.Serializer[Any]):
    """Some bytes, each content once, and how many names they have (how many contents, where they have none)."""

    bytes = serializers.IntegerField()
    files = serializers.IntegerField()


class KindShown(HeapShown):
    """What one kind of thing keeps."""

    kind = serializers.CharField(help_text="run_files, logged_models, traces, exports, or a kind of artifact")


class AgeShown(HeapShown):
    """What was last brought so long ago."""

    age = serializers.CharField(help_text="week, month, quarter, year or older: at most that long ago")


class StandingShown(HeapShown):
    """What a project keeps, beside what it may."""

    project = serializers.CharField()
    quota_bytes = serializers.IntegerField(allow_null=True)
    is_warned = serializers.BooleanField(help_text="80 % of the quota or more are used")


class StorageShown(serializers.Serializer[Any]):
    """All that is kept. A content counts once for each project and kind that names it, so these add up to more."""

    bytes = serializers.IntegerField()
    contents = serializers.IntegerField()
    quota_bytes = serializers.IntegerField(allow_null=True)
    is_warned = serializers.BooleanField()
    projects = StandingShown(many=True, help_text="the 100 largest")
    other_projects = HeapShown()
    shared = HeapShown(help_text="of artifacts and experiments of no project, and of exports")
    kinds = KindShown(many=True)
    ages = AgeShown(many=True)
    unnamed = HeapShown(help_text="nothing names them")
    sweepable = HeapShown(help_text="nothing has named them for a day: a sweep frees them now")
    measured_at = serializers.DateTimeField(allow_null=True)


def named(name: str, key: str, heap: Heap) -> dict[str, Any]:
    """Lay out a heap under its name."""
    return {name: key, **vars(heap)}


def standing(one: Standing) -> dict[str, Any]:
    """Lay out a project's part."""
    slug = one.project.slug if one.project else ""
    return {"project": slug, "quota_bytes": one.quota_bytes, "is_warned": one.is_warned, **vars(one.heap)}


class Storage(APIView):
    """What is kept."""

    required_role = {"GET": "viewer"}

    @extend_schema(operation_id="storage_get", parameters=[FRESH], responses=StorageShown)
    def get(self, request: Request) -> Response:
        """Show what the tenant keeps, as it was counted in the last hour."""
        require_tenant_wide(asking(request), "see what all projects keep")
        found = kept.kept(timezone.now(), is_fresh=flag(request, "fresh") or False)
        body = {
            "bytes": found.whole.heap.bytes,
            "contents": found.whole.heap.files,
            "quota_bytes": found.whole.quota_bytes,
            "is_warned": found.whole.is_warned,
            "projects": [standing(one) for one in found.projects],
            "other_projects": vars(found.others),
            "shared": vars(found.shared),
            "kinds": [named("kind", kind, heap) for kind, heap in found.kinds.items()],
            "ages": [named("age", age, heap) for age, heap in found.ages.items()],
            "unnamed": vars(found.unnamed),
            "sweepable": vars(found.sweepable),
            "measured_at": found.measured_at,
        }
        return Response(StorageShown(body).data)
