"""The registry room's REST door: searches for artifacts that one keeps under names."""

import uuid
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from apps.registry.finding import saved
from apps.registry.finding.artifacts import Asked
from apps.registry.finding.impacts import EFFECTS
from apps.registry.models import Artifact, SavedSearch
from apps.tenants.access.idempotency import IdempotentPosts
from apps.tenants.access.people.principal import acting
from apps.tracking.models import Project
from maestro import limits
from maestro.api.permissions import asking, reading_and_writing
from maestro.api.serializers import Flag, StrictSerializer, Text

PAGE = "/admin/find/"
EXAMPLE = OpenApiExample(
    "encoders that help",
    value={"name": "encoders that help", "q": "encode categories", "kind": "feature_pipeline", "impact": "helps"},
    request_only=True,
)


class SearchNew(StrictSerializer):
    """A search to be kept: words, facets or both."""

    name = Text(max_length=limits.SEARCH_NAME_CHARS)
    q = Text(required=False, allow_blank=True, max_length=limits.SEARCH_CHARS)
    kind = serializers.ChoiceField(choices=Artifact.Kind.choices, required=False, allow_blank=True)
    owner = Text(required=False, allow_blank=True, max_length=limits.KEY_CHARS)
    tag = Text(required=False, allow_blank=True, max_length=limits.KEY_CHARS, help_text="key, or key=value")
    problem_class = serializers.ChoiceField(choices=Project.ProblemClass.choices, required=False, allow_blank=True)
    impact = serializers.ChoiceField(choices=list(EFFECTS), required=False, allow_blank=True)
    meaning = Flag(required=False, help_text="by meaning too")

    def validate_name(self, name: str) -> str:
        """Refuse a name of blanks."""
        if not name.strip():
            raise serializers.ValidationError("give it a name", code="blank")
        return name.strip()


class SavedSearchShown(serializers.Serializer[Any]):
    """A search, and where the page is that shows it."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    asked = serializers.SerializerMethodField(help_text="as the query of GET /api/v1/search/")
    url = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField()

    def get_asked(self, search: SavedSearch) -> dict[str, str]:
        """Show words and facets."""
        return {"q" if name == "text" else name: str(text) for name, text in search.asked.items()}

    def get_url(self, search: SavedSearch) -> str:
        """Write where the page is."""
        return f"{PAGE}?{saved.address(saved.asked_of(search))}"


class SearchList(IdempotentPosts, GenericAPIView[SavedSearch]):
    """One's own searches."""

    required_role = reading_and_writing("viewer")
    serializer_class = SavedSearchShown
    page_ordering = ("name", "id")

    def get_queryset(self) -> Any:
        """Keep one's own."""
        return saved.searches_of(asking(self.request))

    @extend_schema(operation_id="searches_list")
    def get(self, request: Request) -> Response:
        """List the searches that you keep, by name."""
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response(SavedSearchShown(page, many=True).data)

    @extend_schema(
        operation_id="searches_create", request=SearchNew, responses={201: SavedSearchShown}, examples=[EXAMPLE]
    )
    def post(self, request: Request) -> Response:
        """Keep a search. A name that you have already is 409."""
        asked = SearchNew(data=request.data)
        asked.is_valid(raise_exception=True)
        facts = dict(asked.validated_data)
        name, text = facts.pop("name"), facts.pop("q", "")
        facts["meaning"] = "1" if facts.get("meaning") else ""
        made = saved.keep(name, Asked(text=text.strip(), **facts), acting(request), at=timezone.now())
        return Response(SavedSearchShown(made).data, status=201)


class SearchDetail(GenericAPIView[SavedSearch]):
    """One search."""

    required_role = reading_and_writing("viewer")
    serializer_class = SavedSearchShown

    @extend_schema(operation_id="searches_get")
    def get(self, request: Request, search: uuid.UUID) -> Response:
        """Show a search that you keep."""
        return Response(SavedSearchShown(saved.searches_of(asking(request)).fetch(search)).data)

    @extend_schema(operation_id="searches_delete", responses={204: None})
    def delete(self, request: Request, search: uuid.UUID) -> Response:
        """Forget it."""
        saved.delete(search, acting(request))
        return Response(status=204)
