"""The registry room's REST door: where a thing came from and what came of it."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.registry.lineage.built_on import KINDS as BUILT_KINDS
from apps.registry.lineage.built_on import Impact, built_on
from apps.registry.lineage.graph import KINDS
from apps.registry.lineage.naming import NOTHING, described, name_of
from apps.registry.lineage.walking import DEEPEST, MOST_LINKS, MOST_THINGS, Way, key_of, walk
from apps.registry.models import ArtifactVersion
from apps.registry.scoping import artifacts_for
from apps.tracking.scoping import runs_for
from maestro.api.permissions import asking, reading_and_writing
from maestro.errors import Invalid

STARTS_MAX = 100
DEPTH = OpenApiParameter("depth", int, description=f"steps, 1 to {DEEPEST}; 5 by default")
PARAMETERS = [
    OpenApiParameter(
        "direction", str, enum=["up", "down", "both"], description="`up` is towards sources; `both` by default"
    ),
    DEPTH,
]
BUILT_DEPTH = OpenApiParameter("depth", int, description=f"steps, 1 to {DEEPEST}, which is what it is without it")
ONE_VERSION = OpenApiParameter("version", str, description="a number, digest or alias; all versions without it")


class NodeShown(serializers.Serializer[Any]):
    """A thing in the graph. Layer 0 is leftmost: sources come first. A project stands for what it said itself."""

    id = serializers.CharField()
    kind = serializers.ChoiceField(choices=KINDS)
    label = serializers.CharField()  # type: ignore[assignment]
    artifact = serializers.CharField(allow_null=True)
    version = serializers.CharField(allow_null=True)
    run = serializers.CharField(allow_null=True)
    model = serializers.CharField(allow_null=True)
    dataset = serializers.CharField(allow_null=True, help_text="name@digest of what a run logged as its input")
    project = serializers.CharField(allow_null=True)
    layer = serializers.IntegerField()
    place = serializers.IntegerField()
    steps = serializers.IntegerField(help_text="from where the walk began: before 0 sources, after 0 uses")


class EdgeShown(serializers.Serializer[Any]):
    """A link: `to` was made from or used `from`."""

    def get_fields(self) -> dict[str, Any]:
        """`from` is a word of Python, so the fields are named here."""
        return {"from": serializers.CharField(), "to": serializers.CharField(), "kind": serializers.CharField()}


class LineageShown(serializers.Serializer[Any]):
    """A graph of what came from what."""

    nodes = NodeShown(many=True)
    edges = EdgeShown(many=True)
    truncated = serializers.BooleanField(
        help_text=f"true if there is more than is shown, which is at most {MOST_THINGS} things and {MOST_LINKS} links"
    )


class BuiltShown(serializers.Serializer[Any]):
    """A version, run or logged model that came of a version, so many steps on."""

    id = serializers.CharField()
    kind = serializers.ChoiceField(choices=BUILT_KINDS)
    label = serializers.CharField()  # type: ignore[assignment]
    artifact = serializers.CharField(allow_null=True)
    version = serializers.CharField(allow_null=True)
    run = serializers.CharField(allow_null=True)
    model = serializers.CharField(allow_null=True)
    steps = serializers.IntegerField()


class ProjectBuiltShown(serializers.Serializer[Any]):
    """A project that relies on a version."""

    id = serializers.UUIDField()
    slug = serializers.CharField()
    name = serializers.CharField()
    runs = serializers.IntegerField(help_text="how many of the runs that were found are its own")
    is_said = serializers.BooleanField(help_text="it said itself that it uses the version, or one that came of it")


class BuiltOnShown(serializers.Serializer[Any]):
    """What was built on a version, nearest first."""

    counts = serializers.DictField(child=serializers.IntegerField(), help_text="of versions, runs, models, projects")
    items = BuiltShown(many=True)
    projects = ProjectBuiltShown(many=True)
    truncated = serializers.BooleanField(help_text=f"true if there is more than {MOST_THINGS} things")


def read_depth(request: Request, default: int) -> int:
    """Read how many steps to walk. Raises Invalid."""
    depth = request.query_params.get("depth", str(default))
    if not depth.isascii() or not depth.isdecimal() or len(depth) > 3 or not 1 <= int(depth) <= DEEPEST:
        raise Invalid(f"depth must be a whole number from 1 to {DEEPEST}", "bad_depth")
    return int(depth)


def read_way(request: Request) -> Way:
    """Read how far to walk, and which way. Raises Invalid."""
    direction, depth = request.query_params.get("direction", "both"), read_depth(request, 5)
    if direction not in ("up", "down", "both"):
        raise Invalid("direction must be up, down or both", "bad_direction")
    return Way(depth if direction != "down" else 0, depth if direction != "up" else 0)


def impact_shown(found: Impact) -> dict[str, Any]:
    """Write an impact analysis for its reader."""
    items = [
        NOTHING
        | one.thing.facts
        | {"id": name_of(one.thing.key), "kind": one.thing.key[0], "label": one.thing.label, "steps": one.steps}
        for one in found.items
    ]
    shown = {"counts": found.counts, "items": items, "projects": found.projects, "truncated": found.is_cut}
    return dict(BuiltOnShown(shown).data)


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
        keys = [key_of(start) for start in starts]
        return Response(described(walk(keys, read_way(request), asking(request).projects), asking(request)))


class RunLineage(APIView):
    """The lineage of a run."""

    required_role = reading_and_writing()

    @extend_schema(operation_id="run_lineage", parameters=PARAMETERS, responses=LineageShown)
    def get(self, request: Request, run: str) -> Response:
        """Walk from a run up to what it used and down to what came of it."""
        found = runs_for(asking(request)).fetch(run)
        return Response(described(walk([key_of(found)], read_way(request), asking(request).projects), asking(request)))


class VersionBuiltOn(APIView):
    """What was built on a version."""

    required_role = reading_and_writing()

    @extend_schema(operation_id="version_built_on", parameters=[BUILT_DEPTH], responses=BuiltOnShown)
    def get(self, request: Request, artifact: str, version: str) -> Response:
        """List the versions, runs and logged models that came of a version, and the projects that rely on it."""
        found = ArtifactVersion.objects.fetch(artifacts_for(asking(request)).fetch(artifact), version)
        return Response(impact_shown(built_on(found, asking(request), read_depth(request, DEEPEST))))
