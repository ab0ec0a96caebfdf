"""The registry room's REST door: one search over artifacts, versions, projects and runs."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.registry.finding import artifacts
from apps.registry.finding.artifacts import Asked
from apps.registry.finding.impacts import EFFECTS
from apps.registry.finding.meaning import STATES, UNASKED, look
from apps.registry.models import Artifact
from apps.registry.tasks import send_question
from apps.tracking.models import Project
from apps.tracking.search import names
from maestro import limits
from maestro.api.pagination import read_limit
from maestro.api.permissions import asking
from maestro.api.queries import choice, flag
from maestro.errors import Invalid

MOST = 50
THINGS = ("artifact", "version", "project", "run")
FACETS = ("kind", "owner", "tag", "problem_class", "impact")
QUERY = [
    OpenApiParameter(
        "q", str, description="words, a name, an id or its beginning, name@alias; any of the words counts"
    ),
    OpenApiParameter("thing", str, enum=THINGS, description="only these"),
    OpenApiParameter("kind", str, enum=Artifact.Kind.values, description="of artifacts"),
    OpenApiParameter("owner", str),
    OpenApiParameter("tag", str, description="key, or key=value, of artifacts"),
    OpenApiParameter(
        "problem_class", str, enum=Project.ProblemClass.values, description="of projects that use the artifact"
    ),
    OpenApiParameter(
        "impact",
        str,
        enum=list(EFFECTS),
        description="what use of the artifact goes with, by the latest estimate; one that is refused is none of these",
    ),
    OpenApiParameter("meaning", bool, description="find artifacts by meaning too, where this installation offers it"),
    OpenApiParameter("limit", int, description=f"of each kind of thing, at most {MOST}"),
]


class HitShown(serializers.Serializer[Any]):
    """Something that was found."""

    thing = serializers.ChoiceField(choices=THINGS)
    id = serializers.CharField()
    name = serializers.CharField()
    note = serializers.CharField(help_text="an artifact's kind, a version's state, a project's slug, a run's status")


class SearchShown(serializers.Serializer[Any]):
    """What was found, best first in each kind of thing; facets count up to 500 artifacts."""

    results = HitShown(many=True)
    meaning = serializers.ChoiceField(
        choices=STATES,
        help_text="off: not offered here; late: no worker has read the words yet, they were found as words",
    )
    facets = serializers.DictField(child=serializers.DictField(child=serializers.IntegerField()))


class Search(APIView):
    """One search over artifacts, versions, projects and runs."""

    required_role = {"GET": "viewer"}

    @extend_schema(operation_id="search", parameters=QUERY, responses=SearchShown)
    def get(self, request: Request) -> Response:
        """Look for words, names and ids in what you may see. Names that are alike come first, then any of the words."""
        query = request.query_params
        text = bounded(query.get("q", ""), limits.SEARCH_CHARS, "q")
        asked = Asked(text, *(bounded(query.get(name, ""), limits.KEY_CHARS, name) for name in FACETS))
        asked = replace(asked, meaning="1" if flag(request, "meaning") else "")
        most = read_limit(query.get("limit"), 20, MOST)
        choice(request, "impact", list(EFFECTS))
        choice(request, "kind", Artifact.Kind.values)
        choice(request, "problem_class", Project.ProblemClass.values)
        thing = choice(request, "thing", THINGS)
        return Response(SearchShown(self.found(request, asked, most, thing)).data)

    def found(self, request: Request, asked: Asked, most: int, thing: str) -> dict[str, Any]:
        """Look for each kind of thing. What facets narrow is artifacts only."""
        who, is_narrowed = asking(request), any(getattr(asked, name) for name in FACETS)
        wanted = {thing} if thing else {"artifact"} if is_narrowed else set(THINGS)
        results: list[dict[str, Any]] = []
        facets: Mapping[str, Mapping[str, int]] = {}
        state = UNASKED
        if "artifact" in wanted:
            state, vector = look(asked.text, send_question, is_wanted=bool(asked.meaning))
            found = artifacts.find(who, asked, most, vector=vector)
            facets = found.facets
            results += [hit("artifact", row.pk, row.name, row.kind) for row in found.artifacts]
        if asked.text.strip():
            results += others(who, asked.text, most, wanted)
        return {"results": results, "meaning": state, "facets": facets}


def others(who: Any, text: str, most: int, wanted: set[str]) -> list[dict[str, Any]]:
    """Look for versions, projects and runs."""
    found = []
    if "version" in wanted:
        found += [hit("version", row.pk, str(row), row.state) for row in artifacts.find_versions(who, text, most)]
    if "project" in wanted:
        found += [hit("project", row.pk, row.name, row.slug) for row in names.find_projects(who, text, most)]
    if "run" in wanted:
        found += [hit("run", row.pk.hex, row.name, row.status) for row in names.find_runs(who, text, most)]
    return found


def hit(thing: str, identity: Any, name: str, note: str) -> dict[str, Any]:
    """Show one thing."""
    return {"thing": thing, "id": str(identity), "name": name, "note": note}


def bounded(text: str, most: int, name: str) -> str:
    """Read a text of the address. Raises Invalid."""
    if len(text) > most or "\x00" in text:
        raise Invalid(f"{name} is a text of at most {most} characters", "bad_query")
    return text
