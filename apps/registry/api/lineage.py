"""The registry room's REST door: where a thing came from and what came of it."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.registry.lineage import described, keys_for, walk
from apps.registry.models import ArtifactVersion
from apps.registry.scoping import artifacts_for
from apps.tracking.scoping import runs_for
from maestro.api.permissions import asking, reading_and_writing
from maestro.errors import Invalid

DEPTH_MAX = 10
STARTS_MAX = 100
PARAMETERS = [
    OpenApiParameter(
        "direction", str, enum=["up", "down", "both"], description="`up` is towards sources; `both` by default"
    ),
    OpenApiParameter("depth", int, description=f"steps, 1 to {DEPTH_MAX}; 5 by default"),
]
ONE_VERSION = OpenApiParameter("version", str, description="a number, digest or alias; all versions without it")


class NodeShown(serializers.Serializer[Any]):
    """A version, run or logged model in the graph. Layer 0 is leftmost: sources come first."""

    id = serializers.CharField()
    kind = serializers.ChoiceField(choices=["version", "run", "model"])
    label = serializers.CharField()  # type: ignore[assignment]
    artifact = serializers.CharField(allow_null=True)
    version = serializers.CharField(allow_null=True)
    run = serializers.CharField(allow_null=True)
    model = serializers.CharField(allow_null=True)
    layer = serializers.IntegerField()
    place = serializers.IntegerField()


class EdgeShown(serializers.Serializer[Any]):
    """A link: `to` was made from or used `from`."""

    def get_fields(self) -> dict[str, Any]:
        """`from` is a word of Python, so the fields are named here."""
        return {"from": serializers.CharField(), "to": serializers.CharField(), "kind": serializers.CharField()}


class LineageShown(serializers.Serializer[Any]):
    """A graph of what came from what."""

    nodes = NodeShown(many=True)
    edges = EdgeShown(many=True)
    truncated = serializers.BooleanField(help_text="true if there is more than is shown")


def read_steps(request: Request) -> dict[str, int]:
    """Read how far to walk, and which way. Raises Invalid."""
    direction, depth = request.query_params.get("direction", "both"), request.query_params.get("depth", "5")
    if direction not in ("up", "down", "both"):
        raise Invalid("direction must be up, down or both", "bad_direction")
    if not depth.isascii() or not depth.isdecimal() or len(depth) > 3 or not 1 <= int(depth) <= DEPTH_MAX:
        raise Invalid(f"depth must be a whole number from 1 to {DEPTH_MAX}", "bad_depth")
    return {"up": int(depth) if direction != "down" else 0, "down": int(depth) if direction != "up" else 0}


class ArtifactLineage(APIView):
    """The lineage of an artifact's versions."""

    required_role = reading_and_writing()

    @extend_schema(operation_id="artifact_lineage", parameters=[*PARAMETERS, ONE_VERSION], responses=LineageShown)
    def get(self, request: Request, artifact: str) -> Response:
        """Walk from one version, or from the newest hundred, up to sources and down to uses."""
        found = artifacts_for(asking(request)).fetch(artifact)
        reference = request.query_params.get("version")
        if reference:
            starts = [ArtifactVersion.objects.fetch(found, reference)]
        else:
            starts = list(ArtifactVersion.objects.filter(artifact=found).order_by("-number")[:STARTS_MAX])
        return Response(described(walk(keys_for(starts), **read_steps(request)), asking(request)))


class RunLineage(APIView):
    """The lineage of a run."""

    required_role = reading_and_writing()

    @extend_schema(operation_id="run_lineage", parameters=PARAMETERS, responses=LineageShown)
    def get(self, request: Request, run: str) -> Response:
        """Walk from a run up to what it used and down to what came of it."""
        found = runs_for(asking(request)).fetch(run)
        return Response(described(walk(keys_for([found]), **read_steps(request)), asking(request)))
